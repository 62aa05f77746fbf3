//! enter: the number that it returns.

use std::io;

use lab_02_process::clone;
use lab_11_grader::Answers;
use nix::sched::CloneFlags;
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid, waitpid};

use crate::catalogue::Mistake;
use crate::lab_11::steps::{enter, execute, look_up, prepare, wait};
use crate::lab_11::{SOLUTION, solution};

/// The child in the middle says that all is well, whatever its own child says.
pub const JOINER_RETURNS_0: Mistake<Answers> = Mistake {
    name: "joiner_returns_0",
    code: "exec/status-lost",
    answers: Answers {
        enter: |pid, command, environment| {
            let wait_for = |child| wait(child).map(|_| 0);
            enter(pid, prepare, || execute(command, environment), wait_for)
        },
        ..SOLUTION
    },
};

/// The signal's number alone.
pub const SIGNAL_WITHOUT_128: Mistake<Answers> = Mistake {
    name: "signal_without_128",
    code: "exec/signal-without-128",
    answers: Answers {
        enter: |pid, command, environment| {
            let wait_for = |child| match waitpid(child, None)? {
                WaitStatus::Signaled(_, signal, _) => Ok(signal as i32),
                WaitStatus::Exited(_, code) => Ok(code),
                other => panic!("{other:?} is no end"),
            };
            enter(pid, prepare, || execute(command, environment), wait_for)
        },
        ..SOLUTION
    },
};

/// "The command did not exit": an error.
pub const SIGNAL_IS_AN_ERROR: Mistake<Answers> = Mistake {
    name: "signal_is_an_error",
    code: "exec/ending-is-an-error",
    answers: Answers {
        enter: |pid, command, environment| {
            let wait_for = |child| match waitpid(child, None)? {
                WaitStatus::Exited(_, code) => Ok(code),
                other => Err(io::Error::other(format!("{other:?}"))),
            };
            enter(pid, prepare, || execute(command, environment), wait_for)
        },
        ..SOLUTION
    },
};

/// What a program returns that has failed.
pub const ALWAYS_1: Mistake<Answers> = Mistake {
    name: "always_1",
    code: "exec/wrong-failure-code",
    answers: Answers {
        enter: |pid, command, environment| {
            let execute = || {
                eprintln!("{}", look_up(command, environment));
                1
            };
            enter(pid, prepare, execute, wait)
        },
        ..SOLUTION
    },
};

/// What cannot be executed is not there.
pub const ALWAYS_127: Mistake<Answers> = Mistake {
    name: "always_127",
    code: "exec/wrong-failure-code",
    answers: Answers {
        enter: |pid, command, environment| {
            let execute = || {
                eprintln!("{}", look_up(command, environment));
                127
            };
            enter(pid, prepare, execute, wait)
        },
        ..SOLUTION
    },
};

/// Who has joined starts the command, and goes.
pub const NOT_WAITED_FOR: Mistake<Answers> = Mistake {
    name: "not_waited_for",
    code: "exec/command-not-waited-for",
    answers: Answers {
        enter: |pid, command, environment| {
            enter(pid, prepare, || execute(command, environment), |_| Ok(0))
        },
        ..SOLUTION
    },
};

/// Looked at, but never waited for: each exec leaves a zombie.
pub const ZOMBIE_LEFT: Mistake<Answers> = Mistake {
    name: "zombie_left",
    code: "exec/zombie-left",
    answers: Answers {
        enter: |pid, command, environment| {
            let namespaces = solution::open_namespaces(pid)?;
            let joiner = clone(CloneFlags::empty(), || {
                let born = prepare(namespaces).and_then(|()| {
                    wait(clone(CloneFlags::empty(), || execute(command, environment))?)
                });
                born.unwrap_or_else(|error| {
                    eprintln!("enter: {error}");
                    125
                })
            })?;
            match waitid(Id::Pid(joiner), WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT)? {
                WaitStatus::Exited(_, code) => Ok(code),
                other => panic!("{other:?} is no end"),
            }
        },
        ..SOLUTION
    },
};

/// 127, and not a word of what was not found.
pub const NOTHING_SAID: Mistake<Answers> = Mistake {
    name: "nothing_said",
    code: "exec/failure-not-told",
    answers: Answers {
        enter: |pid, command, environment| {
            let execute = || match look_up(command, environment) {
                nix::errno::Errno::ENOENT => 127,
                _ => 126,
            };
            enter(pid, prepare, execute, wait)
        },
        ..SOLUTION
    },
};

/// 125, and not a word of what could not be joined.
pub const JOINER_SAYS_NOTHING: Mistake<Answers> = Mistake {
    name: "joiner_says_nothing",
    code: "exec/failure-not-told",
    answers: Answers {
        enter: |pid, command, environment| {
            let namespaces = solution::open_namespaces(pid)?;
            let joiner = clone(CloneFlags::empty(), || {
                let born = prepare(namespaces).and_then(|()| {
                    wait(clone(CloneFlags::empty(), || execute(command, environment))?)
                });
                born.unwrap_or(125)
            })?;
            wait(joiner)
        },
        ..SOLUTION
    },
};
