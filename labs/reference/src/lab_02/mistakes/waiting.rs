//! wait.

use std::io;

use lab_02_grader::Answers;
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, wait, waitid, waitpid};

use crate::catalogue::Mistake;
use crate::lab_02::{SOLUTION, solution};

/// The first version has no wait at all: the caller goes on, and deletes the
/// workspace under the running command.
pub const WAIT_DOES_NOT_WAIT: Mistake<Answers> = Mistake {
    name: "wait_does_not_wait",
    code: "run/wait-returns-at-once",
    answers: Answers {
        wait: |pid| {
            Ok(match waitpid(pid, Some(WaitPidFlag::WNOHANG))? {
                WaitStatus::StillAlive => 0,
                status => solution::exit_code(status),
            })
        },
        ..SOLUTION
    },
};

/// wait(2) takes whoever ends first.
pub const WAIT_FOR_ANY_CHILD: Mistake<Answers> = Mistake {
    name: "wait_for_any_child",
    code: "run/waits-for-any-child",
    answers: Answers { wait: |_| Ok(solution::exit_code(wait()?)), ..SOLUTION },
};

/// Looks at the end and does not take it: the pid stays taken for ever.
pub const ZOMBIE_LEFT: Mistake<Answers> = Mistake {
    name: "zombie_left",
    code: "run/zombie-left",
    answers: Answers {
        wait: |pid| {
            let status = waitid(Id::Pid(pid), WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT)?;
            Ok(solution::exit_code(status))
        },
        ..SOLUTION
    },
};

/// cmd.Wait() of the blog, whose result nobody reads.
pub const STATUS_NOT_READ: Mistake<Answers> = Mistake {
    name: "status_not_read",
    code: "run/exit-status-lost",
    answers: Answers { wait: |pid| waitpid(pid, None).map(|_| 0).map_err(Into::into), ..SOLUTION },
};

/// A container that is stopped is no failure of the runtime.
pub const SIGNAL_IS_AN_ERROR: Mistake<Answers> = Mistake {
    name: "signal_is_an_error",
    code: "run/signal-is-an-error",
    answers: Answers {
        wait: |pid| match waitpid(pid, None)? {
            WaitStatus::Exited(_, code) => Ok(code),
            _ => Err(io::Error::other("the container was killed")),
        },
        ..SOLUTION
    },
};

/// No child, no failure: the runtime believes that the container has ended well.
pub const NO_CHILD_IS_SUCCESS: Mistake<Answers> = Mistake {
    name: "no_child_is_success",
    code: "run/wait-error-ignored",
    answers: Answers {
        wait: |pid| match waitpid(pid, None) {
            Ok(status) => Ok(solution::exit_code(status)),
            Err(errno) => {
                eprintln!("waitpid: {errno}");
                Ok(0)
            }
        },
        ..SOLUTION
    },
};

/// Ctrl-Z in the container, and its workspace is deleted.
pub const STOP_IS_AN_END: Mistake<Answers> = Mistake {
    name: "stop_is_an_end",
    code: "run/stop-taken-for-the-end",
    answers: Answers {
        wait: |pid| match waitpid(pid, Some(WaitPidFlag::WUNTRACED))? {
            WaitStatus::Stopped(_, signal) => Ok(128 + signal as i32),
            status => Ok(solution::exit_code(status)),
        },
        ..SOLUTION
    },
};
