//! The AUFS driver: layers as AUFS's branches, as the blog mounts them.
//!
//! AUFS is in no mainline kernel; Ubuntu's carried it through 20.04. See
//! aufs(5).

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use nix::fcntl::{self, OFlag};
use nix::mount::MsFlags;
use nix::sys::stat::Mode;

use super::{Layers, NO_DEVICES};
use mydocker_kernel::sys;
use mydocker_kernel::{Error, OnPath, Result, if_there};

/// mount(2) copies one page of options, and AUFS cuts a longer text silently.
const PAGE: usize = 4096;

/// The most branches a usual AUFS is built for (`CONFIG_AUFS_BRANCH_MAX_127`).
const MAX_BRANCHES: usize = 127;

/// The branches in AUFS's order, topmost first: the write layer is the only
/// writable one and must come first; `+wh` makes the whiteouts that lie in a
/// read-only branch count.
pub fn branches(layers: &Layers) -> Vec<OsString> {
    let branch = |path: &Path, attribute: &str| {
        let mut branch = path.as_os_str().to_owned();
        branch.push(attribute);
        branch
    };
    let mut branches = vec![branch(&layers.write_layer, "=rw")];
    branches.extend(layers.lower().map(|layer| branch(layer, "=ro+wh")));
    branches
}

/// The branches as option texts, each below a page: `br=…` for the mount
/// itself, then one `append:…` for each remount that brings the rest in.
///
/// # Errors
/// Too many branches.
pub fn options(layers: &Layers) -> Result<Vec<OsString>> {
    let branches = branches(layers);
    if branches.len() > MAX_BRANCHES {
        return Err(Error::new(format!("{} layers are too many for AUFS", branches.len()))
            .because(format!("it takes {MAX_BRANCHES} branches"))
            .advise("--driver overlay takes 500"));
    }
    let mut first = OsString::from("br=");
    let mut texts = Vec::new();
    for (index, branch) in branches.iter().enumerate() {
        if texts.is_empty() && first.len() + 1 + branch.len() < PAGE {
            if index > 0 {
                first.push(":");
            }
            first.push(branch);
        } else {
            let mut append = OsString::from("append:");
            append.push(branch);
            texts.push(append);
        }
    }
    texts.insert(0, first);
    Ok(texts)
}

/// The layers by names that AUFS's options can hold: `:`, `,` and `=` have a meaning
/// there that nothing takes away. A layer with one of them in its path is opened, and
/// is called by its descriptor; the names hold as long as those.
///
/// # Errors
/// As open(2).
pub fn nameable(layers: &Layers) -> Result<(Layers, Vec<OwnedFd>)> {
    let mut open = Vec::new();
    let mut name = |path: &PathBuf| {
        if !path.as_os_str().as_bytes().iter().any(|byte| b":,=".contains(byte)) {
            return Ok(path.clone());
        }
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let layer = fcntl::open(path, flags, Mode::empty()).on("open", path)?;
        let name = format!("/proc/self/fd/{}", layer.as_raw_fd()).into();
        open.push(layer);
        Ok(name)
    };
    let layers = Layers {
        image: layers.image.iter().map(&mut name).collect::<Result<_>>()?,
        init_layer: name(&layers.init_layer)?,
        write_layer: name(&layers.write_layer)?,
        ..layers.clone()
    };
    Ok((layers, open))
}

/// Mounts the layers together on `mnt`.
///
/// # Errors
/// The kernel has no AUFS, or as [`options`] and mount(2); AUFS itself gives
/// its reasons only in the kernel's log.
pub fn mount(layers: &Layers, mnt: &Path) -> Result<()> {
    let advice = |error: Error| error.advise("the reason is in the kernel's log: dmesg | tail");
    let (layers, _open) = nameable(layers)?;
    let mut options = options(&layers)?.into_iter();
    let branches = options.next().unwrap_or_default();
    sys::mount("none", mnt, "aufs", NO_DEVICES, branches).map_err(advice)?;
    for append in options {
        sys::mount("none", mnt, "aufs", MsFlags::MS_REMOUNT | NO_DEVICES, append)
            .map_err(advice)?;
    }
    Ok(())
}

