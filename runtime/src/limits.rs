//! Resource limits: a control group for one container.
//!
//! A host has control groups of version 2, of version 1, or a mixture; each
//! controller is in one of them. So each is looked up in the mount table. See
//! cgroups(7), Documentation/admin-guide/cgroup-v2.rst and cgroup-v1/.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use nix::errno::Errno;
use nix::unistd::Pid;

use mydocker_kernel::limit::Limit;
use mydocker_kernel::mountinfo::{Mount, MountTable};
use mydocker_kernel::on_path;
use mydocker_kernel::{Error, OnPath, Result};

/// How long the processes of a killed container may take to end.
const BUSY_FOR: Duration = Duration::from_secs(2);

/// The CPU time of a period is dealt out in this unit, in microseconds.
const CPU_PERIOD: u64 = 100_000;

/// What to do where a group cannot be made.
const ADVICE: &str = "limits need root; see what there is: mydocker doctor";

/// The limits that were asked for; `None` leaves one as it is.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Limits {
    /// Memory in bytes, swap included.
    pub memory: Option<Limit>,
    /// The weight against other groups when CPU time is short; 1024 is usual.
    pub cpu_shares: Option<u64>,
    /// How many CPUs' time it may use: 0.5 is half of one.
    pub cpus: Option<f64>,
    /// The CPUs that it may run on: `0-2,7`.
    pub cpuset: Option<String>,
    /// The number of processes and threads.
    pub pids: Option<Limit>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Version {
    V1,
    V2,
}

impl Limits {
    /// The files to write, by controller: `(controller, file, value)`. Files
    /// marked optional are missing on kernels that do not count swap.
    fn files(&self, version: Version) -> Vec<(&'static str, &'static str, String, bool)> {
        let v2 = version == Version::V2;
        let mut files = Vec::new();
        if let Some(memory) = self.memory {
            let value = match memory {
                Limit::At(bytes) => bytes.to_string(),
                Limit::Max if v2 => "max".into(),
                Limit::Max => "-1".into(),
            };
            // Otherwise the container would only be pushed out to swap.
            let no_swap = if v2 && memory != Limit::Max { "0".into() } else { value.clone() };
            if v2 {
                files.push(("memory", "memory.max", value, false));
                files.push(("memory", "memory.swap.max", no_swap, true));
            } else {
                files.push(("memory", "memory.limit_in_bytes", value, false));
                files.push(("memory", "memory.memsw.limit_in_bytes", no_swap, true));
            }
        }
        if let Some(shares) = self.cpu_shares {
            // Version 1 counts from 2 to 262144, version 2 from 1 to 10000.
            let weight = 1 + (shares.clamp(2, 262_144) - 2) * 9_999 / 262_142;
            files.push(match v2 {
                true => ("cpu", "cpu.weight", weight.to_string(), false),
                false => ("cpu", "cpu.shares", shares.to_string(), false),
            });
        }
        if let Some(cpus) = self.cpus {
            let quota = (cpus * CPU_PERIOD as f64).round() as u64;
            if v2 {
                files.push(("cpu", "cpu.max", format!("{quota} {CPU_PERIOD}"), false));
            } else {
                files.push(("cpu", "cpu.cfs_period_us", CPU_PERIOD.to_string(), false));
                files.push(("cpu", "cpu.cfs_quota_us", quota.to_string(), false));
            }
        }
        if let Some(list) = &self.cpuset {
            files.push(("cpuset", "cpuset.cpus", list.clone(), false));
        }
        if let Some(pids) = self.pids {
            let value = match pids {
                Limit::At(count) => count.to_string(),
                Limit::Max => "max".into(),
            };
            files.push(("pids", "pids.max", value, false));
        }
        files
    }

    fn controllers(&self) -> Vec<&'static str> {
        let mut names: Vec<_> = self.files(Version::V2).iter().map(|(name, ..)| *name).collect();
        names.dedup();
        names
    }
}

/// The control group of one container: a folder in each hierarchy it needs.
#[derive(Debug, Default)]
pub struct Group {
    folders: Vec<PathBuf>,
}

