//! The container as the parent holds it: the keeper, which is its own child, and
//! the container's PID 1, which is the keeper's.

use std::fs;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use mydocker_kernel::{Error, Result, sys};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use crate::channel::{Channel, Message};
use crate::proc_pid::is_ending;

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
        let is_ending = |pid: Pid| is_ending(pid.as_raw()).unwrap_or(false);
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
