//! A container that runs, as somebody else than its mydocker sees it.

use std::path::Path;
use std::time::Duration;

use mydocker_kernel::{Error, Result};

use crate::container::{self, Listed, Record, State};
use crate::exit_code;
use crate::proc_pid::has_executed;
use crate::process::Process;

/// What is known of the container `id`, and its PID 1. That has executed the command:
/// before, it is a copy of its mydocker, and its root still the host's.
///
/// # Errors
/// There is none, or it does not run.
pub fn find(root: &Path, id: &str) -> Result<(Record, Process)> {
    let listed = match Running::of(container::find(root, id)?)? {
        Ok(Running { record, process: Some(process), .. }) if has_executed(process.pid)? => {
            return Ok((record, process));
        }
        Ok(Running { listed, .. }) | Err(listed) => listed,
    };
    let error = Error::new(format!("container {id:?} does not run"));
    Err(match (listed.state, listed.exit_code) {
        (_, Some(code)) => error.because(format!("it has ended with {code}")),
        (State::Running, _) => error.because("it is just starting, or ending"),
        _ => error.because("its mydocker was killed"),
    }
    .advise("mydocker ps lists those that run; a new one: mydocker run"))
}

/// How long a container that was killed, and its mydocker, may take to end.
const PATIENCE: Duration = Duration::from_secs(10);

/// A container that ran when this was made.
#[derive(Debug)]
pub struct Running {
    /// The container.
    pub listed: Listed,
    /// What is known of it.
    pub record: Record,
    /// Its PID 1; `None` if that has ended, and its mydocker is clearing up.
    pub process: Option<Process>,
    /// The mydocker that runs it.
    owner: Process,
}

impl Running {
    /// The container, of what is known already; if it does not run that is given back.
    ///
    /// # Errors
    /// As pidfd_open(2).
    pub fn of(listed: Listed) -> Result<std::result::Result<Running, Listed>> {
        let Some(record) = listed.record.clone().filter(|_| listed.state == State::Running) else {
            return Ok(Err(listed));
        };
        Ok(match record.owner.process()? {
            Some(owner) => {
                Ok(Running { process: record.process.process()?, listed, record, owner })
            }
            // It has ended since it was looked at.
            None => Err(Listed { exit_code: exit_code::read(&listed.folder), ..listed }),
        })
    }

    /// Sends its PID 1 a signal, if that is still there.
    ///
    /// # Errors
    /// EPERM.
    fn signal(&self, signal: i32) -> Result<()> {
        self.process.as_ref().map_or(Ok(()), |process| process.signal(signal))
    }

    /// Waits until it has ended, and says how; `None` if that went with its files.
    ///
    /// # Errors
    /// As poll(2).
    pub fn wait(&self) -> Result<Option<u8>> {
        self.owner.ends_within(None)?;
        Ok(exit_code::read(&self.listed.folder))
    }

    /// Asks it to end, and kills it if it has not after `patience`.
    ///
    /// # Errors
    /// EPERM; it does not end all the same.
    pub fn stop(&self, patience: Duration) -> Result<()> {
        self.signal(libc::SIGTERM)?;
        if let Some(process) = &self.process
            && !process.ends_within(Some(patience))?
        {
            process.signal(libc::SIGKILL)?;
        }
        self.ends()
    }

    /// Kills it, and waits until its mydocker has cleaned up.
    ///
    /// # Errors
    /// As [`Running::stop`].
    pub fn kill(&self) -> Result<()> {
        self.signal(libc::SIGKILL)?;
        self.ends()
    }

    /// The mydocker that runs it.
    pub fn owner(&self) -> &Process {
        &self.owner
    }

    fn ends(&self) -> Result<()> {
        match self.owner.ends_within(Some(PATIENCE))? {
            true => Ok(()),
            false => Err(Error::new(format!("container {:?} does not end", self.listed.id))
                .because(format!("its mydocker, process {}, is still there", self.owner.pid))
                .advise("see what it waits for: cat /proc/PID/status, /proc/PID/stack")),
        }
    }
}
