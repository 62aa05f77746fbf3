//! A process of another one's, by number and start time: together they are never used
//! again. From there on only the descriptor counts. See pidfd_open(2).

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::time::{Duration, Instant};

use mydocker_kernel::{Error, OnPath, Result, sys};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::unistd::{Pid, getpid};
use serde::{Deserialize, Serialize};

use crate::proc_pid::start_time;

/// What tells a process from all others, also from those that get its number later.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Identity {
    /// Its number, as the host has it.
    pub pid: i32,
    /// When it was started, in clock ticks since the machine was.
    pub started: Option<u64>,
}

impl Identity {
    /// That of a process that is there now.
    ///
    /// # Errors
    /// As [`start_time`].
    pub fn of(pid: Pid) -> Result<Identity> {
        Ok(Identity { pid: pid.as_raw(), started: start_time(pid.as_raw())? })
    }

    /// The process itself; `None` if it has ended.
    ///
    /// # Errors
    /// As pidfd_open(2) and [`start_time`].
    pub fn process(self) -> Result<Option<Process>> {
        let descriptor = match sys::pidfd_open(Pid::from_raw(self.pid)) {
            Err(Errno::ESRCH | Errno::EINVAL) => return Ok(None),
            other => other.on("pidfd_open", Path::new(&format!("/proc/{}", self.pid)))?,
        };
        // The number may have become another process's before it was opened.
        let is_it = self.started.is_some() && start_time(self.pid)? == self.started;
        Ok(is_it.then_some(Process { descriptor, pid: self.pid }))
    }
}

/// A process that may end, but never becomes another one.
#[derive(Debug)]
pub struct Process {
    descriptor: OwnedFd,
    /// Its number, as long as it has not ended.
    pub pid: i32,
}

impl Process {
    /// The calling process, for one that it starts.
    ///
    /// # Errors
    /// EMFILE and the like. See pidfd_open(2).
    pub fn own() -> Result<Process> {
        let pid = getpid();
        let descriptor =
            sys::pidfd_open(pid).on("pidfd_open", Path::new(&format!("/proc/{pid}")))?;
        Ok(Process { descriptor, pid: pid.as_raw() })
    }

    /// Sends a signal, if it is still there.
    ///
    /// # Errors
    /// EPERM.
    pub fn signal(&self, signal: i32) -> Result<()> {
        match sys::pidfd_send_signal(self.descriptor.as_fd(), signal) {
            Err(Errno::ESRCH) => Ok(()),
            other => other.on("pidfd_send_signal", Path::new(&format!("/proc/{}", self.pid))),
        }
    }

    /// Waits for its end, for so long at most, and returns whether it has ended.
    ///
    /// # Errors
    /// As poll(2).
    pub fn ends_within(&self, patience: Option<Duration>) -> Result<bool> {
        let deadline = patience.map(|patience| Instant::now() + patience);
        loop {
            let left = match deadline.map(|it| it.saturating_duration_since(Instant::now())) {
                Some(left) => PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX),
                None => PollTimeout::NONE,
            };
            let mut ended = [PollFd::new(self.descriptor.as_fd(), PollFlags::POLLIN)];
            match poll(&mut ended, left) {
                Err(Errno::EINTR) => {}
                Ok(0) if deadline.is_some_and(|deadline| Instant::now() < deadline) => {}
                Ok(count) => return Ok(count > 0),
                Err(errno) => return Err(Error::call("poll(<pidfd>)", errno)),
            }
        }
    }

    /// Whether it is still there.
    ///
    /// # Errors
    /// As poll(2).
    pub fn is_there(&self) -> Result<bool> {
        Ok(!self.ends_within(Some(Duration::ZERO))?)
    }
}

impl AsFd for Process {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }
}
