//! The first process of a container, as the host's /proc shows it.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use labkit::proc::Proc;
use mydocker_kernel::mountinfo::MountTable;
use mydocker_kernel::sys;
use nix::fcntl::OFlag;
use nix::sched::{CloneFlags, setns};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{chdir, chroot, fchdir};
use serde::{Deserialize, Serialize};

use crate::image::PROBE;
use crate::running::{NAMESPACES, is_own};

/// How many directories deep a root directory may lie.
const DEPTH: usize = 64;

/// What is seen of it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct FirstProcess {
    /// Its number on the host.
    pub pid: i32,
    /// The namespaces that are its own.
    pub own_namespaces: BTreeSet<String>,
    /// Whether its children begin a PID namespace that it is not in itself.
    pub only_its_children_are_in: bool,
    /// Its mount table, as in /proc/PID/mountinfo.
    pub mounts: String,
    /// Its environment, as it was when it was executed.
    pub environment: Vec<String>,
    /// Where its descriptors beyond 0, 1 and 2 lead.
    pub descriptors: Vec<String>,
    /// Whether its working directory is not below its root.
    pub works_outside: bool,
    /// Mounts in its table that show the host's files.
    pub shows_the_host: Vec<String>,
    /// Whether a root process in its place gets out by nothing but chroot.
    pub can_break_out: bool,
}

impl FirstProcess {
    /// Looks at the process that executes `command`, if there is one.
    pub fn look(proc: &Proc, command: &[&str], precious: &Path) -> Option<FirstProcess> {
        let pid = find(proc, command)?;
        let own = NAMESPACES.into_iter().filter(|name| is_own(proc, pid, name));
        let link = |name: &str| proc.link(pid, name).ok();
        let mounts = proc.read(&format!("{pid}/mountinfo")).ok()?;
        let table = MountTable::parse(&mounts).ok()?;
        let descriptors = proc.descriptors(pid).into_iter().filter(|number| *number > 2);
        let leads_to = |number| link(&format!("fd/{number}")).map(|it| it.display().to_string());
        Some(FirstProcess {
            pid,
            own_namespaces: own.map(str::to_owned).collect(),
            only_its_children_are_in: link("ns/pid") != link("ns/pid_for_children"),
            // The shell reads its script from one.
            descriptors: descriptors
                .filter_map(leads_to)
                .filter(|it| !it.ends_with(PROBE))
                .collect(),
            works_outside: works_outside(proc, pid, &table).unwrap_or(false),
            shows_the_host: mounts_of_the_host(proc, &table, precious),
            can_break_out: breaks_out(proc, pid, precious),
            environment: environment(proc, pid),
            mounts: String::from_utf8_lossy(&mounts).into_owned(),
        })
    }
}

/// The process with exactly this command line that is deepest in PID namespaces,
/// and among several the last.
fn find(proc: &Proc, command: &[&str]) -> Option<i32> {
    let depth = |pid: &i32| {
        let status = proc.read(&format!("{pid}/status")).unwrap_or_default();
        let status = String::from_utf8_lossy(&status).into_owned();
        let line = status.lines().find(|line| line.starts_with("NSpid:")).unwrap_or_default();
        line.split_whitespace().count()
    };
    find_all(proc, command).into_iter().max_by_key(|pid| (depth(pid), *pid))
}

/// All processes with exactly this command line.
pub fn find_all(proc: &Proc, command: &[&str]) -> Vec<i32> {
    let is_it = |pid: &i32| {
        let line = proc.read(&format!("{pid}/cmdline")).unwrap_or_default();
        let mut words = line.split(|byte| *byte == 0);
        let program = words.next().unwrap_or_default();
        let rest = words.take(command.len() - 1);
        program.ends_with(command[0].as_bytes())
            && rest.eq(command[1..].iter().map(|word| word.as_bytes()))
    };
    proc.processes().into_iter().map(|(pid, ..)| pid).filter(is_it).collect()
}

/// The variables that it was executed with, `NAME=VALUE` each.
fn environment(proc: &Proc, pid: i32) -> Vec<String> {
    let block = proc.read(&format!("{pid}/environ")).unwrap_or_default();
    let variables = block.split(|byte| *byte == 0).filter(|variable| !variable.is_empty());
    variables.map(|variable| String::from_utf8_lossy(variable).into_owned()).collect()
}

/// Whether the working directory is neither on a mount that can be reached from
/// the root nor, on the root's own mount, below the root. A root that was only
/// changed by chroot need not be a mount point, and then its mount is not in the
/// table.
pub fn works_outside(proc: &Proc, pid: i32, table: &MountTable) -> Option<bool> {
    let mount = |name: &str| {
        let folder = proc.open_file(&format!("{pid}/{name}"), OFlag::O_PATH).ok()?;
        proc.mount_of(&folder).ok()
    };
    let of_folder = mount("cwd")?;
    if mount("root") == Some(of_folder) {
        let (root, folder) = (proc.link(pid, "root").ok()?, proc.link(pid, "cwd").ok()?);
        return Some(!folder.starts_with(root));
    }
    Some(table.mounts.iter().all(|it| it.id != of_folder))
}

/// The mounts of a container on which the file of the host's user is found.
fn mounts_of_the_host(proc: &Proc, table: &MountTable, precious: &Path) -> Vec<String> {
    let Ok(host) = proc.mount_table("self") else { return Vec::new() };
    let Some(holding) = host.holding(precious) else { return Vec::new() };
    // What that file is called on its own file system.
    let below = precious.strip_prefix(&holding.mount_point).unwrap_or(precious);
    let inner = holding.root.join(below);
    let shows = table
        .mounts
        .iter()
        .filter(|mount| mount.device == holding.device && inner.starts_with(&mount.root));
    shows.map(|mount| mount.mount_point.display().to_string()).collect()
}

/// Whether a process with the root, the working directory and the mount
/// namespace of the container's leaves its root by chroot, and finds the host's
/// file then. See the notes in chroot(2).
fn breaks_out(proc: &Proc, pid: i32, precious: &Path) -> bool {
    let enter = || -> io::Result<()> {
        let open = |name: &str, flags| proc.open_file(&format!("{pid}/{name}"), flags);
        let (mounts, root) = (open("ns/mnt", OFlag::O_RDONLY)?, open("root", OFlag::O_PATH)?);
        setns(&mounts, CloneFlags::CLONE_NEWNS)?;
        fchdir(&root)?;
        chroot(".")?;
        // Any directory will do: this one is in the image.
        chroot("root")?;
        for _ in 0..DEPTH {
            chdir("..")?;
        }
        Ok(chroot(".")?)
    };
    let precious: PathBuf = precious.to_owned();
    let child = sys::clone(CloneFlags::empty(), || {
        i32::from(enter().is_ok() && fs::exists(&precious).unwrap_or(false))
    });
    child.is_ok_and(|child| matches!(waitpid(child, None), Ok(WaitStatus::Exited(_, 1))))
}
