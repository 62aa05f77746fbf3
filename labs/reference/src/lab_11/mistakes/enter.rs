//! enter: where the command runs, and what it gets.

use std::env;
use std::ffi::{CStr, CString};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use lab_02_process::clone;
use lab_11_grader::Answers;
use nix::sched::{CloneFlags, setns};
use nix::unistd::{chdir, chroot, execvp, execvpe};

use crate::catalogue::Mistake;
use crate::lab_11::solution;
use crate::lab_11::steps::{
    MISSING, become_it, enter_executing, enter_joining, entering, execute, failure, go_inside,
    join_and_start, look_up_so, prepare, start_joiner, wait,
};

/// One fork less: then the caller is in the container for good.
pub const CALLER_JOINS: Mistake<Answers> =
    entering("caller_joins", "exec/caller-moved", |pid, command, environment| {
        let namespaces = solution::open_namespaces(pid)?;
        go_inside(&namespaces)?;
        wait(clone(CloneFlags::empty(), || execute(command, environment))?)
    });

/// One fork less: who has joined becomes the command.
pub const ONE_FORK: Mistake<Answers> =
    entering("one_fork", "exec/no-fork-for-the-pid-namespace", |pid, command, environment| {
        let namespaces = solution::open_namespaces(pid)?;
        let joined = || prepare(namespaces).map(|()| execute(command, environment));
        wait(start_joiner(joined)?)
    });

/// Opened, but never joined.
pub const NOTHING_JOINED: Mistake<Answers> =
    entering("nothing_joined", "exec/runs-on-the-host", |pid, command, environment| {
        enter_joining(pid, command, environment, |_| Ok(()))
    });

/// The container's root by another way, and the host's mounts.
pub const ROOT_BY_CHROOT: Mistake<Answers> =
    entering("root_by_chroot", "exec/namespace-not-joined", |pid, command, environment| {
        let root = format!("/proc/{pid}/root");
        let join = |namespaces: &[_]| {
            chroot(root.as_str()).and_then(|()| chdir("/"))?;
            for (kind, namespace) in namespaces {
                if *kind != CloneFlags::CLONE_NEWNS {
                    setns(namespace, *kind)?;
                }
            }
            Ok(())
        };
        enter_joining(pid, command, environment, join)
    });

/// setns(2) leads to the container's root: but only if it joins a mount namespace.
pub const JOINING_LEADS_TO_THE_ROOT: Mistake<Answers> = entering(
    "joining_leads_to_the_root",
    "exec/working-directory-kept",
    |pid, command, environment| enter_joining(pid, command, environment, solution::join),
);

/// The environment is handed on, but the name is looked up in this process's PATH.
pub const EXECVPE: Mistake<Answers> =
    entering("execvpe", "exec/path-of-the-caller", |pid, command, environment| {
        let execute = || {
            let Err(errno) = execvpe(&command[0], command, environment);
            failure(command, errno)
        };
        enter_executing(pid, execute)
    });

/// The environment goes along by itself: the host's.
pub const EXECVP: Mistake<Answers> =
    entering("execvp", "exec/environment-of-the-caller", |pid, command, _| {
        let execute = || {
            let Err(errno) = execvp(&command[0], command);
            failure(command, errno)
        };
        enter_executing(pid, execute)
    });

/// `append(os.Environ(), …)`, as the blog has it.
pub const ENVIRONMENT_ADDED: Mistake<Answers> =
    entering("environment_added", "exec/environment-of-the-caller", |pid, command, environment| {
        let own = env::vars_os().filter(|(name, _)| name != "PATH").flat_map(|(name, value)| {
            CString::new([name.as_bytes(), b"=", value.as_bytes()].concat())
        });
        let all: Vec<CString> = own.chain(environment.iter().cloned()).collect();
        enter_executing(pid, || execute(command, &all))
    });

/// As Go's exec.Command: the name becomes a path before anything is joined.
pub const LOOKED_UP_BEFORE: Mistake<Answers> =
    entering("looked_up_before", "exec/looked-up-on-the-host", |pid, command, environment| {
        let mut command = command.to_vec();
        if !command[0].as_bytes().contains(&b'/') {
            let name = command[0].to_string_lossy().into_owned();
            let path = environment.iter().find_map(|it| it.to_bytes().strip_prefix(b"PATH="));
            let path = String::from_utf8_lossy(path.unwrap_or_default()).into_owned();
            let mut found = path.split(':').map(|it| Path::new(it).join(&name));
            let Some(found) = found.find(|it| it.exists()) else {
                eprintln!("{name}: not found");
                return Ok(127);
            };
            command[0] = CString::new(found.as_os_str().as_bytes())?;
        }
        solution::enter(pid, &command, environment)
    });

/// A path is put together as text.
pub const NAMES_AS_TEXT: Mistake<Answers> =
    entering("exec_names_as_text", "exec/name-as-text", |pid, command, environment| {
        let become_it = |program: &CStr| {
            let text = program.to_string_lossy().into_owned();
            become_it(&CString::new(text).expect("no NUL in it"), command, environment)
        };
        enter_executing(pid, || {
            failure(command, look_up_so(MISSING, command, environment, become_it))
        })
    });

/// Words come from a text that was split at its spaces, and an empty one gets lost.
pub const EMPTY_WORDS_DROPPED: Mistake<Answers> =
    entering("empty_words_dropped", "exec/other-words", |pid, command, environment| {
        let words: Vec<_> = command.iter().filter(|it| !it.is_empty()).cloned().collect();
        solution::enter(pid, &words, environment)
    });

/// What is found is what is run, so it is the first word, too.
pub const FOUND_PATH_IN_PLACE_OF_THE_NAME: Mistake<Answers> = entering(
    "found_path_in_place_of_the_name",
    "exec/first-word-changed",
    |pid, command, environment| {
        let become_it = |program: &CStr| {
            let words = [&[program.to_owned()], &command[1..]].concat();
            become_it(program, &words, environment)
        };
        enter_executing(pid, || {
            failure(command, look_up_so(MISSING, command, environment, become_it))
        })
    },
);

/// What was not joined is the host's, and the command runs there.
pub const JOIN_ERROR_PRINTED: Mistake<Answers> =
    entering("join_error_printed", "exec/failed-step-ignored", |pid, command, environment| {
        let join = |namespaces: &[_]| {
            if let Err(error) = go_inside(namespaces) {
                eprintln!("join: {error}");
            }
            Ok(())
        };
        enter_joining(pid, command, environment, join)
    });

/// There is no container: so the command runs here.
pub const RUNS_ANYWAY: Mistake<Answers> =
    entering("runs_anyway", "exec/runs-without-a-container", |pid, command, environment| {
        let namespaces = solution::open_namespaces(pid).unwrap_or_default();
        wait(start_joiner(|| join_and_start(namespaces, command, environment))?)
    });

/// What docker's number is for: but here nothing has been started.
pub const NO_CONTAINER_IS_125: Mistake<Answers> = entering(
    "no_container_is_125",
    "exec/no-such-process-is-a-number",
    |pid, command, environment| {
        Ok(solution::enter(pid, command, environment).unwrap_or_else(|error| {
            eprintln!("enter: {error}");
            125
        }))
    },
);
