//! What the command must have of its caller, and the caller must keep.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::path::PathBuf;

use labkit::process::Process;
use labkit::verdict::Evidence;
use nix::sys::signal::Signal;

use crate::container::{Container, UMASK};

/// Where an answer's process begins.
const LAB_FOLDER: &str = labkit::places::LAB;
/// No signals, as proc_pid_status(5) has it.
const NONE: &str = "0000000000000000";
/// SIGPIPE, which Rust's own programs ignore.
const SIGPIPE: &str = "0000000000001000";

/// Something of a process that is not as it was, or not as its parent has it.
pub struct Difference {
    pub what: &'static str,
    expected: String,
    seen: String,
}

impl Difference {
    fn of(what: &'static str, expected: impl Display, seen: impl Display) -> Option<Difference> {
        let (expected, seen) = (expected.to_string(), seen.to_string());
        (expected != seen).then_some(Difference { what, expected, seen })
    }

    pub fn evidence(self) -> Evidence {
        Evidence::differs(self.what, self.expected, self.seen)
    }

    /// The same of a call that was not as usual: `so` says in what way.
    pub fn evidence_where(self, so: &str) -> Evidence {
        Evidence::differs(format!("{}, {so}", self.what), self.expected, self.seen)
    }
}

fn set_of(signals: &[Signal]) -> u64 {
    signals.iter().fold(0, |set, signal| set | 1 << (*signal as u32 - 1))
}

pub const OPEN_FILES: &str = "open files of the command beside 0, 1 and 2";
/// As evidence has it, without the number that is another in each run.
const PIPE: &str = "a pipe";

/// What descriptors lead to.
fn files(descriptors: &BTreeMap<i32, PathBuf>) -> Vec<String> {
    let shown = |path: &PathBuf| {
        let path = path.display().to_string();
        if path.starts_with("pipe:") { PIPE.to_owned() } else { path }
    };
    descriptors.values().map(shown).collect()
}

fn in_a_row(files: &[String]) -> String {
    if files.is_empty() { "-".to_owned() } else { files.join(", ") }
}

/// A umask as proc_pid_status(5) has it.
fn umask() -> String {
    format!("{:04o}", UMASK.bits())
}

/// What of the caller start has changed. `open` are the files that it has open, beside 0, 1
/// and 2.
pub fn differs_in_caller(now: &Process, open: &[String]) -> Option<Difference> {
    Difference::of("getcwd() of the caller", LAB_FOLDER, now.cwd.display())
        .or_else(|| Difference::of("root directory of the caller", "/", now.root.display()))
        .or_else(|| Difference::of("umask of the caller", umask(), &now.status["Umask"]))
        .or_else(|| Difference::of("blocked signals of the caller", NONE, &now.status["SigBlk"]))
        .or_else(|| Difference::of("ignored signals of the caller", SIGPIPE, &now.status["SigIgn"]))
        .or_else(|| {
            // Rust's runtime tells of a full stack. The C library has signals of its
            // own behind the last standard one.
            let rusts_own = set_of(&[Signal::SIGSEGV, Signal::SIGBUS]);
            let standard = u64::from(u32::MAX >> 1);
            let others = now.signals("SigCgt") & standard & !rusts_own;
            Difference::of("caught signals of the caller", NONE, format!("{others:016x}"))
        })
        .or_else(|| {
            let what = "open files of the caller beside 0, 1 and 2";
            Difference::of(what, in_a_row(open), in_a_row(&files(&now.descriptors)))
        })
}

impl Container {
    /// What of the caller start has changed.
    pub fn differs_in_caller(&self) -> Option<Difference> {
        differs_in_caller(&self.seen.process, &[self.callers_file()])
    }

    /// What the command should have inherited from the caller, and has not.
    pub fn differs_in_command(&self) -> Option<Difference> {
        let command = self.looked.command.as_ref()?;
        let (its, callers) = (&command.process, &self.looked.witness);
        let user = |process: &Process| process.status["Uid"].clone();
        let namespace = self.looked.caller_before.get("user").map_or("", String::as_str);
        let its_namespace = command.user_namespace.as_ref().map(|it| it.display().to_string());
        let is_same = its_namespace.as_deref() == Some(namespace);
        // The shell ignores others itself.
        let ends = set_of(&[Signal::SIGHUP, Signal::SIGINT, Signal::SIGTERM]);
        let ignored = its.signals("SigIgn") & ends;
        let [out, err] = &command.streams;
        let [callers_out, callers_err] = &self.looked.callers_streams;
        Difference::of("/proc/PID/ns/user is the caller's", true, is_same)
            .or_else(|| Difference::of("user of the command", user(callers), user(its)))
            .or_else(|| Difference::of("getcwd() of the command", LAB_FOLDER, its.cwd.display()))
            .or_else(|| Difference::of("root directory of the command", "/", its.root.display()))
            .or_else(|| Difference::of("umask of the command", umask(), &its.status["Umask"]))
            .or_else(|| {
                Difference::of("blocked signals of the command", NONE, &its.status["SigBlk"])
            })
            .or_else(|| Difference::of("ignored signals of the command", 0, ignored))
            .or_else(|| {
                Difference::of("stdout of the command", callers_out.display(), out.display())
            })
            .or_else(|| {
                Difference::of("stderr of the command", callers_err.display(), err.display())
            })
            .or_else(|| {
                Difference::of(OPEN_FILES, self.callers_file(), in_a_row(&self.commands_files()))
            })
    }

    /// The file that the caller has open.
    pub fn callers_file(&self) -> String {
        self.open_file.display().to_string()
    }

    /// What the command has open, beside 0, 1 and 2 and what the shell has opened itself,
    /// which is above.
    pub fn commands_files(&self) -> Vec<String> {
        let Some(command) = &self.looked.command else { return Vec::new() };
        let mut open = command.process.descriptors.clone();
        open.retain(|number, _| *number < 10);
        files(&open)
    }

    /// Whether the command has a pipe open that nobody gave to it.
    pub fn holds_a_pipe(&self) -> bool {
        self.commands_files().iter().any(|file| file == PIPE)
    }
}
