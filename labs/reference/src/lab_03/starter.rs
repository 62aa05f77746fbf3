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
//! These types are given:
//!
//! ```text
//! Group { memory: PathBuf, pids: PathBuf }   its directory for each controller;
//!                                            version 2 uses one directory for both
//! Waiting                                    a process that waits; if you drop it,
//!                                            it never begins
//!     .pid() -> u32
//!     .begin() -> io::Result<()>             lets it begin, and consumes the value
//! ```
//!
//! Return an error of the kernel as it is, or inside your own error with the same
//! `kind()`.

use std::io;
use std::path::Path;

use lab_03_grader::group::{Group, Waiting};

/// Parses a size as given on a command line: `100m` is 104857600 bytes.
///
/// A size is one or more ASCII digits, optionally followed by one of the ASCII letters
/// b, k, m and g, in either case: bytes, and 1024, 1024² or 1024³ bytes. Up to the
/// largest u64 the result is exact. The word `max`, in lower case, means no limit,
/// which is `None`.
///
/// # Errors
/// [`io::ErrorKind::InvalidInput`] for anything else, and for more bytes than a u64
/// can hold. No input makes it panic.
pub fn parse_size(text: &str) -> io::Result<Option<u64>> {
    todo!("parse {text:?}")
}

/// Makes the control group `name` on a host whose groups are shown in `root`. That
/// is /sys/fs/cgroup, or a directory laid out like it.
///
/// The content of `root` tells which version the host has:
///
/// - **Version 2** has a file `cgroup.controllers`, which lists what can be limited.
///   The group is one directory, `root/name`. It can only limit what
///   `root/cgroup.subtree_control` hands on to it. Both memory and pids must be listed
///   there: write `+memory +pids`. Writing what is already listed does no harm.
/// - **Version 1** has no such file. Each controller has its own directory, so the
///   group is two directories, `root/memory/name` and `root/pids/name`. There may
///   also be `root/unified`: that is version 2 again, but without these controllers.
///
/// The kernel creates the files of a new group itself, except where `root` only
/// imitates a host. So look at `root`, not for the new group's files.
///
/// # Errors
/// Those of mkdir(2) and write(2). It is also an error if the group already exists,
/// because then it belongs to somebody else, or if the host lacks a controller: a write
/// to `cgroup.subtree_control` that asks for it fails. After an error, no directory that
/// this call made is left, and nobody else's group has changed. What was handed on may
/// stay handed on.
pub fn create_group(root: &Path, name: &str) -> io::Result<Group> {
    todo!("make the group {name:?} below {root:?}")
}

/// Sets the limits of a group: how many bytes of memory, including swap, and how
/// many processes. `None` means no limit, and lifts a limit that was set before.
///
/// | | version 2 | version 1 |
/// |---|---|---|
/// | memory | `memory.max` | `memory.limit_in_bytes` |
/// | swap | `memory.swap.max`: swap alone | `memory.memsw.limit_in_bytes`: memory and swap together, never less than the memory alone |
/// | no limit of memory | `max` in both files | `-1` in both files |
/// | processes | `pids.max` | `pids.max` |
/// | no limit of processes | `max` | `max` |
///
/// Each write(2) is one command to the kernel: write each value with a single call.
///
/// A kernel that does not account for swap lacks the swap file. That is not an
/// error.
///
/// # Errors
/// Those of write(2), and an error if any other file is missing. Never silently skip a
/// limit that cannot be set.
pub fn set_limits(group: &Group, memory: Option<u64>, pids: Option<u64>) -> io::Result<()> {
    todo!("limit {group:?} to {memory:?} bytes and {pids:?} processes")
}

/// Moves the process `pid`, with all its threads, into the group. Whatever it
/// starts from then on is born in the group. A write(2) is a command to the kernel:
/// write the pid with a single call.
///
/// # Errors
/// Those of write(2) to `cgroup.procs`: ESRCH if there is no such process.
pub fn join(group: &Group, pid: u32) -> io::Result<()> {
    todo!("move {pid} into {group:?}")
}

/// Lets a waiting process begin its work, as a member of the group and within these
/// limits from its first instruction on. Limits that the group had before no longer
/// count. Letting it begin must be the last step.
///
/// # Errors
/// Those of [`set_limits`] and [`join`]; in that case, the process does not begin. It
/// is also an error if the process can no longer begin.
pub fn start_limited(
    group: &Group,
    memory: Option<u64>,
    pids: Option<u64>,
    process: Waiting,
) -> io::Result<()> {
    todo!("{group:?}, {memory:?} bytes, {pids:?} processes, for {}", process.pid())
}

/// Removes the group and the groups inside it.
///
/// The kernel refuses this with EBUSY while a process is in the group, or in one inside
/// it. Try again for at least 0.1 and at most 2 seconds, all directories together. Leave
/// the processes alone: kill none, and move none. Leave the files alone too: they are
/// the kernel's, and vanish with their directory.
///
/// It is not an error if a directory is already gone, even if another program removes it
/// while you wait.
///
/// # Errors
/// Those of rmdir(2): EBUSY if a process stays. Then a part of the group may be gone.
pub fn remove(group: &Group) -> io::Result<()> {
    todo!("remove {group:?}")
}
