//! Locks on files and folders, which the kernel takes back when their owner
//! ends, however it ends. See flock(2).

use std::fs::File;
use std::path::Path;

use nix::errno::Errno;
use rustix::fs::flock;

use crate::error::Result;
use crate::on_path::OnPath;

pub use rustix::fs::FlockOperation;

/// A file, locked until this is dropped.
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

impl Drop for Lock {
    /// Unlocks it, for a child that another thread is just starting has a copy
    /// of the descriptor until its execve. Should that fail, closing it will do.
    fn drop(&mut self) {
        let _ = flock(&self.0, FlockOperation::Unlock);
    }
}

/// Locks a folder, and waits for it: shared by who makes or deletes something in
/// it, exclusive for who looks what is left over.
///
/// # Errors
/// As open(2) and flock(2).
pub fn lock_folder(folder: &Path, how: FlockOperation) -> Result<Lock> {
    let file = File::open(folder).on("open", folder)?;
    Lock::take(file, how).on("flock", folder)
}
