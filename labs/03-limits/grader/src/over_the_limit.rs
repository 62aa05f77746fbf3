//! Processes that go over the limits which set_limits has set.

use std::hint::black_box;
use std::thread::sleep;
use std::time::Duration;

use labkit::describe::{Failure, result};
use labkit::host::Host;
use labkit::verdict::{Evidence, Finding, require};
use mydocker::sys;
use nix::errno::Errno;
use nix::sched::CloneFlags;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};

use crate::changing::on_models;
use crate::group::Group;
use crate::kernel;
use crate::limits::{FUNCTION, MEMORY};
use crate::{Answers, UNFORESEEN};

/// How many processes the group may have.
const PIDS: u64 = 4;
/// How many are tried at most.
const TRIED: usize = 8;
/// The exit code of a process that was not stopped.
const NOT_STOPPED: i32 = 100;
/// The exit code of a process that could not enter the group.
const NOT_ENTERED: i32 = 101;

/// What came of the limits.
#[derive(Serialize, Deserialize)]
struct Tried {
    returned: Result<(), Failure>,
    /// How the process has ended that went over them.
    ended: Ended,
}

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Ended {
    By(String),
    With(i32),
}

/// Has the answer limit a group and a process in it do `work`.
fn try_limits(
    answers: &Answers,
    host: &Host,
    memory: u64,
    pids: u64,
    work: fn() -> i32,
) -> Result<Tried, Finding> {
    on_models(answers, host)?;
    let group = kernel::make_group("c1");
    let body = || {
        let returned =
            (answers.set_limits)(&group, Some(memory), Some(pids)).map_err(Failure::from);
        Tried { returned, ended: work_in(&group, work) }
    };
    Ok(host.call(FUNCTION, CloneFlags::empty(), body)?.returned)
}

fn work_in(group: &Group, work: fn() -> i32) -> Ended {
    let child = sys::clone(CloneFlags::empty(), || match kernel::enter(group) {
        Ok(()) => work(),
        Err(_) => NOT_ENTERED,
    });
    match waitpid(child.expect("a process"), None).expect("it ends") {
        WaitStatus::Exited(_, code) => Ended::With(code),
        WaitStatus::Signaled(_, signal, _) => Ended::By(signal.as_str().to_owned()),
        other => panic!("no end: {other:?}"),
    }
}

fn judge(
    tried: &Tried,
    what: &str,
    expected: Ended,
    words: fn(&Ended) -> String,
) -> Result<(), Finding> {
    let kept = tried.returned.is_ok() && tried.ended == expected;
    let evidence = || {
        vec![
            Evidence::differs(FUNCTION, "Ok", result(&tried.returned)),
            Evidence::differs(what, words(&expected), words(&tried.ended)),
        ]
    };
    let diagnosis = || {
        let failure = tried.returned.as_ref().err()?;
        let found = Finding::new("answer/returned-error");
        Some(found.word("function", FUNCTION).word("error", failure))
    };
    require(kept, evidence, diagnosis, UNFORESEEN)
}

pub fn memory(answers: &Answers, host: &Host) -> Result<(), Finding> {
    let use_too_much = || {
        black_box(vec![1_u8; 2 * MEMORY as usize]);
        NOT_STOPPED
    };
    let tried = try_limits(answers, host, MEMORY, PIDS, use_too_much)?;
    let killed = Ended::By(Signal::SIGKILL.as_str().to_owned());
    judge(&tried, "32 MiB in a group of 16 MiB", killed, |ended| match ended {
        Ended::By(signal) => signal.clone(),
        Ended::With(NOT_STOPPED) => "exit(0)".to_owned(),
        Ended::With(code) => format!("exit({code})"),
    })
}

pub fn pids(answers: &Answers, host: &Host) -> Result<(), Finding> {
    let tried = try_limits(answers, host, MEMORY, PIDS, start_many)?;
    // The one that starts the others is in the group too.
    let most = Ended::With(PIDS as i32 - 1);
    judge(&tried, "fork() in a group of 4 processes", most, |ended| match ended {
        Ended::With(NOT_STOPPED) => "-".to_owned(),
        Ended::With(others) => format!("EAGAIN after {others}"),
        Ended::By(signal) => signal.clone(),
    })
}

/// Starts processes until there may not be more, and returns how many it could.
fn start_many() -> i32 {
    let mut started: Vec<Pid> = Vec::new();
    let refused = loop {
        let sleeper = sys::clone(CloneFlags::empty(), || {
            sleep(Duration::from_secs(60));
            0
        });
        match sleeper {
            Ok(pid) if started.len() < TRIED => started.push(pid),
            Ok(pid) => {
                started.push(pid);
                break false;
            }
            Err(error) => break error.errno() == Some(Errno::EAGAIN),
        }
    };
    for pid in &started {
        let _ = kill(*pid, Signal::SIGKILL);
        let _ = waitpid(*pid, None);
    }
    if refused { started.len() as i32 } else { NOT_STOPPED }
}
