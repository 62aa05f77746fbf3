//! exit_code, and the same numbers where wait returns them.

use labkit::host::Host;
use labkit::verdict::{Evidence, Finding, require};
use nix::sched::CloneFlags;
use nix::sys::signal::Signal;
use nix::sys::wait::WaitStatus;
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};

use crate::diagnosis::finding;
use crate::{Answers, UNFORESEEN};

/// Exit codes of each kind: success, a failure, docker's, above 127, the last.
const EXITS: [i32; 5] = [0, 1, 125, 200, 255];

/// Signals that end a process, two of them with a core dump.
const SIGNALS: [Signal; 5] =
    [Signal::SIGINT, Signal::SIGABRT, Signal::SIGKILL, Signal::SIGSEGV, Signal::SIGTERM];

/// How a process ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ending {
    /// It exits with this code.
    Exited(i32),
    /// The signal with this number ends it.
    Signaled(i32),
}

impl Ending {
    /// Its number in one.
    pub fn code(self) -> i32 {
        match self {
            Ending::Exited(code) => code,
            Ending::Signaled(number) => 128 + number,
        }
    }

    fn is_signal(self) -> bool {
        matches!(self, Ending::Signaled(_))
    }
}

/// Endings, each with the number that an answer has for it.
pub struct Codes(pub Vec<(Ending, i32)>);

impl Codes {
    /// Those that are wrong, of exits or of signals.
    fn wrong(&self, signals: bool) -> impl Iterator<Item = (Ending, i32)> + Clone {
        let all = self.0.iter().copied();
        all.filter(move |(ending, code)| ending.is_signal() == signals && ending.code() != *code)
    }

    /// What has become of the numbers of exits, or of signals; nothing if no rule
    /// knows it.
    pub fn diagnose(&self, signals: bool) -> Option<Finding> {
        let mut wrong = self.wrong(signals);
        let (ending, seen) = wrong.next()?;
        if self.0.iter().all(|(_, code)| *code == seen) {
            return Some(finding("exit-status-lost"));
        }
        let all_alike = wrong.all(|(_, other)| other == seen);
        match ending {
            Ending::Exited(code) if seen == i32::from(code as i8) => {
                Some(finding("exit-code-truncated"))
            }
            Ending::Exited(_) => None,
            Ending::Signaled(number) if seen == number => Some(finding("signal-without-128")),
            _ if seen == ending.code() + 128 => Some(finding("core-dump-counted")),
            _ if !all_alike || self.wrong(false).next().is_some() => None,
            _ if seen == 0 => Some(finding("signal-is-success")),
            _ => Some(finding("signal-number-lost").word("seen", seen)),
        }
    }
}

/// Calls exit_code with all endings.
fn observe(answers: &Answers, host: &Host) -> Result<Codes, Finding> {
    let process = Pid::from_raw(2);
    let seen = host.call("exit_code", CloneFlags::empty(), || {
        let exits = EXITS.map(|code| {
            let status = WaitStatus::Exited(process, code);
            (Ending::Exited(code), (answers.exit_code)(status))
        });
        let signals = SIGNALS.map(|signal| {
            let dumps_core = matches!(signal, Signal::SIGABRT | Signal::SIGSEGV);
            let status = WaitStatus::Signaled(process, signal, dumps_core);
            (Ending::Signaled(signal as i32), (answers.exit_code)(status))
        });
        [exits, signals].concat()
    })?;
    Ok(Codes(seen.returned))
}

fn judge(codes: &Codes, signals: bool) -> Result<(), Finding> {
    let mut wrong = codes.wrong(signals);
    let evidence = || {
        let first = codes.wrong(signals).take(2);
        first
            .map(|(ending, seen)| {
                Evidence::differs(format!("exit_code({ending:?})"), ending.code(), seen)
            })
            .collect()
    };
    require(wrong.next().is_none(), evidence, || codes.diagnose(signals), UNFORESEEN)
}

pub fn exits(answers: &Answers, host: &Host) -> Result<(), Finding> {
    judge(&observe(answers, host)?, false)
}

pub fn signals(answers: &Answers, host: &Host) -> Result<(), Finding> {
    judge(&observe(answers, host)?, true)
}
