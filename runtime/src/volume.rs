//! Volumes: folders and files of the host inside a container.

use std::fs::{self, File};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Component, Path, PathBuf};
use std::str::FromStr;

use nix::errno::Errno;
use nix::mount::MsFlags;

use crate::error::{Error, OnPath, Result};
use crate::mountinfo::MountTable;
use crate::sys;

/// What `-v HOST:CTR[:ro]` asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Volume {
    /// A folder or a file of the host.
    pub host: PathBuf,
    /// Where the container sees it; absolute, without `..`.
    pub container: PathBuf,
    /// Whether the container may only read it, and all that is mounted below.
    pub read_only: bool,
}

impl FromStr for Volume {
    type Err = Error;

    fn from_str(text: &str) -> Result<Volume> {
        let complain = |why: String| {
            Error::new(format!("-v {text:?} is no volume")).because(why).advise(
                "write -v HOST:CONTAINER or -v HOST:CONTAINER:ro, as in -v /home/me/src:/src",
            )
        };
        let parts: Vec<&str> = text.split(':').collect();
        let (host, container, read_only) = match parts[..] {
            [host, container] | [host, container, "rw"] => (host, container, false),
            [host, container, "ro"] => (host, container, true),
            [_, _, option] => return Err(complain(format!("the option {option:?} is unknown"))),
            _ => return Err(complain("it does not have two or three parts".into())),
        };
        let container = Path::new(container);
        let bad_component =
            |c| !matches!(c, Component::Normal(_) | Component::RootDir | Component::CurDir);
        if !container.is_absolute() || container.components().any(bad_component) {
            let why = format!("{container:?} is no absolute path without \"..\"");
            return Err(complain(why));
        }
        if container.components().count() == 1 {
            return Err(complain("it would cover the container's whole root".into()));
        }
        let host = std::path::absolute(host).map_err(|error| complain(error.to_string()))?;
        Ok(Volume { host, container: container.to_owned(), read_only })
    }
}

/// A volume that was taken from the host and is not yet in the container.
#[derive(Debug)]
pub struct OpenVolume {
    tree: OwnedFd,
    is_directory: bool,
    target: PathBuf,
    /// The flags that its mounts still lack.
    missing: MsFlags,
}

impl Volume {
    /// Takes the volume from the host as a detached mount, with all that is
    /// mounted below it. To be called before the root changes.
    ///
    /// Device files in it work only if `privileged`: the container's root may
    /// make some, of any disk.
    ///
    /// # Errors
    /// The host has no such path; as open_tree(2).
    pub fn open(&self, privileged: bool) -> Result<OpenVolume> {
        let is_directory = self.host.metadata().on("stat", &self.host)?.is_dir();
        let tree = sys::open_tree(&self.host)?;
        let mut missing = MsFlags::empty();
        missing.set(MsFlags::MS_NODEV, !privileged);
        missing.set(MsFlags::MS_RDONLY, self.read_only);
        if !missing.is_empty() {
            match sys::mount_setattr(tree.as_fd(), missing) {
                Ok(()) => missing = MsFlags::empty(),
                // Before Linux 5.12; then it is done after attaching.
                Err(error) if error.errno() == Some(Errno::ENOSYS) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(OpenVolume { tree, is_directory, target: self.container.clone(), missing })
    }
}

impl OpenVolume {
    /// Attaches the volume inside the container, but not over what is the kernel's
    /// there: that is protected by its place. To be called after the root has
    /// changed: no link of the image can then lead the target outside.
    ///
    /// # Errors
    /// The mount point is the kernel's or cannot be made; as move_mount(2).
    pub fn attach(self) -> Result<()> {
        let target = self.mount_point()?;
        let is_kernels = target.starts_with("/proc")
            || ["/dev", "/sys"].iter().any(|kernels| target == Path::new(kernels));
        if is_kernels {
            return Err(Error::new(format!("-v …:{} is refused", self.target.display()))
                .because(format!("it would cover {}, which is the kernel's", target.display()))
                .advise("choose another place in the container"));
        }
        self.attach_at(&target)
    }

    /// Attaches it wherever that is.
    ///
    /// # Errors
    /// The mount point cannot be made; as move_mount(2).
    pub fn attach_anywhere(self) -> Result<()> {
        let target = self.mount_point()?;
        self.attach_at(&target)
    }

    /// The mount point, made if it is missing.
    fn mount_point(&self) -> Result<PathBuf> {
        if !self.target.exists() {
            let folder = if self.is_directory { Some(&*self.target) } else { self.target.parent() };
            if let Some(folder) = folder {
                fs::create_dir_all(folder).on("mkdir", folder).map_err(|error| {
                    match error.errno() {
                        Some(Errno::EEXIST) => error
                            .because("the image has a file there, or a link that leads nowhere")
                            .advise("choose another place in the container"),
                        _ => error,
                    }
                })?;
            }
            if !self.is_directory {
                File::create(&self.target).on("open", &self.target)?;
            }
        }
        // The mount table names it without links.
        self.target.canonicalize().on("realpath", &self.target)
    }

    fn attach_at(self, target: &Path) -> Result<()> {
        sys::move_mount(self.tree.as_fd(), target)?;
        if self.missing.is_empty() { Ok(()) } else { add_flags(target, self.missing) }
    }
}

/// Remounts everything at or below `target` with these flags too, one by one.
fn add_flags(target: &Path, missing: MsFlags) -> Result<()> {
    for mount in MountTable::read()?.below(target) {
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
        sys::mount("", &mount.mount_point, "", flags, "")?;
    }
    Ok(())
}
