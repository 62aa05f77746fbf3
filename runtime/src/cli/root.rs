//! The folder that holds images and containers.

use std::path::{Path, PathBuf};

use mydocker::error::{Error, Result};
use mydocker::privileges::Privileges;

/// `--root` or $MYDOCKER_ROOT, else the usual place of this user; absolute.
pub fn choose(given: Option<PathBuf>) -> Result<PathBuf> {
    let variable = |name: &str| std::env::var_os(name).map(PathBuf::from);
    let absolute = |path: &PathBuf| path.is_absolute();
    let root = match given {
        Some(root) if root.as_os_str().is_empty() => {
            return Err(Error::new("the folder given with --root or $MYDOCKER_ROOT is empty")
                .advise("name a folder, or leave it out"));
        }
        Some(root) => root,
        None if Privileges::known()? == Privileges::Root => "/var/lib/mydocker".into(),
        None => variable("XDG_DATA_HOME")
            .filter(absolute)
            .or_else(|| variable("HOME").filter(absolute).map(|home| home.join(".local/share")))
            .ok_or_else(|| {
                Error::new("no folder for images and containers")
                    .because("neither $XDG_DATA_HOME nor $HOME is an absolute path")
                    .advise("name one with --root DIR or $MYDOCKER_ROOT")
            })?
            .join("mydocker"),
    };
    let root = std::path::absolute(&root)
        .map_err(|error| Error::new(format!("--root {root:?} is no path: {error}")))?;
    // The mount table, from which clean-up works, has real paths.
    Ok(real_path(&root))
}

/// The path with the links of that part of it resolved that exists.
fn real_path(path: &Path) -> PathBuf {
    let mut missing = PathBuf::new();
    for ancestor in path.ancestors() {
        if let Ok(real) = ancestor.canonicalize() {
            return if missing.as_os_str().is_empty() { real } else { real.join(missing) };
        }
        missing = match ancestor.file_name() {
            Some(name) if missing.as_os_str().is_empty() => name.into(),
            Some(name) => Path::new(name).join(missing),
            None => missing,
        };
    }
    path.to_owned()
}
