//! The AUFS driver: layers as AUFS's branches, as the blog mounts them.
//!
//! AUFS is in no mainline kernel; Ubuntu's carried it through 20.04. See
//! aufs(5).

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use nix::mount::MsFlags;

use super::{Layers, NO_DEVICES};
use crate::error::{Error, Result};
use crate::sys;

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
/// A path with `:` or `,` in it, which AUFS cannot take, or too many branches.
pub fn options(layers: &Layers) -> Result<Vec<OsString>> {
    let branches = branches(layers);
    if branches.len() > MAX_BRANCHES {
        return Err(Error::new(format!("{} layers are too many for AUFS", branches.len()))
            .because(format!("it takes {MAX_BRANCHES} branches"))
            .advise("--driver overlay takes 500"));
    }
    for path in layers.lower().chain([layers.write_layer.as_path()]) {
        if path.as_os_str().as_bytes().iter().any(|byte| b":,".contains(byte)) {
            return Err(Error::new(format!("AUFS cannot take the layer {path:?}"))
                .because("its options have no escape for `:` and `,`")
                .advise("choose another --root, or --driver overlay"));
        }
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

/// Mounts the layers together on `mnt`.
///
/// # Errors
/// The kernel has no AUFS, or as [`options`] and mount(2); AUFS itself gives
/// its reasons only in the kernel's log.
pub fn mount(layers: &Layers, mnt: &Path) -> Result<()> {
    let advice = |error: Error| error.advise("the reason is in the kernel's log: dmesg | tail");
    let mut options = options(layers)?.into_iter();
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
