//! Mount tables as text that is the same on every machine and kernel, and
//! mounts that a test makes on its host.

use std::path::{Path, PathBuf};

use mydocker_kernel::mountinfo::{Change, Mount, MountTable, difference};
use mydocker_kernel::privileges::Privileges;
use nix::mount::{MntFlags, MsFlags, mount, umount2};

/// The options of a file system that we set; all others are the kernel's.
const OURS: [&str; 10] = [
    "lowerdir",
    "upperdir",
    "workdir",
    "userxattr",
    "mode",
    "size",
    "gid",
    "ptmxmode",
    "br",
    "dirs",
];

/// Who runs the tests, for the names of snapshots: root makes device files and
/// mounts on the host, others do not.
pub fn who() -> &'static str {
    match Privileges::current() {
        Privileges::Root => "root",
        Privileges::MappedRoot => "mapped-root",
        Privileges::User => "user",
    }
}

/// One line a mount: where, file system, its options, propagation. Numbers of
/// mounts, devices and peer groups are left out, and each path that begins
/// with one of `names` is written with its name instead. The lines are in the
/// order of the mount points: the kernel's own differs from version to version.
pub fn normalise(table: &MountTable, names: &[(&Path, &str)]) -> String {
    let mut mounts: Vec<&Mount> = table.mounts.iter().collect();
    mounts.sort_by_key(|mount| &mount.mount_point);
    mounts.into_iter().map(|mount| line(mount, names) + "\n").collect()
}

/// One mount, as [`normalise`] writes it.
pub fn line(mount: &Mount, names: &[(&Path, &str)]) -> String {
    let replace = |text: &str| {
        names.iter().fold(text.to_owned(), |text, (path, name)| {
            text.replace(path.to_str().expect("a path in UTF-8"), name)
        })
    };
    let own = |option: &&str| {
        let name = option.split('=').next().unwrap_or(option);
        // In a user namespace every tmpfs shows whose it is.
        OURS.contains(&name) && !(name == "gid" && mount.fs_type == "tmpfs")
    };
    let (mut what, mut options) = (mount.fs_type.clone(), Vec::new());
    // Since Linux 6.x relatime is shown for all, before that not.
    let mut flags: Vec<&str> = mount.options.split(',').filter(|f| *f != "relatime").collect();
    if mount.root == Path::new("/") {
        options = mount.super_options.split(',').filter(own).collect();
    } else if mount.fs_type == "proc" {
        what += &format!("[{}]", mount.root.display());
    } else {
        // A file or folder of the host's: on what disk, with what flags, is its affair.
        what = format!("bind[{}]", mount.root.file_name().unwrap_or_default().display());
        flags.truncate(1);
    }
    let propagation: Vec<&str> = mount
        .optional_fields
        .iter()
        .map(|field| field.split(':').next().unwrap_or(field))
        .collect();
    let propagation = if propagation.is_empty() { "private".into() } else { propagation.join(",") };
    let at = replace(&mount.mount_point.display().to_string());
    let options = replace(&options.join(","));
    format!("{at} {what} {} {propagation} {options}", flags.join(",")).trim_end().to_owned()
}

/// What changed from `before` to `after`, one line each.
pub fn changes(before: &MountTable, after: &MountTable, names: &[(&Path, &str)]) -> String {
    let describe = |change: &Change| match change {
        Change::Mounted { mount } => format!("MOUNTED {}\n", line(mount, names)),
        Change::Umounted { mount } => format!("UMOUNTED {}\n", line(mount, names)),
        Change::Moved { mount, .. } => format!("MOVED {}\n", line(mount, names)),
        Change::Remounted { from, mount } => {
            format!("REMOUNTED {} -> {}\n", line(from, names), line(mount, names))
        }
    };
    difference(before, after).iter().map(describe).collect()
}

/// A tmpfs that a test has mounted on its host, unmounted when it is dropped.
#[derive(Debug)]
pub struct HostMount(PathBuf);

impl HostMount {
    /// Mounts a tmpfs on the new folder `at`. Where the parent is shared, as
    /// on the host of a test, so is this one.
    ///
    /// # Panics
    /// The mount fails; only root may.
    pub fn tmpfs(at: PathBuf) -> HostMount {
        std::fs::create_dir(&at).expect("a new folder");
        let data: Option<&str> = None;
        mount(Some("tmpfs"), &at, Some("tmpfs"), MsFlags::empty(), data).expect("a tmpfs");
        HostMount(at)
    }
}

impl Drop for HostMount {
    fn drop(&mut self) {
        // Not lazily: a mount that the container still held would show.
        let unmounted = umount2(&self.0, MntFlags::empty());
        if !std::thread::panicking() {
            unmounted.expect("the tmpfs is still there, and nobody uses it");
            std::fs::remove_dir(&self.0).expect("an empty folder");
        }
    }
}
