//! wait.

use std::thread;
use std::time::Duration;

use labkit::describe::Failure;
use labkit::host::Host;
use labkit::verdict::{Evidence, Finding, require};
use mydocker::sys;
use nix::sched::CloneFlags;
use nix::sys::signal::{Signal, kill, raise};
use nix::sys::wait::{Id, WaitPidFlag, waitid, waitpid};
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};

use crate::caller::State;
use crate::codes::{Codes, Ending};
use crate::diagnosis::finding;
use crate::{Answers, UNFORESEEN};

/// How long the child lives that is waited for.
const A_MOMENT: Duration = Duration::from_millis(20);

/// The exit code of the child that is waited for, and of another one.
const ITS_CODE: i32 = 7;
const OTHERS_CODE: i32 = 9;

/// What the process that has called wait sees.
#[derive(Serialize, Deserialize)]
struct Waited {
    returned: Result<i32, Failure>,
    /// What has become of the child when wait has returned.
    child: State,
    /// What has become of a child that had ended before.
    other: State,
}

/// One call for a child that exits, and one for a child that a signal ends.
struct Facts {
    exited: Waited,
    signaled: Waited,
}

const EXIT: Ending = Ending::Exited(ITS_CODE);
const SIGNAL: Ending = Ending::Signaled(Signal::SIGTERM as i32);

fn observe(answers: &Answers, host: &Host) -> Result<Facts, Finding> {
    let call = |ending| {
        let seen = host.call("wait", CloneFlags::empty(), || {
            let other = start(|| OTHERS_CODE);
            let is_over = WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT;
            waitid(Id::Pid(other), is_over).expect("it ends at once");
            let child = start(|| live_and_end(ending));
            let returned = (answers.wait)(child).map_err(Failure::from);
            let waited = Waited {
                returned,
                child: State::of(child.as_raw()),
                other: State::of(other.as_raw()),
            };
            let _ = kill(child, Signal::SIGKILL);
            while waitpid(None, None).is_ok() {}
            waited
        })?;
        Ok(seen.returned)
    };
    Ok(Facts { exited: call(EXIT)?, signaled: call(SIGNAL)? })
}

/// Not the student's own: these promises are about the waiting.
fn start(child: impl FnOnce() -> i32) -> Pid {
    sys::clone(CloneFlags::empty(), child).expect("the sandbox allows it")
}

fn live_and_end(ending: Ending) -> i32 {
    thread::sleep(A_MOMENT);
    match ending {
        Ending::Exited(code) => code,
        Ending::Signaled(_) => {
            let _ = raise(Signal::SIGTERM);
            0
        }
    }
}

impl Waited {
    fn evidence(&self, ending: Ending) -> Vec<Evidence> {
        let seen =
            self.returned.as_ref().map_or_else(Failure::to_string, |code| format!("Ok({code})"));
        let ended = State::Ended(OTHERS_CODE);
        let mut evidence = Vec::new();
        for (what, promised, seen) in [
            (format!("wait(PID), {ending:?}"), format!("Ok({})", ending.code()), seen),
            ("waitid(PID) after it".to_owned(), State::Reaped.to_string(), self.child.to_string()),
            ("waitid(OTHER) after it".to_owned(), ended.to_string(), self.other.to_string()),
        ] {
            if seen != promised {
                evidence.push(Evidence::differs(what, promised, seen));
            }
        }
        evidence
    }
}

impl Facts {
    /// Whether wait was over before the child was.
    fn too_early(&self) -> Option<Finding> {
        let exited = &self.exited;
        let code = match (exited.other, exited.child) {
            (State::Reaped, _) => "waits-for-any-child",
            (_, State::Running) => "wait-returns-at-once",
            _ => return None,
        };
        Some(finding(code))
    }

    /// What is wrong with the number of one of the two calls.
    fn number(&self, ending: Ending) -> Option<Finding> {
        let (exit, signal) = match (&self.exited.returned, &self.signaled.returned) {
            (Ok(exit), Ok(signal)) => (*exit, *signal),
            (Ok(_), Err(_)) => return Some(finding("signal-is-an-error")),
            (Err(failure), _) => {
                let finding = Finding::new("answer/returned-error");
                return Some(finding.word("function", "wait").word("error", failure));
            }
        };
        Codes(vec![(EXIT, exit), (SIGNAL, signal)]).diagnose(ending == SIGNAL)
    }

    fn require(&self, kept: bool, why: impl FnOnce() -> Option<Finding>) -> Result<(), Finding> {
        require(kept, || self.exited.evidence(EXIT), || self.too_early().or_else(why), UNFORESEEN)
    }
}

pub fn until_the_end(answers: &Answers, host: &Host) -> Result<(), Finding> {
    let facts = observe(answers, host)?;
    facts.require(facts.exited.child != State::Running, || None)
}

pub fn exit_code(answers: &Answers, host: &Host) -> Result<(), Finding> {
    let facts = observe(answers, host)?;
    facts.require(facts.exited.returned == Ok(EXIT.code()), || facts.number(EXIT))
}

pub fn signal(answers: &Answers, host: &Host) -> Result<(), Finding> {
    let facts = observe(answers, host)?;
    let kept = facts.signaled.returned == Ok(SIGNAL.code());
    let why = || facts.too_early().or_else(|| facts.number(SIGNAL));
    require(kept, || facts.signaled.evidence(SIGNAL), why, UNFORESEEN)
}

pub fn nothing_left(answers: &Answers, host: &Host) -> Result<(), Finding> {
    let facts = observe(answers, host)?;
    facts.require(facts.exited.child == State::Reaped, || match facts.exited.returned {
        Ok(_) => Some(finding("zombie-left")),
        Err(_) => facts.number(EXIT),
    })
}

pub fn others(answers: &Answers, host: &Host) -> Result<(), Finding> {
    let facts = observe(answers, host)?;
    facts.require(facts.exited.other == State::Ended(OTHERS_CODE), || None)
}
