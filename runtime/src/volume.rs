//! Volumes: folders and files of the host inside a container.

use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Component, Path, PathBuf};
use std::str::FromStr;

use mydocker_kernel::{Error, OnPath, Result};
use nix::mount::MsFlags;
use nix::sys::stat::fstat;

use crate::detached::Detached;
use crate::new_root::{NewRoot, place};

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
    tree: Detached,
    is_directory: bool,
    target: PathBuf,
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
        let mut flags = MsFlags::empty();
        flags.set(MsFlags::MS_NODEV, !privileged);
        flags.set(MsFlags::MS_RDONLY, self.read_only);
        let tree = Detached::copy(&self.host, flags)?;
        let is_directory = kind(tree.as_fd(), &self.host)? == libc::S_IFDIR;
        Ok(OpenVolume { tree, is_directory, target: self.container.clone() })
    }
}

/// Attaches the volumes inside the container, but not over what is the kernel's
/// there: that is protected by its place. To be called after the root has
/// changed: no link of the image can then lead a target outside.
///
/// # Errors
/// A mount point is the kernel's, is another volume's, or cannot be made; as
/// move_mount(2).
pub fn attach(root: &NewRoot, mut volumes: Vec<OpenVolume>) -> Result<()> {
    // As docker: what lies deeper comes later, or it would be hidden.
    volumes.sort_by_key(|volume| volume.target.components().count());
    let mut taken: Vec<PathBuf> = Vec::new();
    for volume in volumes {
        let name = volume.target.as_path();
        // From here on only the descriptor counts: another container that has the
        // same volume may exchange a folder of it with a link at any time.
        let target = match volume.is_directory {
            true => root.make_directory(name)?,
            false => root.make_file(name)?,
        };
        let place = place(target.as_fd())?;
        check(name, &place, kind(target.as_fd(), name)?, volume.is_directory, &taken)?;
        volume.tree.attach(target.as_fd(), name)?;
        taken.push(place);
    }
    Ok(())
}

/// Whether a volume may be attached at `place`, where its target `name` leads.
fn check(
    name: &Path,
    place: &Path,
    kind: u32,
    is_directory: bool,
    taken: &[PathBuf],
) -> Result<()> {
    let refuse = |why: String| {
        Err(Error::new(format!("-v …:{} is refused", name.display()))
            .because(why)
            .advise("choose another place in the container"))
    };
    let at = |path: &str| place == Path::new(path);
    let below = |path: &str| place.starts_with(path);
    if at("/") {
        return refuse(format!("{name:?} leads to /: it would cover the container's whole root"));
    }
    let is_device = below("/dev") && matches!(kind, libc::S_IFCHR | libc::S_IFBLK);
    if at("/dev") || at("/sys") || below("/proc") || below("/dev/pts") || is_device {
        return refuse(format!("it would cover {}, which is the kernel's", place.display()));
    }
    if let Some(hidden) = taken.iter().find(|taken| taken.starts_with(place)) {
        return refuse(format!("it would cover another volume, at {}", hidden.display()));
    }
    if !is_directory && kind == libc::S_IFDIR {
        return refuse(format!("the volume is a file, and {} a directory", place.display()));
    }
    Ok(())
}

fn kind(file: BorrowedFd, name: &Path) -> Result<u32> {
    Ok(fstat(file).on("fstat", name)?.st_mode & libc::S_IFMT)
}
