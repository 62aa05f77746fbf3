//! A tree of mounts that hangs nowhere yet, and what is to hold of it when it does.

use std::fs;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use mydocker_kernel::mountinfo::{Mount, MountTable};
use mydocker_kernel::{Error, OnPath, Result, sys};
use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::mount::MsFlags;

use crate::new_root::{NewRoot, place};

/// A tree of mounts that hangs nowhere yet.
#[derive(Debug)]
pub struct Detached {
    tree: OwnedFd,
    /// The flags that its mounts still lack.
    missing: MsFlags,
}

impl Detached {
    /// A copy of what is at `path`, with all that is mounted below it, and with
    /// these flags on all of it.
    ///
    /// # Errors
    /// As open_tree(2) and mount_setattr(2).
    pub fn copy(path: &Path, flags: MsFlags) -> Result<Detached> {
        Detached::with_flags(sys::open_tree(path)?, flags)
    }

    /// The same of what a descriptor leads to; `name` is for the reader.
    ///
    /// # Errors
    /// As [`Detached::copy`].
    pub fn copy_of(file: BorrowedFd, name: &Path, flags: MsFlags) -> Result<Detached> {
        Detached::with_flags(sys::open_tree_of(file, name)?, flags)
    }

    fn with_flags(tree: OwnedFd, flags: MsFlags) -> Result<Detached> {
        if flags.is_empty() {
            return Ok(Detached { tree, missing: flags });
        }
        match sys::mount_setattr(tree.as_fd(), flags) {
            Ok(()) => Ok(Detached { tree, missing: MsFlags::empty() }),
            // Before Linux 5.12; then it is done after attaching.
            Err(error) if error.errno() == Some(Errno::ENOSYS) => {
                Ok(Detached { tree, missing: flags })
            }
            Err(error) => Err(error),
        }
    }

    /// Attaches it on what `target` leads to; `name` is for the reader.
    ///
    /// # Errors
    /// As move_mount(2); as mount(2) before Linux 5.12.
    pub fn attach(self, target: BorrowedFd, name: &Path) -> Result<()> {
        sys::move_mount(self.tree.as_fd(), target, name)?;
        if self.missing.is_empty() { Ok(()) } else { add_flags(&self.tree, self.missing) }
    }
}

impl AsFd for Detached {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.tree.as_fd()
    }
}

/// Remounts everything at or below `tree` with these flags too, one by one.
fn add_flags(tree: &OwnedFd, missing: MsFlags) -> Result<()> {
    let root = NewRoot::open()?;
    for mount in MountTable::read()?.below(&place(tree.as_fd())?) {
        // Flags that are not repeated would be cleared, and in a user
        // namespace clearing one is EPERM.
        let mut flags = MsFlags::MS_REMOUNT | MsFlags::MS_BIND | missing;
        for option in mount.options.split(',') {
            flags |= match option {
                "ro" => MsFlags::MS_RDONLY,
                "nosuid" => MsFlags::MS_NOSUID,
                "nodev" => MsFlags::MS_NODEV,
                "noexec" => MsFlags::MS_NOEXEC,
                "noatime" => MsFlags::MS_NOATIME,
                "nodiratime" => MsFlags::MS_NODIRATIME,
                "relatime" => MsFlags::MS_RELATIME,
                _ => MsFlags::empty(),
            };
        }
        let file = open_mount(&root, mount)?;
        let by_descriptor = PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()));
        sys::mount("", &by_descriptor, "", flags, "")?;
    }
    Ok(())
}

/// The mount itself, and not what somebody has put in its place.
fn open_mount(root: &NewRoot, mount: &Mount) -> Result<OwnedFd> {
    let path = &mount.mount_point;
    let file = sys::open_in_root(root, path, OFlag::O_PATH).on("openat2", path)?;
    // See proc_pid_fdinfo(5).
    let info = PathBuf::from(format!("/proc/self/fdinfo/{}", file.as_raw_fd()));
    let text = fs::read_to_string(&info).on("read", &info)?;
    let id = text.lines().find_map(|line| line.strip_prefix("mnt_id:")?.trim().parse().ok());
    match id == Some(mount.id) {
        true => Ok(file),
        false => Err(Error::new(format!("{path:?} is another mount than it was just now"))),
    }
}