impl Group {
    /// Makes the group of the container in `folder` with these limits; without any
    /// limit there is no group.
    ///
    /// # Errors
    /// A controller is missing, or this user may not make groups: a limit that
    /// was asked for is never left out. What was made until then is there, to
    /// be removed.
    pub fn create(&mut self, folder: &Path, limits: &Limits) -> Result<()> {
        let controllers = limits.controllers();
        if controllers.is_empty() {
            return Ok(());
        }
        let name = group_name(folder)?;
        let table = MountTable::read()?;
        for controller in controllers {
            let (version, hierarchy) = find_hierarchy(&table, controller)?;
            let folder = hierarchy.join(&name);
            if version == Version::V2 {
                // Children have only the controllers that their parent hands on.
                let subtree = hierarchy.join("cgroup.subtree_control");
                write(&subtree, &format!("+{controller}"))?;
            }
            if !self.folders.contains(&folder) {
                fs::create_dir(&folder)
                    .on("mkdir", &folder)
                    .map_err(|error| error.advise(ADVICE))?;
                self.folders.push(folder.clone());
            }
            if version == Version::V1 && controller == "cpuset" {
                // Empty in a new group, and then no process can join it.
                for file in ["cpuset.cpus", "cpuset.mems"] {
                    let parent = hierarchy.join(file);
                    write(&folder.join(file), &fs::read_to_string(&parent).on("read", &parent)?)?;
                }
            }
            for (of, file, value, optional) in limits.files(version) {
                let path = folder.join(file);
                if of == controller && (!optional || path.try_exists().on("stat", &path)?) {
                    write(&path, &value)?;
                }
            }
        }
        self.create_freezer(&table, &name)
    }

    /// In version 1 stopping processes is a hierarchy of its own; in version 2 every
    /// group can do it.
    fn create_freezer(&mut self, table: &MountTable, name: &OsStr) -> Result<()> {
        if let Ok((Version::V1, hierarchy)) = find_hierarchy(table, "freezer") {
            let folder = hierarchy.join(name);
            fs::create_dir(&folder).on("mkdir", &folder)?;
            self.folders.push(folder);
        }
        Ok(())
    }

    /// The group that an earlier run made for the container in `folder`, as far as it
    /// is there.
    ///
    /// # Errors
    /// The mount table or a hierarchy cannot be read.
    pub fn find(folder: &Path) -> Result<Group> {
        let (mut group, name) = (Group::default(), group_name(folder)?);
        for mount in MountTable::read()?.mounts {
            let folder = mount.mount_point.join(&name);
            if matches!(mount.fs_type.as_str(), "cgroup" | "cgroup2")
                && folder.try_exists().on("stat", &folder)?
            {
                group.folders.push(folder);
            }
        }
        Ok(group)
    }

    /// The same, but only where it holds this process: one of that name may be left
    /// over.
    ///
    /// # Errors
    /// As [`Group::find`]; cgroup.procs cannot be read.
    pub fn find_with(folder: &Path, pid: i32) -> Result<Group> {
        let mut group = Group::default();
        for folder in Group::find(folder)?.folders {
            let list = folder.join("cgroup.procs");
            let pids = fs::read_to_string(&list).on("read", &list)?;
            if pids.lines().any(|line| line.parse() == Ok(pid)) {
                group.folders.push(folder);
            }
        }
        Ok(group)
    }

    /// Its folders, one in each hierarchy.
    pub fn folders(&self) -> &[PathBuf] {
        &self.folders
    }

    /// Moves a process into the group; its children are born into it.
    ///
    /// # Errors
    /// As write(2) to cgroup.procs.
    pub fn add(&self, pid: Pid) -> Result<()> {
        self.folders
            .iter()
            .try_for_each(|folder| write(&folder.join("cgroup.procs"), &pid.to_string()))
    }

    /// Removes the group, once its last process has ended.
    ///
    /// # Errors
    /// EBUSY when that takes too long.
    pub fn remove(self) -> Result<()> {
        let deadline = Instant::now() + BUSY_FOR;
        for folder in &self.folders {
            loop {
                match remove_with_children(folder) {
                    Err(error) if error.raw_os_error() == Some(libc::ENOENT) => break,
                    Err(error)
                        if error.raw_os_error() == Some(libc::EBUSY)
                            && Instant::now() < deadline =>
                    {
                        sleep(Duration::from_millis(2));
                    }
                    other => break other.on("rmdir", folder)?,
                }
            }
        }
        Ok(())
    }
}