/// What a name in a write layer of AUFS stands for.
#[derive(Debug, PartialEq, Eq)]
pub enum Name<'a> {
    /// A file of the container.
    File(&'a OsStr),
    /// A file of the layers below that is deleted: `.wh.NAME`.
    Whiteout(&'a OsStr),
    /// The folder it lies in hides those of the layers below: `.wh..wh..opq`.
    Opaque,
    /// AUFS's own book-keeping, there from the mount on: `.wh..wh.aufs` and the like.
    Housekeeping,
}

/// Reads a name in a write layer; OCI's layers use the same names.
pub fn read_name(name: &OsStr) -> Name<'_> {
    match name.as_bytes() {
        b".wh..wh..opq" => Name::Opaque,
        bytes if bytes.starts_with(b".wh..wh.") => Name::Housekeeping,
        bytes => match bytes.strip_prefix(b".wh.") {
            Some(hidden) => Name::Whiteout(OsStr::from_bytes(hidden)),
            None => Name::File(name),
        },
    }
}

/// Gives the pseudo-links of a write layer their names in it.
///
/// A file that has several names in a read-only layer and is written to by one of
/// them is copied up to `.wh..wh.plnk/INODE.INODE`: one file for all its names, but
/// each of them gets into the write layer only when it is looked at. So they are
/// looked at here, through `mnt`, while the layers are still mounted there. See
/// "Pseudo Link" in aufs(5).
///
/// # Errors
/// The pseudo-links or the merged tree cannot be read.
pub fn name_pseudo_links(write_layer: &Path, mnt: &Path) -> Result<()> {
    let names = pseudo_links(write_layer, mnt)?;
    if names.is_empty() {
        return Ok(());
    }
    let root = fcntl::open(mnt, OFlag::O_PATH | OFlag::O_CLOEXEC, Mode::empty()).on("open", mnt)?;
    for name in names {
        // Below mnt, wherever the container has moved it to meanwhile; or it is gone.
        let flags = OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK;
        let _ = sys::open_in_root(&root, &name, flags);
    }
    Ok(())
}

/// The names that the pseudo-links of a write layer have in the merged tree, from its
/// top.
///
/// # Errors
/// As [`name_pseudo_links`].
pub fn pseudo_links(write_layer: &Path, mnt: &Path) -> Result<Vec<PathBuf>> {
    let folder = write_layer.join(".wh..wh.plnk");
    let mut inodes = BTreeSet::new();
    for entry in if_there(fs::read_dir(&folder)).on("readdir", &folder)?.into_iter().flatten() {
        let name = entry.on("readdir", &folder)?.file_name();
        let number = name.to_str().and_then(|name| name.split('.').next()?.parse::<u64>().ok());
        inodes.extend(number);
    }
    let mut names = Vec::new();
    if inodes.is_empty() {
        return Ok(names);
    }
    let device = mnt.metadata().on("stat", mnt)?.dev();
    let mut directories = vec![mnt.to_owned()];
    while let Some(directory) = directories.pop() {
        // The container may go on making and deleting.
        let entries = if_there(fs::read_dir(&directory)).on("readdir", &directory)?;
        for entry in entries.into_iter().flatten() {
            let path = entry.on("readdir", &directory)?.path();
            let Some(metadata) = if_there(path.symlink_metadata()).on("lstat", &path)? else {
                continue;
            };
            if metadata.is_dir() && metadata.dev() == device {
                directories.push(path);
            } else if metadata.is_file() && inodes.contains(&metadata.ino()) {
                names.push(path.strip_prefix(mnt).unwrap_or(&path).to_owned());
            }
        }
    }
    Ok(names)
}
