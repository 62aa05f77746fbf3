//! What the process that calls `start` can find out, and how it cleans up.

use std::collections::BTreeMap;
use std::fmt::{self, Display};
use std::process;
use std::thread;
use std::time::{Duration, Instant};

use labkit::proc::Proc;
use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid, waitpid};
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};

/// The namespaces that a container must have of its own. See namespaces(7).
pub const NAMESPACES: [&str; 5] = ["mnt", "pid", "uts", "ipc", "net"];

/// The namespace in which a process's children will be: another one than `pid`
/// after unshare(CLONE_NEWPID). See pid_namespaces(7).
pub const FOR_CHILDREN: &str = "pid_for_children";

/// How long a command may take that is to fail at once.
const AT_MOST: Duration = Duration::from_secs(2);
const LOOK_EVERY: Duration = Duration::from_millis(1);

/// Namespaces by kind, as /proc names them; none that cannot be read.
pub type Namespaces = BTreeMap<String, String>;

/// The namespaces of a process.
pub fn namespaces(proc: &Proc, pid: i32) -> Namespaces {
    let kinds = NAMESPACES.into_iter().chain([FOR_CHILDREN]);
    kinds
        .filter_map(|kind| {
            let link = proc.link(pid, &format!("ns/{kind}")).ok()?;
            Some((kind.to_owned(), link.display().to_string()))
        })
        .collect()
}

/// What has become of a process that `start` returned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum State {
    /// It runs.
    Running,
    /// It has ended, with this exit code.
    Ended(i32),
    /// It has ended and was waited for already.
    Reaped,
    /// It is none that was started after this one.
    NoChild,
}

impl State {
    /// How the child is now; it is left to be waited for.
    pub fn of(pid: i32) -> State {
        let flags = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT;
        match waitid(Id::Pid(Pid::from_raw(pid)), flags) {
            Ok(WaitStatus::Exited(_, code)) => State::Ended(code),
            Ok(WaitStatus::Signaled(_, signal, _)) => State::Ended(128 + signal as i32),
            Ok(_) => State::Running,
            // In this young PID namespace the numbers only grow.
            Err(_) if pid > process::id() as i32 => State::Reaped,
            Err(_) => State::NoChild,
        }
    }

    /// How the child is when it has ended, or after a while.
    pub fn at_the_end_of(pid: i32) -> State {
        let deadline = Instant::now() + AT_MOST;
        loop {
            match State::of(pid) {
                State::Running if Instant::now() < deadline => thread::sleep(LOOK_EVERY),
                state => return state,
            }
        }
    }
}

/// As waitid(2) has it.
impl Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            State::Running => write!(f, "StillAlive"),
            State::Ended(code) => write!(f, "Exited({code})"),
            State::Reaped | State::NoChild => write!(f, "ECHILD"),
        }
    }
}

/// The processes that there are, but for the witness.
pub fn processes(proc: &Proc) -> Vec<i32> {
    let all = proc.processes().into_iter();
    all.filter(|(_, state, _)| !matches!(state, 'Z' | 'X')).map(|(pid, ..)| pid).collect()
}

/// Ends all processes but those that were there `before`.
pub fn end_all_but(before: &[i32], proc: &Proc) {
    let deadline = Instant::now() + AT_MOST;
    while Instant::now() < deadline {
        let new: Vec<i32> =
            processes(proc).into_iter().filter(|pid| !before.contains(pid)).collect();
        for pid in &new {
            let _ = kill(Pid::from_raw(*pid), Signal::SIGKILL);
        }
        let children = waitpid(None, Some(WaitPidFlag::WNOHANG));
        if new.is_empty() && children == Err(Errno::ECHILD) {
            return;
        }
        thread::sleep(LOOK_EVERY);
    }
}
