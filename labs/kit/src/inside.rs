//! A probe of ours in the place of an answer: in its namespaces, with its root
//! directory and its working directory. What it finds, no answer has told.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;

use mydocker_kernel::mountinfo::MountTable;
use mydocker_kernel::sys::clone;
use nix::fcntl::OFlag;
use nix::sched::{CloneFlags, setns};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{Pid, alarm, chroot, fchdir, pipe};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::limits::slowness;
use crate::proc::Proc;

/// How long a probe may look, in seconds; on a slow machine [`slowness`] times as
/// long.
const AT_MOST: u32 = 5;

/// An answer's process that waits to be looked at.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    /// The witness's /proc.
    pub proc: &'a Proc,
    /// The process.
    pub pid: Pid,
}

impl Place<'_> {
    /// Runs `look` in its own process, in this place, and returns what it
    /// found. Mounts and directories are those of the answer's process; PIDs are
    /// those of its namespace.
    ///
    /// # Panics
    /// The probe did not come to its end: what the answer has made keeps it.
    pub fn look<T: Serialize + DeserializeOwned>(&self, look: impl FnOnce() -> T) -> T {
        collect(|| {
            self.enter_pid_namespace();
            // Only a child is in the PID namespace that was entered.
            collect(|| {
                self.enter();
                look()
            })
        })
    }

    /// All mounts of its namespace, from whose root they are seen: a process sees
    /// only those below its own root directory.
    ///
    /// # Panics
    /// The process no longer exists.
    pub fn mounts(&self) -> MountTable {
        let namespace = self.mount_namespace();
        let table = collect(|| {
            setns(&namespace, CloneFlags::CLONE_NEWNS).expect("the witness may enter it");
            let table = self.proc.read("self/mountinfo").expect("the witness has /proc open");
            String::from_utf8_lossy(&table).into_owned()
        });
        MountTable::parse(table.as_bytes()).expect("the kernel's own")
    }

    /// Its mount namespace, open.
    ///
    /// # Panics
    /// The process no longer exists.
    pub fn mount_namespace(&self) -> File {
        self.open("ns/mnt", OFlag::O_RDONLY).into()
    }

    fn open(&self, name: &str, flags: OFlag) -> OwnedFd {
        let opened = self.proc.open_file(&format!("{}/{name}", self.pid), flags);
        opened.expect("the process waits")
    }

    fn enter_pid_namespace(&self) {
        let namespace = self.open("ns/pid", OFlag::O_RDONLY);
        setns(namespace, CloneFlags::CLONE_NEWPID).expect("the witness may enter it");
    }

    /// Where a process is, is more than its mount namespace: entering that leads
    /// to its root mount. See setns(2).
    fn enter(&self) {
        let namespace = self.open("ns/mnt", OFlag::O_RDONLY);
        let root = self.open("root", OFlag::O_PATH);
        let cwd = self.open("cwd", OFlag::O_PATH);
        setns(namespace, CloneFlags::CLONE_NEWNS).expect("the witness may enter it");
        fchdir(root).and_then(|()| chroot(".")).expect("the witness may enter it");
        fchdir(cwd).expect("the witness may enter it");
    }
}

/// Runs `look` in its own process and returns what it found.
///
/// # Panics
/// The process did not come to its end.
fn collect<T: Serialize + DeserializeOwned>(look: impl FnOnce() -> T) -> T {
    let (found, tell) = pipe().expect("a pipe");
    let probe = clone(CloneFlags::empty(), || {
        alarm::set(AT_MOST * slowness());
        let found = serde_json::to_vec(&look()).expect("plain data");
        File::from(tell).write_all(&found).map_or(1, |()| 0)
    });
    let probe = probe.expect("the witness can start a process");
    let mut bytes = Vec::new();
    let read = File::from(found).read_to_end(&mut bytes);
    let ended = waitpid(probe, None);
    read.expect("a pipe");
    assert!(matches!(ended, Ok(WaitStatus::Exited(_, 0))), "the probe has not ended: {ended:?}");
    serde_json::from_slice(&bytes).expect("the probe tells what it found")
}
