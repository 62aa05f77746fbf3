//! What the student writes, and how it is called. Only this file runs in the
//! process of an answer.

use std::ffi::CString;
use std::io;
use std::os::fd::OwnedFd;
use std::panic::{self, AssertUnwindSafe};

use labkit::act::{Act, Performable, given};
use labkit::describe::Failure;
use mydocker_kernel::sys::clone;
use nix::sched::CloneFlags;
use nix::sys::signal::{Signal, raise};
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};
use nix::unistd::{Pid, read, write};
use serde::{Deserialize, Serialize};

/// The functions that the student writes. A mistake is the solution with one of
/// them replaced.
pub struct Answers {
    /// See labs/02-run/src/lib.rs, as for the others.
    pub start: fn(&[CString]) -> io::Result<Pid>,
    /// Waits for what the first has started.
    pub wait: fn(Pid) -> io::Result<i32>,
    /// What the second returns.
    pub exit_code: fn(WaitStatus) -> i32,
}

/// All that an answer can be asked to do.
pub static ACTS: &[&dyn Performable<Answers>] =
    &[&START, &WAIT, &WAIT_FOR_A_STRANGER, &EXIT_CODES, &EXIT_CODES_OF_THE_LIVING];

/// Starts the command that it is given, and returns its pid.
pub static START: Act<Answers, Vec<CString>, Result<i32, Failure>> = Act {
    name: "start",
    function: "start",
    perform: |answers, command| (answers.start)(&command).map(Pid::as_raw).map_err(Failure::from),
};

/// How a process ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ending {
    /// It exits with this code.
    Exited(i32),
    /// The signal with this number ends it.
    Signaled(i32),
}

/// What has come of one call of wait, and the children that there were.
#[derive(Serialize, Deserialize)]
pub struct Waited {
    /// What wait returned.
    pub returned: Result<i32, Failure>,
    /// The child that was waited for.
    pub child: i32,
    /// Another one, which had ended before.
    pub other: i32,
}

/// The exit code of the other child.
pub const OTHERS_CODE: i32 = 9;

/// Waits for a child that ends in this way. It says the child's pid on the first
/// descriptor that it is given, just before wait is called; the child ends when
/// the second one has come to its end.
pub static WAIT: Act<Answers, Ending, Waited> = Act {
    name: "wait",
    function: "wait",
    perform: |answers, ending| {
        let (say, hold) = (given(0), given(1));
        let other = child(|| OTHERS_CODE);
        let is_over = WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT;
        waitid(Id::Pid(other), is_over).expect("it ends at once");
        let child = child(|| end_after(&hold, ending));
        drop(hold);
        write(&say, &child.as_raw().to_ne_bytes()).expect("the witness listens");
        drop(say);
        let returned = (answers.wait)(child).map_err(Failure::from);
        Waited { returned, child: child.as_raw(), other: other.as_raw() }
    },
};

/// Not the student's own: these promises are about the waiting.
fn child(body: impl FnOnce() -> i32) -> Pid {
    clone(CloneFlags::empty(), body).expect("the sandbox allows it")
}

fn end_after(hold: &OwnedFd, ending: Ending) -> i32 {
    let _ = read(hold, &mut [0]);
    match ending {
        Ending::Exited(code) => code,
        Ending::Signaled(number) => {
            let signal = Signal::try_from(number);
            let _ = signal.map(raise);
            0
        }
    }
}

/// Waits for a process that is not a child of the caller.
pub static WAIT_FOR_A_STRANGER: Act<Answers, i32, Result<i32, Failure>> = Act {
    name: "wait_for_a_stranger",
    function: "wait",
    perform: |answers, pid| (answers.wait)(Pid::from_raw(pid)).map_err(Failure::from),
};

/// The exit code for each ending, and of signals for each with and without a core
/// dump.
pub static EXIT_CODES: Act<Answers, Vec<(Ending, bool)>, Vec<i32>> = Act {
    name: "exit_codes",
    function: "exit_code",
    perform: |answers, endings| {
        let status = |(ending, dumped)| match ending {
            Ending::Exited(code) => WaitStatus::Exited(SOMEBODY, code),
            Ending::Signaled(number) => {
                let signal = Signal::try_from(number).expect("a signal");
                WaitStatus::Signaled(SOMEBODY, signal, dumped)
            }
        };
        endings.into_iter().map(|ending| (answers.exit_code)(status(ending))).collect()
    },
};

/// The exit code of processes that have not ended: stopped, continued, running.
/// Nothing where the function has panicked.
pub static EXIT_CODES_OF_THE_LIVING: Act<Answers, (), Vec<Option<i32>>> = Act {
    name: "exit_codes_of_the_living",
    function: "exit_code",
    perform: |answers, ()| {
        let living = [
            WaitStatus::Stopped(SOMEBODY, Signal::SIGSTOP),
            WaitStatus::Continued(SOMEBODY),
            WaitStatus::StillAlive,
        ];
        let ask = |status| panic::catch_unwind(AssertUnwindSafe(|| (answers.exit_code)(status)));
        living.map(|status| ask(status).ok()).to_vec()
    },
};

const SOMEBODY: Pid = Pid::from_raw(2);
