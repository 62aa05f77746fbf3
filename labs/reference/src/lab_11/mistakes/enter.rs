//! enter: where the command runs, and what it gets.

use std::env;
use std::ffi::CString;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use lab_02_process::clone;
use lab_11_grader::Answers;
use nix::sched::{CloneFlags, setns};
use nix::sys::prctl;
use nix::unistd::{chdir, chroot, execvp, execvpe};

use crate::catalogue::Mistake;
use crate::lab_11::steps::{enter, execute, failure, prepare, prepare_so, wait};
use crate::lab_11::{SOLUTION, solution};

/// One fork less: then the caller is in the container for good.
pub const CALLER_JOINS: Mistake<Answers> = Mistake {
    name: "caller_joins",
    code: "exec/caller-moved",
    answers: Answers {
        enter: |pid, command, environment| {
            let namespaces = solution::open_namespaces(pid)?;
            solution::join(&namespaces)?;
            wait(clone(CloneFlags::empty(), || execute(command, environment))?)
        },
        ..SOLUTION
    },
};

/// One fork less: who has joined becomes the command.
pub const ONE_FORK: Mistake<Answers> = Mistake {
    name: "one_fork",
    code: "exec/no-fork-for-the-pid-namespace",
    answers: Answers {
        enter: |pid, command, environment| {
            let namespaces = solution::open_namespaces(pid)?;
            let child = clone(CloneFlags::empty(), || match prepare(namespaces) {
                Ok(()) => execute(command, environment),
                Err(error) => {
                    eprintln!("enter: {error}");
                    125
                }
            })?;
            wait(child)
        },
        ..SOLUTION
    },
};

/// Opened, but never joined.
pub const NOTHING_JOINED: Mistake<Answers> = Mistake {
    name: "nothing_joined",
    code: "exec/runs-on-the-host",
    answers: Answers {
        enter: |pid, command, environment| {
            let prepare = |namespaces| prepare_so(namespaces, |_| Ok(()));
            enter(pid, prepare, || execute(command, environment), wait)
        },
        ..SOLUTION
    },
};

/// The container's root by another way, and the host's mounts.
pub const ROOT_BY_CHROOT: Mistake<Answers> = Mistake {
    name: "root_by_chroot",
    code: "exec/namespace-not-joined",
    answers: Answers {
        enter: |pid, command, environment| {
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
            let prepare = |namespaces| prepare_so(namespaces, join);
            enter(pid, prepare, || execute(command, environment), wait)
        },
        ..SOLUTION
    },
};

/// The environment is handed on, but the name is looked up in this process's PATH.
pub const EXECVPE: Mistake<Answers> = Mistake {
    name: "execvpe",
    code: "exec/path-of-the-caller",
    answers: Answers {
        enter: |pid, command, environment| {
            let execute = || {
                let Err(errno) = execvpe(&command[0], command, environment);
                failure(command, errno)
            };
            enter(pid, prepare, execute, wait)
        },
        ..SOLUTION
    },
};

/// The environment goes along by itself: the host's.
pub const EXECVP: Mistake<Answers> = Mistake {
    name: "execvp",
    code: "exec/environment-of-the-caller",
    answers: Answers {
        enter: |pid, command, _| {
            let execute = || {
                let Err(errno) = execvp(&command[0], command);
                failure(command, errno)
            };
            enter(pid, prepare, execute, wait)
        },
        ..SOLUTION
    },
};

/// `append(os.Environ(), …)`, as the blog has it.
pub const ENVIRONMENT_ADDED: Mistake<Answers> = Mistake {
    name: "environment_added",
    code: "exec/environment-of-the-caller",
    answers: Answers {
        enter: |pid, command, environment| {
            let own =
                env::vars_os().filter(|(name, _)| name != "PATH").flat_map(|(name, value)| {
                    CString::new([name.as_bytes(), b"=", value.as_bytes()].concat())
                });
            let all: Vec<CString> = own.chain(environment.iter().cloned()).collect();
            enter(pid, prepare, || execute(command, &all), wait)
        },
        ..SOLUTION
    },
};

/// As Go's exec.Command: the name becomes a path before anything is joined.
pub const LOOKED_UP_BEFORE: Mistake<Answers> = Mistake {
    name: "looked_up_before",
    code: "exec/looked-up-on-the-host",
    answers: Answers {
        enter: |pid, command, environment| {
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
        },
        ..SOLUTION
    },
};

/// Words come from a text that was split at its spaces, and an empty one gets lost.
pub const EMPTY_WORDS_DROPPED: Mistake<Answers> = Mistake {
    name: "empty_words_dropped",
    code: "exec/other-words",
    answers: Answers {
        enter: |pid, command, environment| {
            let words: Vec<_> = command.iter().filter(|it| !it.is_empty()).cloned().collect();
            solution::enter(pid, &words, environment)
        },
        ..SOLUTION
    },
};

/// What was not joined is the host's, and the command runs there.
pub const JOIN_ERROR_PRINTED: Mistake<Answers> = Mistake {
    name: "join_error_printed",
    code: "exec/failed-step-ignored",
    answers: Answers {
        enter: |pid, command, environment| {
            let join = |namespaces: &[_]| {
                if let Err(error) = solution::join(namespaces) {
                    eprintln!("join: {error}");
                }
                Ok(())
            };
            let prepare = |namespaces| prepare_so(namespaces, join);
            enter(pid, prepare, || execute(command, environment), wait)
        },
        ..SOLUTION
    },
};

/// There is no container: so the command runs here.
pub const RUNS_ANYWAY: Mistake<Answers> = Mistake {
    name: "runs_anyway",
    code: "exec/runs-without-a-container",
    answers: Answers {
        enter: |pid, command, environment| {
            let namespaces = solution::open_namespaces(pid).unwrap_or_default();
            let joiner = clone(CloneFlags::empty(), || {
                let joined = prctl::set_dumpable(false).map_err(io::Error::from);
                let born = joined.and_then(|()| prepare(namespaces)).and_then(|()| {
                    wait(clone(CloneFlags::empty(), || execute(command, environment))?)
                });
                born.unwrap_or_else(|error| {
                    eprintln!("enter: {error}");
                    125
                })
            })?;
            wait(joiner)
        },
        ..SOLUTION
    },
};

/// What docker's number is for: but here nothing has been started.
pub const NO_CONTAINER_IS_125: Mistake<Answers> = Mistake {
    name: "no_container_is_125",
    code: "exec/no-such-process-is-a-number",
    answers: Answers {
        enter: |pid, command, environment| {
            Ok(solution::enter(pid, command, environment).unwrap_or_else(|error| {
                eprintln!("enter: {error}");
                125
            }))
        },
        ..SOLUTION
    },
};
