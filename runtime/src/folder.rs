//! Folders that are to be there.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

use crate::error::{OnPath, Result, if_there};

/// Makes a folder, and those above it, unless it is there.
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
