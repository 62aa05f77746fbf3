//! The control groups of a sandbox: they hold all that is in it to a limit of memory
//! and of processes, and an answer may have them to itself.
//!
//! The memory of a group is all that its processes have made the kernel use, also what
//! is in no process: files of a tmpfs, memfds, what waits in pipes. See cgroups(7), and
//! in it "Cgroups delegation": the process that is given a group may divide it, but its
//! limits stay with the one that has given it.

use std::fmt::Display;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use mydocker_kernel::lock::{FlockOperation, Lock};
use mydocker_kernel::mountinfo::MountTable;
use mydocker_kernel::{OnPath, if_there, sys};
use nix::errno::Errno;
use nix::mount::MsFlags;
use nix::sys::eventfd::{EfdFlags, EventFd};

use crate::limits::{Excess, MEMORY_OF_SANDBOX, PROCESSES_OF_SANDBOX};

/// What a lab limits.
const CONTROLLERS: [&str; 2] = ["memory", "pids"];
/// Where a host shows its control groups.
const PLACE: &str = "/sys/fs/cgroup";
/// How long the last processes of a group may take to end.
const BUSY_FOR: Duration = Duration::from_secs(2);
/// The file with the controllers that a group of version 2 hands on.
const SUBTREE_CONTROL: &str = "cgroup.subtree_control";
/// What a sandbox's groups are called, with a number after it. The process that uses
/// one holds a lock on it. A process ID would tell nothing, because the same group is
/// seen from other PID namespaces.
const PREFIX: &str = "lab-";

/// Groups made for one sandbox; they are removed with it.
#[derive(Debug)]
pub struct ControlGroups {
    groups: Vec<Group>,
    is_v2: bool,
    /// Where a process enters them.
    entrances: Vec<File>,
    /// Told by version 1 that the memory is used up, of this group or of one above.
    told: Option<EventFd>,
}

#[derive(Debug)]
struct Group {
    /// Its hierarchy, which stays reachable when the root has changed.
    top: File,
    name: String,
    _lock: Lock,
    /// Where the host shows it: /sys/fs/cgroup itself in version 2, a directory in
    /// it for the controller in version 1.
    place: PathBuf,
}

impl Group {
    /// Makes one. Its number is the first from this process's on that is free: two
    /// graders never have the same one.
    fn create(top: &Path, place: PathBuf) -> io::Result<Group> {
        for number in std::process::id().. {
            let name = format!("{PREFIX}{number}");
            let folder = top.join(&name);
            match fs::create_dir(&folder) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
                other => other?,
            }
            // Somebody may take it for left over until it is locked.
            let Some(directory) = if_there(File::open(&folder))? else { continue };
            match Lock::take(directory, FlockOperation::NonBlockingLockExclusive) {
                Ok(lock) if lock.is_on(&folder).unwrap_or(false) => {
                    return Ok(Group { top: File::open(top)?, name, _lock: lock, place });
                }
                Ok(_) | Err(Errno::EWOULDBLOCK) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
        Err(io::ErrorKind::AlreadyExists.into())
    }

    fn folder(&self) -> PathBuf {
        let top = format!("/proc/self/fd/{}", self.top.as_raw_fd());
        Path::new(&top).join(&self.name)
    }

    /// Opens one of its files to write into.
    fn open(&self, file: &str) -> io::Result<File> {
        OpenOptions::new().write(true).open(self.folder().join(file))
    }

    fn set(&self, file: &str, value: impl Display) -> io::Result<()> {
        self.open(file)?.write_all(value.to_string().as_bytes())
    }

    /// Has the kernel tell when the memory is used up and it is about to kill, also when
    /// it is a process of a group below. See "OOM Control" in the kernel's
    /// Documentation/admin-guide/cgroup-v1/memory.rst.
    fn tell_when_used_up(&self) -> io::Result<EventFd> {
        let told = EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK)?;
        let control = File::open(self.folder().join("memory.oom_control"))?;
        let numbers = format!("{} {}", told.as_raw_fd(), control.as_raw_fd());
        self.set("cgroup.event_control", numbers)?;
        Ok(told)
    }
}

