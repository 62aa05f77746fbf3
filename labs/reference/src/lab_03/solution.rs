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

use std::fs;
use std::io;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use lab_03_grader::group::{Group, Waiting};

// How long the last process of a group may take to end.
const BUSY_FOR: Duration = Duration::from_millis(500);

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

/// Moves the process `pid` into the group with all its threads. What it starts
/// from then on is born into the group.
///
/// # Errors
/// As write(2) to `cgroup.procs`: ESRCH if there is no such process.
pub fn join(group: &Group, pid: u32) -> io::Result<()> {
    // In version 2 both are the same, and a process may join twice. Not `tasks` in
    // version 1: that moves one thread.
    fs::write(group.memory.join("cgroup.procs"), pid.to_string())?;
    fs::write(group.pids.join("cgroup.procs"), pid.to_string())
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
    // What is used before a process has joined is never counted.
    set_limits(group, memory, pids)?;
    join(group, process.pid())?;
    process.begin()
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
    remove_folder(&group.memory)?;
    remove_folder(&group.pids)
}

fn remove_folder(folder: &Path) -> io::Result<()> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    // The groups in it. The files are the kernel's: they go with their folder.
    for entry in entries {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            remove_folder(&entry.path())?;
        }
    }
    let deadline = Instant::now() + BUSY_FOR;
    loop {
        match fs::remove_dir(folder) {
            Err(error)
                if error.kind() == io::ErrorKind::ResourceBusy && Instant::now() < deadline =>
            {
                sleep(Duration::from_millis(5));
            }
            other => return other,
        }
    }
}
