//! Processes that go over the limits which set_limits has set.

use std::hint::black_box;
use std::thread::sleep;
use std::time::Duration;

use labkit::describe::result;
use labkit::frame::{Facts, Returned, Rules, Words, error_of, rule};
use labkit::host::Host;
use labkit::verdict::{Evidence, Finding};
use mydocker_kernel::sys;
use nix::errno::Errno;
use nix::sched::CloneFlags;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::Pid;

use crate::LAB;
use crate::acts::{Limits, SET_LIMITS};
use crate::changing::each_step;
use crate::group::Group;
use crate::kernel;
use crate::limits::{FUNCTION, MEMORY, without_swap};

/// How many processes the group may have.
const PIDS: u64 = 4;
/// How many are tried at most.
const TRIED: usize = 8;
/// The exit code of a process that was not stopped.
const NOT_STOPPED: i32 = 100;
/// The exit code of a process that could not enter the group.
const NOT_ENTERED: i32 = 101;

/// What came of the limits.
struct Tried {
    returned: Returned,
    /// How the process has ended that went over them.
    ended: Ended,
}

impl Facts for Tried {
    fn words(&self) -> Words {
        error_of(&self.returned)
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Ended {
    By(Signal),
    With(i32),
}

/// Has the answer limit a group, and a process of ours do `work` in it.
fn try_limits(host: &Host, work: fn() -> i32) -> Result<Tried, Finding> {
    without_swap(host)?;
    let group = kernel::make_group("c1");
    let limits = Limits { group: group.clone(), memory: Some(MEMORY), pids: Some(PIDS) };
    let (seen, ended) =
        host.act(&SET_LIMITS, limits).make_and_look(|_, _| work_in(&group, work))?;
    Ok(Tried { returned: seen.returned, ended })
}

fn work_in(group: &Group, work: fn() -> i32) -> Ended {
    let child = sys::clone(CloneFlags::empty(), || match kernel::enter(group) {
        Ok(()) => work(),
        Err(_) => NOT_ENTERED,
    });
    match waitpid(child.expect("a process"), None).expect("it ends") {
        WaitStatus::Exited(_, code) => Ended::With(code),
        WaitStatus::Signaled(_, signal, _) => Ended::By(signal),
        other => panic!("no end: {other:?}"),
    }
}

fn judge(
    host: &Host,
    tried: &Tried,
    what: &str,
    expected: Ended,
    words: fn(&Ended) -> String,
) -> Result<(), Finding> {
    static RULES: Rules<Tried> = Rules {
        lab: LAB,
        function: FUNCTION,
        tables: &[&[rule("answer/returned-error", |it| it.returned.is_err())]],
    };
    let kept = tried.returned.is_ok() && tried.ended == expected;
    if !kept {
        // Of the kernel's refusal the models may know more.
        each_step(host)?;
    }
    RULES.judge(tried, kept, || {
        vec![
            Evidence::differs(FUNCTION, "Ok", result(&tried.returned)),
            Evidence::differs(what, words(&expected), words(&tried.ended)),
        ]
    })
}

pub fn memory(host: &Host) -> Result<(), Finding> {
    let tried = try_limits(host, || {
        black_box(vec![1_u8; 2 * MEMORY as usize]);
        NOT_STOPPED
    })?;
    let killed = Ended::By(Signal::SIGKILL);
    judge(host, &tried, "32 MiB in a group of 16 MiB", killed, |ended| match ended {
        Ended::By(signal) => signal.as_str().to_owned(),
        Ended::With(NOT_STOPPED) => "exit(0)".to_owned(),
        Ended::With(code) => format!("exit({code})"),
    })
}

pub fn pids(host: &Host) -> Result<(), Finding> {
    let tried = try_limits(host, start_many)?;
    // The one that starts the others is in the group too.
    let most = Ended::With(PIDS as i32 - 1);
    judge(host, &tried, "fork() in a group of 4 processes", most, |ended| match ended {
        Ended::With(NOT_STOPPED) => "-".to_owned(),
        Ended::With(others) => format!("EAGAIN after {others}"),
        Ended::By(signal) => signal.as_str().to_owned(),
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
