//! What the kernel shows of a process, seen from outside.

use std::collections::BTreeMap;
use std::path::PathBuf;

use mydocker_kernel::mountinfo::MountTable;

use crate::proc::Proc;

/// The facts of a process that waits to be looked at.
#[derive(Debug, Clone)]
pub struct Process {
    /// Its mount table. See proc_pid_mountinfo(5).
    pub mounts: MountTable,
    /// Where its root directory is, as the host names it. See proc_pid_root(5).
    pub root: PathBuf,
    /// Where its working directory is.
    pub cwd: PathBuf,
    /// Its descriptors except 0, 1 and 2, and what each leads to. See proc_pid_fd(5).
    pub descriptors: BTreeMap<i32, PathBuf>,
    /// The fields of its status by their names. See proc_pid_status(5).
    pub status: BTreeMap<String, String>,
}

impl Process {
    /// Looks at the process `pid`; nothing if it no longer exists.
    pub fn look(proc: &Proc, pid: i32) -> Option<Process> {
        let status = proc.read(&format!("{pid}/status")).ok()?;
        let status = String::from_utf8_lossy(&status).into_owned();
        let fields = status.lines().filter_map(|line| line.split_once(':'));
        let descriptors = proc.descriptors(pid).into_iter().filter(|number| *number > 2);
        let leading = |number| Some((number, proc.link(pid, &format!("fd/{number}")).ok()?));
        Some(Process {
            mounts: proc.mount_table(&pid.to_string()).ok()?,
            root: proc.link(pid, "root").ok()?,
            cwd: proc.link(pid, "cwd").ok()?,
            descriptors: descriptors.filter_map(leading).collect(),
            status: fields
                .map(|(name, value)| (name.to_owned(), value.trim().to_owned()))
                .collect(),
        })
    }

    /// The signals in a field of its status, such as `SigIgn`: the lowest bit stands for
    /// signal 1. Without that field, none.
    pub fn signals(&self, field: &str) -> u64 {
        let hexadecimal = self.status.get(field).map_or("", String::as_str);
        u64::from_str_radix(hexadecimal, 16).unwrap_or_default()
    }
}