/// Removes a group, and first those that were made in it: by a container with
/// `--privileged`, or by whoever else could write there.
fn remove_with_children(folder: &Path) -> std::io::Result<()> {
    let removed = fs::remove_dir(folder);
    if !removed.as_ref().is_err_and(|error| error.raw_os_error() == Some(libc::EBUSY)) {
        return removed;
    }
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        // There are no links in these file systems; what is no folder is the kernel's.
        if entry.file_type()?.is_dir() {
            match remove_with_children(&entry.path()) {
                Err(error) if error.raw_os_error() != Some(libc::ENOENT) => return Err(error),
                _ => {}
            }
        }
    }
    fs::remove_dir(folder)
}

/// Whether this process may limit what `controller` counts, found out by
/// making an empty group; says in which hierarchy.
///
/// # Errors
/// As [`Group::create`].
pub fn try_controller(controller: &str) -> Result<String> {
    let (version, hierarchy) = find_hierarchy(&MountTable::read()?, controller)?;
    // Whoever looks from another PID namespace may have the same process ID.
    let time = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().subsec_nanos();
    let folder = hierarchy.join(format!("mydocker-doctor-{}-{time}", std::process::id()));
    fs::create_dir(&folder).on("mkdir", &folder).map_err(|error| error.advise(ADVICE))?;
    fs::remove_dir(&folder).on("rmdir", &folder)?;
    let number = if version == Version::V2 { 2 } else { 1 };
    Ok(format!("control groups version {number} at {}", hierarchy.display()))
}

/// The name of the group of the container in `folder`, `ROOT/containers/ID`:
/// `mydocker-STORE-ID`. Groups are the whole machine's, and another store may have a
/// container of the same name. So STORE is the device and the inode number of
/// `ROOT/containers`, as `stat -c %D.%i` prints them.
///
/// # Errors
/// As stat(2).
fn group_name(folder: &Path) -> Result<OsString> {
    let containers = folder.parent().unwrap_or(folder);
    let store = containers.metadata().on("stat", containers)?;
    let mut name = OsString::from(format!("mydocker-{:x}.{}-", store.dev(), store.ino()));
    name.push(folder.file_name().unwrap_or_default());
    Ok(name)
}

/// Removes a group that was named before stores were told apart, and that nobody is
/// in any more, whosever it was.
///
/// # Errors
/// The mount table cannot be read.
pub fn remove_with_old_name(id: &str) -> Result<()> {
    for mount in MountTable::read()?.mounts {
        if matches!(mount.fs_type.as_str(), "cgroup" | "cgroup2") {
            let _ = fs::remove_dir(mount.mount_point.join(format!("mydocker-{id}")));
        }
    }
    Ok(())
}

/// The top folder of the hierarchy that has `controller`.
fn find_hierarchy(table: &MountTable, controller: &str) -> Result<(Version, PathBuf)> {
    let has = |list: &str, separator| list.split(separator).any(|name| name.trim() == controller);
    for Mount { mount_point, fs_type, super_options, .. } in &table.mounts {
        match fs_type.as_str() {
            "cgroup" if has(super_options, ',') => return Ok((Version::V1, mount_point.clone())),
            "cgroup2" => {
                let list = mount_point.join("cgroup.controllers");
                if has(&fs::read_to_string(&list).on("read", &list)?, ' ') {
                    return Ok((Version::V2, mount_point.clone()));
                }
            }
            _ => {}
        }
    }
    Err(Error::new(format!("no control group here limits {controller:?}"))
        .because("no mounted hierarchy has that controller (see /proc/cgroups)")
        .advise(ADVICE))
}

fn write(path: &Path, value: &str) -> Result<()> {
    fs::write(path, value).map_err(|error| {
        let errno = Errno::from_raw(error.raw_os_error().unwrap_or_default());
        let error = Error::call(format_args!("write({path:?}, {value:?})"), errno);
        match errno {
            Errno::EINVAL | Errno::ERANGE => error
                .because("the kernel refuses this value")
                .advise("choose one that this machine has: nproc, free -m"),
            _ => error.advise(ADVICE).explained(on_path::cause(errno, path)),
        }
    })
}
