//! The container as the parent holds it: the keeper, which is its own child, and
//! the container's PID 1, which is the keeper's.

use std::fs;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use mydocker_kernel::{Error, Result, sys};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use crate::channel::{Channel, Message};

/// A container that was started.
#[derive(Debug)]
pub struct Child {
    /// The process whose end is the container's, and whose exit code is.
    pub keeper: Pid,
    /// Stands for PID 1; `None` if the keeper was killed before it could say.
    process: Option<OwnedFd>,
    /// Whether it is PID 1, to which the kernel sends no signal that it does not handle.
    pub is_init: bool,
}

impl Child {
    /// Waits until the keeper has started the container.
    ///
    /// # Errors
    /// The container could not be started.
    pub fn born(keeper: Pid, channel: &Channel) -> Result<Child> {
        let child = |process| Ok(Child { keeper, process, is_init: true });
        match channel.receive() {
            Ok(Some(Message::Born(process))) => child(Some(process)),
            Ok(None) => child(None),
            Ok(Some(Message::Failed(error))) | Err(error) => {
                end(keeper);
                Err(error)
            }
            Ok(Some(other)) => Err(Error::new(format!("the keeper says {other:?}"))),
        }
    }

    /// The same, of a process beside PID 1.
    #[must_use]
    pub fn in_a_container_of_others(self) -> Child {
        Child { is_init: false, ..self }
    }

    /// The number of the container's PID 1, as our /proc has it; `None` once it has
    /// been waited for.
    pub fn pid(&self) -> Option<Pid> {
        let info = format!("/proc/self/fdinfo/{}", self.process.as_ref()?.as_raw_fd());
        let info = fs::read_to_string(info).ok()?;
        let pid = info.lines().find_map(|line| line.strip_prefix("Pid:"))?.trim().parse().ok()?;
        (pid > 0).then(|| Pid::from_raw(pid))
    }

    /// Whether PID 1 has begun to end, or has ended; or the keeper has, and PID 1 will.
    pub fn is_ending(&self) -> bool {
        is_ending(self.keeper) || self.pid().is_none_or(is_ending)
    }

    /// Sends a signal to PID 1, if it is still there.
    pub fn signal(&self, number: i32) {
        if let Some(process) = &self.process {
            // ESRCH: it has just ended, and SIGCHLD is on its way.
            let _ = sys::pidfd_send_signal(process.as_fd(), number);
        }
    }

    /// Kills the container, whatever it handles.
    pub fn kill(&self) {
        match &self.process {
            Some(_) => self.signal(libc::SIGKILL),
            None => drop(kill(self.keeper, Signal::SIGKILL)),
        }
    }

    /// Kills the container that could not be supervised to its end: what it still
    /// uses cannot be deleted.
    pub fn end(&self) {
        end(self.keeper);
    }
}

/// Kills a child, and what ends with it. One that was reaped already is left in peace.
pub fn end(child: Pid) {
    if waitpid(child, Some(WaitPidFlag::WNOHANG)) == Ok(WaitStatus::StillAlive) {
        let _ = kill(child, Signal::SIGKILL);
        let _ = waitpid(child, None);
    }
}

/// Whether a process has begun to end, or has ended: PF_EXITING among its flags.
fn is_ending(pid: Pid) -> bool {
    const PF_EXITING: u32 = 4;
    let flags = stat_field(pid.as_raw(), 9).and_then(|flags| flags.parse::<u32>().ok());
    flags.is_none_or(|flags| flags & PF_EXITING != 0)
}

/// When the process `pid` was started, in clock ticks since the machine was: no
/// other process of that number has the same.
pub fn start_time(pid: i32) -> Option<u64> {
    stat_field(pid, 22)?.parse().ok()
}

/// A field of /proc/PID/stat, as proc_pid_stat(5) numbers them.
fn stat_field(pid: i32, number: usize) -> Option<String> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The second field is its name, in parentheses, which can be anything.
    let (_, fields) = stat.rsplit_once(')')?;
    fields.split_whitespace().nth(number - 3).map(str::to_owned)
}
