//! Lab 03: limits by control groups. The task is in README.md.
//!
//! ```text
//! version 2                           version 1
//! root/cgroup.controllers             root/memory/             the parent
//!      cgroup.subtree_control             /NAME/cgroup.procs
//!      NAME/cgroup.procs                       /memory.limit_in_bytes
//!           memory.max                         /memory.memsw.limit_in_bytes
//!           memory.swap.max           root/pids/               the parent
//!           pids.max                      /NAME/cgroup.procs
//!                                              /pids.max
//! ```
//!
//! Given are the types
//!
//! ```text
//! Group { memory: PathBuf, pids: PathBuf }   its folder for each controller; in
//!                                            version 2 both are the same one
//! Waiting                                    a process that waits; dropped, it
//!                                            never begins
//!     .pid() -> u32
//!     .begin() -> io::Result<()>             lets it begin, and takes the value
//! ```

use std::io;
use std::path::Path;

use lab_03_grader::group::{Group, Waiting};

/// Parses a size as it is given on a command line: `100m` are 104857600 bytes.
///
/// Digits, and after them nothing or one of the letters b, k, m and g, small or
/// capital: bytes, and 1024, 1024² or 1024³ bytes. The word `max` is no limit,
/// which is `None`.
///
/// # Errors
/// [`io::ErrorKind::InvalidInput`] for anything else, and for more bytes than a
/// u64 can hold. Nothing makes it panic.
pub fn parse_size(text: &str) -> io::Result<Option<u64>> {
    todo!("parse {text:?}")
}

/// Makes the control group `name` on a host that shows its groups in `root`:
/// in /sys/fs/cgroup, or in a folder that is laid out like it.
///
/// What there is in `root` tells which version the host has:
///
/// - **Version 2** has a file `cgroup.controllers`, with the names of what can be
///   limited. The group is one folder, `root/name`. It can limit only what
///   `root/cgroup.subtree_control` hands on to it: write `+memory +pids` there.
/// - **Version 1** has no such file. Each controller has a folder of its own, and
///   the group is two, `root/memory/name` and `root/pids/name`. Beside them there
///   may be `root/unified`: version 2 once more, but without these controllers.
///
/// The kernel puts a new group's files into its folder by itself, except where
/// `root` only imitates a host: look into `root`, and not for them.
///
/// # Errors
/// As mkdir(2) and write(2). Also if there is such a group already, for it is
/// somebody else's, and if the host lacks a controller. Then nothing is left of
/// what was made, and what is somebody else's is as before.
pub fn create_group(root: &Path, name: &str) -> io::Result<Group> {
    todo!("make the group {name:?} below {root:?}")
}

/// Sets the limits of a group: how many bytes of memory, swap included, and how
/// many processes. `None` is no limit, and takes a limit back that was there.
///
/// | | version 2 | version 1 |
/// |---|---|---|
/// | memory | `memory.max` | `memory.limit_in_bytes` |
/// | swap | `memory.swap.max`: beside the memory | `memory.memsw.limit_in_bytes`: memory and swap together, never less than the memory alone |
/// | no limit | `max` | `-1`; `max` in `pids.max` |
/// | processes | `pids.max` | `pids.max` |
///
/// A kernel that does not count swap lacks the file for it; that is no failure.
///
/// # Errors
/// As write(2), also if another file is missing. A limit that cannot be set is
/// never left out in silence.
pub fn set_limits(group: &Group, memory: Option<u64>, pids: Option<u64>) -> io::Result<()> {
    todo!("limit {group:?} to {memory:?} bytes and {pids:?} processes")
}

/// Moves the process `pid` into the group with all its threads. What it starts
/// from then on is born into the group.
///
/// # Errors
/// As write(2) to `cgroup.procs`: ESRCH if there is no such process.
pub fn join(group: &Group, pid: u32) -> io::Result<()> {
    todo!("move {pid} into {group:?}")
}

/// Lets a process that waits begin its work, as a member of the group and within
/// these limits from its first instruction on.
///
/// # Errors
/// As [`set_limits`] and [`join`]; then the process does not begin.
pub fn start_limited(
    group: &Group,
    memory: Option<u64>,
    pids: Option<u64>,
    process: Waiting,
) -> io::Result<()> {
    todo!("{group:?}, {memory:?} bytes, {pids:?} processes, for {}", process.pid())
}

/// Removes the group with the groups in it.
///
/// The kernel refuses that with EBUSY as long as a process is in it. So it is
/// tried again for a while, at least 0.1 and at most 2 seconds. The processes
/// are left alone.
///
/// Folders that are gone already are no failure.
///
/// # Errors
/// As rmdir(2): EBUSY if a process stays.
pub fn remove(group: &Group) -> io::Result<()> {
    todo!("remove {group:?}")
}
