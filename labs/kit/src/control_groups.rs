//! A part of the machine's control groups that an answer may have to itself.
//!
//! See cgroups(7), and in it "Cgroups delegation".

use std::fs::{self, File};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use mydocker::error::OnPath;
use mydocker::mountinfo::MountTable;
use mydocker::sys;
use nix::mount::MsFlags;
use nix::unistd::Pid;

/// What a lab limits.
const CONTROLLERS: [&str; 2] = ["memory", "pids"];
/// Where a host shows its control groups.
const PLACE: &str = "/sys/fs/cgroup";
/// How long the last processes of a group may take to end.
const BUSY_FOR: Duration = Duration::from_secs(2);
/// The group of the witness: in version 2 a group that limits others has no
/// processes itself.
const WITNESS: &str = "witness";
/// What a sandbox's groups are called, with its pid after it.
const PREFIX: &str = "lab-";

/// Groups made for one sandbox; they are removed with it.
#[derive(Debug)]
pub struct ControlGroups {
    groups: Vec<Group>,
    is_v2: bool,
}

#[derive(Debug)]
struct Group {
    /// Its hierarchy, which stays reachable when the root has changed.
    top: File,
    /// Where the host shows it: /sys/fs/cgroup itself in version 2, a folder in
    /// it for the controller in version 1.
    place: PathBuf,
}

impl Group {
    fn folder(&self) -> PathBuf {
        let top = format!("/proc/self/fd/{}", self.top.as_raw_fd());
        Path::new(&top).join(format!("{PREFIX}{}", std::process::id()))
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
    Some((false, CONTROLLERS.iter().map(holding).collect::<Option<_>>()?))
}

/// Whether this machine has what [`ControlGroups::create`] needs.
pub fn are_there() -> bool {
    hierarchies().is_some()
}

impl ControlGroups {
    /// Makes groups that belong to the user `owner`.
    ///
    /// # Errors
    /// The machine has none, or this user may not make them.
    pub fn create(owner: u32) -> io::Result<ControlGroups> {
        let (is_v2, tops) = hierarchies().ok_or(io::ErrorKind::NotFound)?;
        let mut groups = ControlGroups { groups: Vec::new(), is_v2 };
        for (top, controller) in tops.iter().zip(CONTROLLERS) {
            remove_left_over(top);
            let place = Path::new(PLACE).join(if is_v2 { "" } else { controller });
            let group = Group { top: File::open(top)?, place };
            let folder = group.folder();
            fs::create_dir(&folder)?;
            groups.groups.push(group);
            let mut delegated = vec![folder.clone(), folder.join("cgroup.procs")];
            if is_v2 {
                let control = folder.join("cgroup.subtree_control");
                let all = CONTROLLERS.map(|name| format!("+{name}")).join(" ");
                fs::write(top.join("cgroup.subtree_control"), &all)?;
                fs::write(&control, &all)?;
                fs::create_dir(folder.join(WITNESS))?;
                delegated.extend([control, folder.join(WITNESS).join("cgroup.procs")]);
            }
            delegated.iter().try_for_each(|path| chown(path, Some(owner), Some(owner)))?;
        }
        Ok(groups)
    }

    /// Mounts the groups in a host that is being built in the folder `site`.
    ///
    /// # Errors
    /// As mount(2).
    pub fn show(&self, site: &Path) -> mydocker::Result<()> {
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

    /// Puts a process into the groups, with all that it will start.
    ///
    /// # Errors
    /// As write(2) to cgroup.procs.
    pub fn add(&self, process: Pid) -> mydocker::Result<()> {
        self.groups.iter().try_for_each(|group| {
            let within = if self.is_v2 { WITNESS } else { "" };
            let file = group.folder().join(within).join("cgroup.procs");
            fs::write(&file, process.to_string()).on("write", &file)
        })
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

/// Removes what sandboxes have left that were killed, by Ctrl-C for example. What
/// is still busy has a later one to remove it.
fn remove_left_over(top: &Path) {
    let is_over =
        |pid: u32| pid == std::process::id() || !Path::new("/proc").join(pid.to_string()).exists();
    for entry in fs::read_dir(top).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let pid = name.to_str().and_then(|name| name.strip_prefix(PREFIX)?.parse().ok());
        if pid.is_some_and(is_over) {
            let _ = remove(&entry.path());
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