/// Where the machine has the controllers: in one hierarchy of version 2, or in
/// one each of version 1. Nothing if it lacks one.
fn hierarchies() -> Option<(bool, Vec<PathBuf>)> {
    let table = MountTable::read().ok()?;
    for mount in table.mounts.iter().filter(|mount| mount.fs_type == "cgroup2") {
        let offered = fs::read_to_string(mount.mount_point.join("cgroup.controllers")).ok()?;
        if CONTROLLERS.iter().all(|name| offered.split_whitespace().any(|it| it == *name)) {
            return Some((true, vec![mount.mount_point.clone()]));
        }
    }
    let holding = |name: &&str| {
        let has = |options: &str| options.split(',').any(|option| option == *name);
        let mut mounts = table.mounts.iter().filter(|mount| mount.fs_type == "cgroup");
        mounts.find(|mount| has(&mount.super_options)).map(|mount| mount.mount_point.clone())
    };
    let mut tops: Vec<PathBuf> = CONTROLLERS.iter().map(holding).collect::<Option<_>>()?;
    tops.dedup();
    Some((false, tops))
}

/// Whether this process can have them.
pub fn can_be_had() -> bool {
    ControlGroups::create(None).is_ok()
}

impl ControlGroups {
    /// Makes groups with the limits of a sandbox. With an `owner` they are that user's,
    /// who may make others below them.
    ///
    /// # Errors
    /// The machine has none, or this user may not make them.
    pub fn create(owner: Option<u32>) -> io::Result<ControlGroups> {
        let (is_v2, tops) = hierarchies().ok_or(io::ErrorKind::NotFound)?;
        let mut groups =
            ControlGroups { groups: Vec::new(), is_v2, entrances: Vec::new(), told: None };
        let all = CONTROLLERS.map(|name| format!("+{name}")).join(" ");
        for (top, controller) in tops.iter().zip(CONTROLLERS) {
            remove_left_over(top);
            if is_v2 {
                fs::write(top.join(SUBTREE_CONTROL), &all)?;
            }
            let place = Path::new(PLACE).join(if is_v2 { "" } else { controller });
            groups.groups.push(Group::create(top, place)?);
        }
        groups.limit()?;
        if !is_v2 {
            groups.told = Some(groups.of_memory().tell_when_used_up()?);
        }
        owner.map_or(Ok(()), |owner| groups.give_to(owner, &all))?;
        // In version 2 a group that limits others has no processes itself. In version 1
        // a thread that moves itself need not wait until no process on the machine is
        // just being started, as one must that moves processes; the witness has one thread.
        let entrance = match (is_v2, owner) {
            (true, Some(_)) => "witness/cgroup.procs",
            (true, None) => "cgroup.procs",
            (false, _) => "tasks",
        };
        let open = |group: &Group| group.open(entrance);
        groups.entrances = groups.groups.iter().map(open).collect::<io::Result<_>>()?;
        Ok(groups)
    }

    /// Sets the limits.
    fn limit(&self) -> io::Result<()> {
        let (memory, pids) = (self.of_memory(), self.of_pids());
        // A kernel that counts no swap has no file for it.
        if self.is_v2 {
            memory.set("memory.max", MEMORY_OF_SANDBOX)?;
            if_there(memory.set("memory.swap.max", 0))?;
        } else {
            memory.set("memory.limit_in_bytes", MEMORY_OF_SANDBOX)?;
            if_there(memory.set("memory.memsw.limit_in_bytes", MEMORY_OF_SANDBOX))?;
        }
        pids.set("pids.max", PROCESSES_OF_SANDBOX)
    }

    /// Lets a user divide the groups; `all` is what enables all controllers below.
    fn give_to(&self, owner: u32, all: &str) -> io::Result<()> {
        for group in &self.groups {
            let folder = group.folder();
            let mut delegated = vec![folder.clone(), folder.join("cgroup.procs")];
            if self.is_v2 {
                let control = folder.join(SUBTREE_CONTROL);
                fs::write(&control, all)?;
                let witness = folder.join("witness");
                fs::create_dir(&witness)?;
                delegated.extend([control, witness.join("cgroup.procs")]);
            }
            delegated.iter().try_for_each(|path| chown(path, Some(owner), Some(owner)))?;
        }
        Ok(())
    }

    fn of_memory(&self) -> &Group {
        self.groups.first().expect("create has made it")
    }

