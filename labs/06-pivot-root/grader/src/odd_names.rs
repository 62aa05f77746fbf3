//! A name that is no text: a path is bytes. See path_resolution(7).

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use labkit::verdict::Finding;

use crate::LAB;

/// Gives a new root a name that is not UTF-8, and returns its path.
///
/// # Panics
/// It cannot be renamed.
pub fn rename(new_root: &Path) -> PathBuf {
    let odd = new_root.with_file_name(OsStr::from_bytes(b"caf\xe9"));
    fs::rename(new_root, &odd).expect("a directory in the scratch directory");
    odd
}

/// Why the function did not come to its end, which it does if the name is UTF-8.
pub fn died_of_it(finding: Finding) -> Finding {
    finding.if_panicked(format!("{LAB}/path-as-text"))
}
