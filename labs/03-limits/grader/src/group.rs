//! The types of the functions that the student writes.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// A control group: the folder of each controller. In version 2 both are one and
/// the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    /// Where the memory is limited.
    pub memory: PathBuf,
    /// Where the number of processes is limited.
    pub pids: PathBuf,
}

impl Group {
    /// Its folders, each once.
    pub(crate) fn folders(&self) -> Vec<&Path> {
        let mut folders = vec![self.memory.as_path(), self.pids.as_path()];
        folders.dedup();
        folders
    }
}

/// A process that was started and waits; it begins its work when it is told to,
/// and never if it is dropped.
pub struct Waiting<'a> {
    pid: u32,
    begin: Box<dyn FnOnce() -> io::Result<()> + 'a>,
}

impl<'a> Waiting<'a> {
    pub(crate) fn new(pid: u32, begin: impl FnOnce() -> io::Result<()> + 'a) -> Waiting<'a> {
        Waiting { pid, begin: Box::new(begin) }
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Lets it begin its work.
    ///
    /// # Errors
    /// It has ended meanwhile.
    pub fn begin(self) -> io::Result<()> {
        (self.begin)()
    }
}

impl fmt::Debug for Waiting<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Waiting").field("pid", &self.pid).finish_non_exhaustive()
    }
}