    /// In version 2 it is the same one.
    fn of_pids(&self) -> &Group {
        self.groups.last().expect("create has made it")
    }

    /// Which limit has kept the sandbox from something: what the kernel has counted.
    ///
    /// A limit that an answer has set for its own group does not count.
    pub fn exceeded(&self) -> Option<Excess> {
        let (memory, pids) = (self.of_memory().folder(), self.of_pids().folder());
        let is_out_of_memory = match &self.told {
            None => count(&memory.join("memory.events.local"), "oom") > 0,
            // A kill is counted in the victim's own group, for as long as that exists.
            Some(told) => {
                count(&memory.join("memory.oom_control"), "oom_kill") > 0
                    || told.read().is_ok() && was_full(&memory)
            }
        };
        if is_out_of_memory {
            return Some(Excess::Memory);
        }
        // Before Linux 6.11 there is no such file, and the other one means the same.
        let local = pids.join("pids.events.local");
        let events = if local.exists() { local } else { pids.join("pids.events") };
        (count(&events, "max") > 0).then_some(Excess::Processes)
    }

    /// Mounts the groups in a host that is being built in the directory `site`.
    ///
    /// # Errors
    /// As mount(2).
    pub fn show(&self, site: &Path) -> mydocker_kernel::Result<()> {
        let within = |path: &Path| site.join(path.strip_prefix("/").unwrap_or(path));
        if !self.is_v2 {
            let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
            sys::mount("cgroup", &within(Path::new(PLACE)), "tmpfs", flags, "mode=755")?;
        }
        for group in &self.groups {
            let place = within(&group.place);
            if !self.is_v2 {
                fs::create_dir(&place).on("mkdir", &place)?;
            }
            sys::mount(group.folder(), &place, "", MsFlags::MS_BIND, "")?;
        }
        Ok(())
    }

    /// Puts this process, which has one thread, into the groups, with all that it will
    /// start.
    ///
    /// # Errors
    /// As write(2) to cgroup.procs.
    pub fn enter(&self) -> io::Result<()> {
        self.entrances.iter().try_for_each(|mut entrance| entrance.write_all(b"0"))
    }
}

impl Drop for ControlGroups {
    /// All processes in them have ended, or are about to.
    fn drop(&mut self) {
        let deadline = Instant::now() + BUSY_FOR;
        for group in &self.groups {
            while remove(&group.folder()).is_err() && Instant::now() < deadline {
                sleep(Duration::from_millis(5));
            }
        }
    }
}

/// The number after a name in a file of such lines; 0 if there is none.
fn count(file: &Path, name: &str) -> u64 {
    let lines = fs::read_to_string(file).unwrap_or_default();
    let mut pairs = lines.lines().filter_map(|line| line.split_once(' '));
    let value = pairs.find(|(key, _)| *key == name).and_then(|(_, value)| value.parse().ok());
    value.unwrap_or(0)
}

/// Whether a group of version 1 has ever had all the memory that it may have: mostly
/// that does no harm, because the kernel can give some of it up, such as cached files.
fn was_full(group: &Path) -> bool {
    let most = fs::read_to_string(group.join("memory.max_usage_in_bytes")).unwrap_or_default();
    most.trim().parse().is_ok_and(|most: u64| most + PIECE > MEMORY_OF_SANDBOX)
}

/// More than the kernel needs in one piece, in bytes, when it would rather kill than do
/// without.
const PIECE: u64 = 1 << 20;

/// Removes what sandboxes have left that were killed, by Ctrl-C for example. What
/// is still busy has a later one to remove it.
fn remove_left_over(top: &Path) {
    for entry in fs::read_dir(top).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let is_one = name.to_str().and_then(|name| name.strip_prefix(PREFIX)?.parse::<u32>().ok());
        let Some(Ok(directory)) = is_one.map(|_| File::open(entry.path())) else { continue };
        match Lock::take(directory, FlockOperation::NonBlockingLockExclusive) {
            Ok(lock) if lock.is_on(&entry.path()).unwrap_or(false) => drop(remove(&entry.path())),
            _ => {}
        }
    }
}

/// Removes a group and those below it: they have no files that could be.
fn remove(group: &Path) -> io::Result<()> {
    for entry in fs::read_dir(group)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            remove(&entry.path())?;
        }
    }
    fs::remove_dir(group)
}
