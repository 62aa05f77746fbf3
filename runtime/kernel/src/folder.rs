//! Directories that must exist.

use std::fs::{DirBuilder, File, Permissions, remove_dir};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::Path;

use nix::unistd::{fchown, getegid};

use crate::error::Result;
use crate::on_path::{OnPath, if_there};

/// Makes a directory and those above it, unless it exists.
///
/// # Errors
/// As stat(2) and mkdir(2).
pub fn make_folder(folder: &Path, mode: u32) -> Result<()> {
    // std makes it first and looks then, and calls a failed look EEXIST.
    match if_there(folder.metadata()).on("stat", folder)? {
        Some(there) if there.is_dir() => Ok(()),
        _ => DirBuilder::new().recursive(true).mode(mode).create(folder).on("mkdir", folder),
    }
}

/// Makes a directory that is only ours, and that passes nothing on to what is made in it,
/// as a directory above could do with its group and its access list. If that fails,
/// nothing is left. See acl(5).
///
/// # Errors
/// As mkdir(2), EEXIST among them; as fchown(2) and fchmod(2).
pub fn make_own_folder(folder: &Path) -> Result<()> {
    DirBuilder::new().mode(0o700).create(folder).on("mkdir", folder)?;
    take_nothing_over(folder).inspect_err(|_| drop(remove_dir(folder)))
}

fn take_nothing_over(folder: &Path) -> Result<()> {
    let file = File::open(folder).on("open", folder)?;
    fchown(&file, None, Some(getegid())).on("fchown", folder)?;
    for inherited in ["system.posix_acl_default", "system.posix_acl_access"] {
        // Few folders have one.
        let _ = rustix::fs::fremovexattr(&file, inherited);
    }
    file.set_permissions(Permissions::from_mode(0o700)).on("fchmod", folder)
}
