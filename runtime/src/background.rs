//! `run -d`: the container goes on when the command that started it has ended.
//!
//! There is no daemon. The process splits in two: the one that was called waits until
//! the command runs, and ends; the other, the supervisor, does what a `run` in the
//! foreground does, in a session of its own and without a terminal. It is found by
//! the lock on the container's folder, as any other.

use std::fs::File;
use std::os::fd::{AsRawFd, RawFd};
use std::path::Path;

use mydocker_kernel::error::FAILED;
use mydocker_kernel::{Error, OnPath, Result, sys};
use nix::sched::CloneFlags;
use nix::sys::wait::waitpid;
use nix::unistd::{dup2_stderr, dup2_stdin, dup2_stdout};

use crate::channel::{Channel, Message};
use crate::trace;

/// Runs `supervise`, which is told where to say that the command runs, in a process
/// of its own, and returns the name of the container once it does. That process
/// keeps these descriptors open, and no others.
///
/// The calling process must be single-threaded.
///
/// # Errors
/// The start has failed; what was made is deleted by then.
pub fn start(needed: &[RawFd], supervise: impl FnOnce(&Channel) -> Result<u8>) -> Result<String> {
    let (ours, theirs) = Channel::pair()?;
    let supervisor = sys::clone(CloneFlags::empty(), || {
        let outcome = leave_the_caller(&theirs, needed).and_then(|()| supervise(&theirs));
        match outcome {
            Ok(code) => code.into(),
            Err(error) => {
                // If the caller has gone there is nobody to tell.
                let _ = theirs.send(&Message::Failed(error));
                FAILED.into()
            }
        }
    })?;
    drop(theirs);
    match ours.receive()? {
        Some(Message::Runs(name)) => Ok(name),
        other => {
            let _ = waitpid(supervisor, None);
            Err(match other {
                Some(Message::Failed(error)) => error,
                _ => Error::new("the container's supervisor has been killed")
                    .advise("see what it left: mydocker ps; clear with: mydocker prune"),
            })
        }
    }
}

/// The terminal, the pipes and the working directory are the caller's, and must not be
/// held by who lives longer.
fn leave_the_caller(channel: &Channel, needed: &[RawFd]) -> Result<()> {
    let _ = nix::unistd::setsid();
    sys::chdir(Path::new("/"))?;
    sys::close_all_but(&[&[channel.as_raw_fd()], needed, &trace::descriptors()].concat())?;
    let null = Path::new("/dev/null");
    let file = File::options().read(true).write(true).open(null).on("open", null)?;
    dup2_stdin(&file)
        .and_then(|()| dup2_stdout(&file))
        .and_then(|()| dup2_stderr(&file))
        .on("dup2", null)
}
