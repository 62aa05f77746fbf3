//! Locks on files and folders, which the kernel takes back when their owner
//! ends, however it ends. See flock(2).

use std::fs::File;

use nix::errno::Errno;
use rustix::fs::flock;

pub use rustix::fs::FlockOperation;

/// A file, locked until this is dropped.
///
/// The lock goes with the descriptor: unlike a call to unlock, which nix's
/// `Flock` makes and panics over, closing cannot fail to do that.
#[derive(Debug)]
pub struct Lock(pub File);

impl Lock {
    /// Locks a file or folder.
    ///
    /// # Errors
    /// EWOULDBLOCK if it was not to wait, and somebody else's lock forbids it;
    /// ENOLCK.
    pub fn take(file: File, how: FlockOperation) -> nix::Result<Lock> {
        loop {
            match flock(&file, how) {
                Err(rustix::io::Errno::INTR) => continue,
                Err(errno) => return Err(Errno::from_raw(errno.raw_os_error())),
                Ok(()) => return Ok(Lock(file)),
            }
        }
    }
}
