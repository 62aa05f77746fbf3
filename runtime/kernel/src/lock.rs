//! Locks on files and directories, which the kernel releases when their owner ends,
//! however it ends. See flock(2).

use std::fs::{File, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use nix::errno::Errno;
use rustix::fs::flock;

use crate::error::Result;
use crate::on_path::{OnPath, if_there};

pub use rustix::fs::FlockOperation;

/// A file, locked until this is dropped.
#[derive(Debug)]
pub struct Lock(pub File);

impl Lock {
    /// Locks a file or directory.
    ///
    /// # Errors
    /// EWOULDBLOCK if it should not wait and somebody else holds a lock; ENOLCK.
    pub fn take(file: File, how: FlockOperation) -> nix::Result<Lock> {
        loop {
            match flock(&file, how) {
                Err(rustix::io::Errno::INTR) => continue,
                Err(errno) => return Err(Errno::from_raw(errno.raw_os_error())),
                Ok(()) => return Ok(Lock(file)),
            }
        }
    }

    /// Whether what is locked still has this name. Between open(2) and flock(2), it may have
    /// been deleted or renamed, and the name may belong to something else by now.
    ///
    /// # Errors
    /// Those of fstat(2) and lstat(2), except ENOENT: then nothing has this name.
    pub fn is_on(&self, path: &Path) -> Result<bool> {
        let locked = self.0.metadata().on("fstat", path)?;
        let there = if_there(path.symlink_metadata()).on("lstat", path)?;
        let identity = |it: Metadata| (it.dev(), it.ino());
        Ok(there.map(identity) == Some(identity(locked)))
    }
}

impl Drop for Lock {
    /// Unlocks it, because a child that another thread is just starting has a copy of the
    /// descriptor until its execve. If that fails, closing is enough.
    fn drop(&mut self) {
        let _ = flock(&self.0, FlockOperation::Unlock);
    }
}

/// Locks a directory, and waits for it: shared to make or delete something in it,
/// exclusive to look for what is left over.
///
/// # Errors
/// As open(2) and flock(2).
pub fn lock_folder(folder: &Path, how: FlockOperation) -> Result<Lock> {
    let file = File::open(folder).on("open", folder)?;
    Lock::take(file, how).on("flock", folder)
}
