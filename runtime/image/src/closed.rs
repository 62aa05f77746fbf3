//! Directories that are closed to their own owner.
//!
//! A layer is looked at for those above it, and an ordinary user could not look
//! into these. So they are closed when the last layer is there.

use std::collections::BTreeMap;
use std::fs::{Permissions, set_permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use mydocker_kernel::{OnPath, Result};

/// What the owner needs to look into a directory, and to fill it.
const OPEN: u32 = 0o700;

/// Directories that are still to be closed, with the modes that they get.
#[derive(Debug, Default)]
pub struct Closed(BTreeMap<PathBuf, u32>);

impl Closed {
    /// The mode that a directory has until all are closed.
    pub fn mode_until_then(&mut self, directory: PathBuf, mode: u32) -> u32 {
        if mode & OPEN != OPEN {
            self.0.insert(directory, mode);
        }
        mode | OPEN
    }

    /// The mode that a directory gets, which has the mode `now`.
    pub fn mode(&self, directory: &Path, now: u32) -> u32 {
        self.0.get(directory).copied().unwrap_or(now)
    }

    /// Closes them.
    ///
    /// # Errors
    /// As chmod(2).
    pub fn close(self) -> Result<()> {
        // What lies deeper comes first.
        for (directory, mode) in self.0.into_iter().rev() {
            set_permissions(&directory, Permissions::from_mode(mode)).on("chmod", &directory)?;
        }
        Ok(())
    }
}
