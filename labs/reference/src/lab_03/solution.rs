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

use std::fs;
use std::io;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use lab_03_grader::group::{Group, Waiting};

// How long the last processes of a group may take to end.
const BUSY_FOR: Duration = Duration::from_millis(500);

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
    if text == "max" {
        return Ok(None);
    }
    let invalid = || io::Error::new(io::ErrorKind::InvalidInput, format!("no size: {text:?}"));
    let digits = text.strip_suffix(|c: char| c.is_ascii_alphabetic()).unwrap_or(text);
    let unit: u64 = match &text[digits.len()..] {
        "" | "b" | "B" => 1,
        "k" | "K" => 1 << 10,
        "m" | "M" => 1 << 20,
        "g" | "G" => 1 << 30,
        _ => return Err(invalid()),
    };
    // parse() alone would take "+5" too.
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(invalid());
    }
    let number: u64 = digits.parse().map_err(|_| invalid())?;
    number.checked_mul(unit).map(Some).ok_or_else(invalid)
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
    if root.join("cgroup.controllers").exists() {
        create_in_version_2(root, name)
    } else {
        create_in_version_1(root, name)
    }
}

fn create_in_version_2(root: &Path, name: &str) -> io::Result<Group> {
    // Fails if the host lacks one of them.
    fs::write(root.join("cgroup.subtree_control"), "+memory +pids")?;
    let folder = root.join(name);
    fs::create_dir(&folder)?;
    Ok(Group { memory: folder.clone(), pids: folder })
}

fn create_in_version_1(root: &Path, name: &str) -> io::Result<Group> {
    // Not create_dir_all: it would take a group that is there, and make a plain
    // folder where a controller is missing.
    let group =
        Group { memory: root.join("memory").join(name), pids: root.join("pids").join(name) };
    fs::create_dir(&group.memory)?;
    if let Err(error) = fs::create_dir(&group.pids) {
        // This one is ours, the other is not.
        fs::remove_dir(&group.memory)?;
        return Err(error);
    }
    Ok(group)
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
    let or = |limit: Option<u64>, none: &str| limit.map_or(none.to_owned(), |n| n.to_string());
    fs::write(group.pids.join("pids.max"), or(pids, "max"))?;

    if group.memory.join("memory.max").exists() {
        fs::write(group.memory.join("memory.max"), or(memory, "max"))?;
        // The whole limit is for memory: nothing beside it in swap.
        let swap = memory.map(|_| 0);
        return write_if_there(&group.memory.join("memory.swap.max"), &or(swap, "max"));
    }
    // Memory and swap together are never less than memory alone, not even for a
    // moment: so first they may be as many as there are.
    let both = group.memory.join("memory.memsw.limit_in_bytes");
    write_if_there(&both, "-1")?;
    fs::write(group.memory.join("memory.limit_in_bytes"), or(memory, "-1"))?;
    write_if_there(&both, &or(memory, "-1"))
}

fn write_if_there(file: &Path, value: &str) -> io::Result<()> {
    if file.exists() { fs::write(file, value) } else { Ok(()) }
}

/// Moves the process `pid`, with all its threads, into the group. Whatever it
/// starts from then on is born in the group. A write(2) is a command to the kernel:
/// write the pid with a single call.
///
/// # Errors
/// Those of write(2) to `cgroup.procs`: ESRCH if there is no such process.
pub fn join(group: &Group, pid: u32) -> io::Result<()> {
    // In version 2 both are the same, and a process may join twice. Not `tasks` in
    // version 1: that moves one thread.
    fs::write(group.memory.join("cgroup.procs"), pid.to_string())?;
    fs::write(group.pids.join("cgroup.procs"), pid.to_string())
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
    // What is used before a process has joined is never counted.
    set_limits(group, memory, pids)?;
    join(group, process.pid())?;
    process.begin()
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
    let deadline = Instant::now() + BUSY_FOR;
    remove_folder(&group.memory, deadline)?;
    remove_folder(&group.pids, deadline)
}

fn remove_folder(folder: &Path, deadline: Instant) -> io::Result<()> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    // The groups in it. The files are the kernel's: they go with their folder.
    for entry in entries {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            remove_folder(&entry.path(), deadline)?;
        }
    }
    loop {
        match fs::remove_dir(folder) {
            // Somebody else was faster.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error)
                if error.kind() == io::ErrorKind::ResourceBusy && Instant::now() < deadline =>
            {
                sleep(Duration::from_millis(5));
            }
            other => return other,
        }
    }
}
