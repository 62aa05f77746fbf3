//! Which process the kernel kills when memory is used up. See proc_pid_oom_score_adj(5).

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;

/// The first to be killed.
const FIRST: &[u8] = b"1000";

/// The witness's own number. What it starts has the same one from the beginning on.
///
/// Anybody may raise it, and take that back. So can an answer; then it may be the
/// witness that is killed.
#[derive(Debug)]
pub struct OomScore {
    file: File,
    before: Vec<u8>,
}

impl OomScore {
    /// Opens it. The witness calls this before it changes its user, because afterwards its
    /// files belong to nobody in the sandbox.
    ///
    /// # Errors
    /// /proc is not mounted, or this process is hidden from itself already.
    pub fn open() -> io::Result<OomScore> {
        let file = OpenOptions::new().read(true).write(true).open("/proc/self/oom_score_adj")?;
        let mut before = vec![0; FIRST.len() + 2];
        let length = file.read_at(&mut before, 0)?;
        before.truncate(length);
        Ok(OomScore { file, before })
    }

    /// Does `start`; the processes that it starts are killed before all others.
    pub fn first_to_go<T>(&self, start: impl FnOnce() -> T) -> T {
        let _ = self.file.write_at(FIRST, 0);
        let started = start();
        let _ = self.file.write_at(&self.before, 0);
        started
    }
}
