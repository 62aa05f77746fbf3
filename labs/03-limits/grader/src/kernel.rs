//! The control groups that the sandbox has, in the machine's version.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::Duration;

use mydocker_kernel::sys;
use nix::sched::CloneFlags;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::Pid;

use crate::group::Group;
use crate::model::{PROCS, SUBTREE_CONTROL, Version};

/// Where they are.
pub const PLACE: &str = "/sys/fs/cgroup";

/// The machine's version.
pub fn version() -> Version {
    match Path::new(PLACE).join("cgroup.controllers").exists() {
        true => Version::Two,
        false => Version::One,
    }
}

/// Where the group `name` is, or would be.
pub fn group(name: &str) -> Group {
    let place = Path::new(PLACE);
    match version() {
        Version::One => {
            Group { memory: place.join("memory").join(name), pids: place.join("pids").join(name) }
        }
        Version::Two => Group { memory: place.join(name), pids: place.join(name) },
    }
}

/// Makes the group `name`, anew if an answer has left one.
pub fn make_group(name: &str) -> Group {
    let group = group(name);
    for folder in group.folders() {
        let _ = fs::remove_dir(folder);
        fs::create_dir(folder).expect("the sandbox has groups of its own");
    }
    group
}

/// Moves the calling process into a group.
pub fn enter(group: &Group) -> io::Result<()> {
    group.folders().into_iter().try_for_each(|folder| fs::write(folder.join(PROCS), "0"))
}

/// Starts a process that does nothing.
pub fn start_process() -> Pid {
    let process = sys::clone(CloneFlags::empty(), || {
        sleep(Duration::from_secs(60));
        0
    });
    process.expect("a process")
}

/// Starts a process in a group; it is there when this returns.
pub fn start_process_in(group: &Group) -> Pid {
    let process = start_process();
    for folder in group.folders() {
        fs::write(folder.join(PROCS), process.to_string()).expect("a group of the sandbox's own");
    }
    process
}

/// Ends a process of ours; says whether it had already been killed.
pub fn end_process(process: Pid) -> bool {
    // Of two signals the first one counts.
    let _ = kill(process, OURS);
    !matches!(waitpid(process, None), Ok(WaitStatus::Signaled(_, OURS, _)))
}

/// What ends our processes. An answer that kills takes another one.
const OURS: Signal = Signal::SIGUSR2;

/// The names of the groups in which a process can be limited. See /proc/PID/cgroup
/// in cgroups(7).
pub fn groups_of(process: Pid) -> Vec<String> {
    let all = fs::read_to_string(format!("/proc/{process}/cgroup")).expect("it is there");
    let can_limit = |line: &&str| match version() {
        Version::One => line.contains(":memory:") || line.contains(":pids:"),
        Version::Two => line.starts_with("0::"),
    };
    let name = |line: &str| line.rsplit('/').next().unwrap_or_default().to_owned();
    all.lines().filter(can_limit).map(name).collect()
}

/// The file with the limit of the memory.
pub fn memory_file(group: &Group) -> PathBuf {
    group.memory.join(version().memory_file())
}

/// In version 2, takes the controllers from groups that are made from now on.
pub fn hand_nothing_on() {
    if version() == Version::Two {
        let file = Path::new(PLACE).join(SUBTREE_CONTROL);
        fs::write(file, "-memory -pids").expect("it belongs to the sandbox");
    }
}
