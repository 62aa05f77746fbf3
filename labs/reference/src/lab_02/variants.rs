//! Right answers of another kind, and wrong ones that no rule foresees.

use std::ffi::CString;
use std::os::unix::ffi::OsStrExt;

use lab_02_grader::Answers;
use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::mount::MsFlags;
use nix::sched::{CloneFlags, unshare};
use nix::sys::signal::Signal;
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};
use nix::unistd::{execvpe, pipe2, read, sethostname};

use super::steps::{
    ALL, PRIVATE, SAFE, execute, failure, mount_proc, prepare, propagate, search, start,
    start_child,
};
use super::{SOLUTION, solution};
use crate::catalogue::Variant;

/// What keeps every promise in other ways than the solution.
pub static RIGHT: &[Variant<Answers>] = &[
    // Only the PID namespace must be there from the beginning.
    Variant {
        name: "child_unshares_the_rest",
        answers: Answers {
            start: |command| {
                let rest = ALL.difference(CloneFlags::CLONE_NEWPID);
                let prepare = || unshare(rest).and_then(|()| prepare());
                start(CloneFlags::CLONE_NEWPID, prepare, || execute(command))
            },
            ..SOLUTION
        },
    },
    // As runc: slave first, so that an umount of the host's is no surprise.
    Variant {
        name: "slave_then_private",
        answers: Answers {
            start: |command| {
                let prepare = || {
                    propagate(MsFlags::MS_SLAVE | MsFlags::MS_REC)?;
                    propagate(PRIVATE)?;
                    mount_proc(SAFE)
                };
                start(ALL, prepare, || execute(command))
            },
            ..SOLUTION
        },
    },
    // Private, and no bind mount can be made of it either.
    Variant {
        name: "unbindable_mounts",
        answers: Answers {
            start: |command| {
                let unbindable = MsFlags::MS_UNBINDABLE | MsFlags::MS_REC;
                let prepare = || propagate(unbindable).and_then(|()| mount_proc(SAFE));
                start(ALL, prepare, || execute(command))
            },
            ..SOLUTION
        },
    },
    // One namespace more, a host name, and the environment by hand.
    Variant {
        name: "more_than_was_asked_for",
        answers: Answers {
            start: |command| {
                let prepare = || prepare().and_then(|()| sethostname("mydocker"));
                start(ALL | CloneFlags::CLONE_NEWCGROUP, prepare, || {
                    let variables = std::env::vars_os().map(|(name, value)| {
                        CString::new([name.as_bytes(), b"=", value.as_bytes()].concat())
                    });
                    let environment: Vec<CString> = variables.flatten().collect();
                    let Err(errno) = execvpe(&command[0], command, &environment);
                    errno
                })
            },
            ..SOLUTION
        },
    },
    // Returns when the command is executed: that closes the pipe.
    Variant {
        name: "waits_for_the_execve",
        answers: Answers {
            start: |command| {
                let (executed, held) = pipe2(OFlag::O_CLOEXEC)?;
                let pid = solution::start(command)?;
                drop(held);
                read(&executed, &mut [0])?;
                Ok(pid)
            },
            ..SOLUTION
        },
    },
    // Looks in $PATH itself, for a name that is no path.
    Variant {
        name: "own_search",
        answers: Answers {
            start: |command| {
                let is_path = command[0].as_bytes().contains(&b'/');
                start(ALL, prepare, || if is_path { execute(command) } else { search(command) })
            },
            ..SOLUTION
        },
    },
    // As docker and dash do it: there is nothing below a file.
    Variant {
        name: "below_a_file_is_127",
        answers: Answers {
            start: |command| {
                start_child(ALL, prepare, || match execute(command) {
                    Errno::ENOTDIR => failure(Errno::ENOENT),
                    errno => failure(errno),
                })
            },
            ..SOLUTION
        },
    },
    Variant {
        name: "waitid",
        answers: Answers {
            wait: |pid| Ok(solution::exit_code(waitid(Id::Pid(pid), WaitPidFlag::WEXITED)?)),
            ..SOLUTION
        },
    },
];

/// What breaks promises in ways that no rule foresees.
pub static UNFORESEEN: &[Variant<Answers>] = &[
    Variant {
        name: "arguments_reversed",
        answers: Answers {
            start: |command| {
                let mut words = command.to_vec();
                words[1..].reverse();
                solution::start(&words)
            },
            ..SOLUTION
        },
    },
    Variant {
        name: "wait_adds_one",
        answers: Answers { wait: |pid| Ok(solution::wait(pid)? + 1), ..SOLUTION },
    },
    Variant {
        name: "signals_counted_from_the_end",
        answers: Answers {
            exit_code: |status| match status {
                WaitStatus::Signaled(_, signal, _) => 128 + Signal::SIGSYS as i32 - signal as i32,
                other => solution::exit_code(other),
            },
            ..SOLUTION
        },
    },
];
