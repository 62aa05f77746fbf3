//! The folder that holds images and containers.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use mydocker_kernel::privileges::Privileges;
use mydocker_kernel::{Error, OnPath, Result, if_there};
use nix::unistd::geteuid;

/// `--root` or $MYDOCKER_ROOT, else the usual place of this user; absolute.
pub fn choose(given: Option<PathBuf>) -> Result<PathBuf> {
    let variable = |name: &str| std::env::var_os(name).map(PathBuf::from);
    let absolute = |path: &PathBuf| path.is_absolute();
    let root = match given {
        Some(root) if root.as_os_str().is_empty() => {
            return Err(Error::new("the directory given with --root or $MYDOCKER_ROOT is empty")
                .advise("name a directory, or leave it out"));
        }
        Some(root) => root,
        None if Privileges::known()? == Privileges::Root => "/var/lib/mydocker".into(),
        None => variable("XDG_DATA_HOME")
            .filter(absolute)
            .or_else(|| variable("HOME").filter(absolute).map(|home| home.join(".local/share")))
            .ok_or_else(|| {
                Error::new("no directory for images and containers")
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

/// Refuses to change a store that somebody else could change under our hands: with
/// links in place of its folders we would unmount and delete elsewhere.
///
/// # Errors
/// The store or a folder of it belongs to another user, but root.
pub fn require_ours(root: &Path) -> Result<()> {
    for folder in [root.to_owned(), root.join("containers"), root.join("images")] {
        // Of a link, its owner and where it leads.
        for look in [Path::symlink_metadata, Path::metadata] {
            let Some(there) = if_there(look(&folder)).on("stat", &folder)? else { continue };
            if there.uid() != 0 && there.uid() != geteuid().as_raw() {
                return Err(Error::new(format!("the store {root:?} is somebody else's"))
                    .because(format!(
                        "{folder:?} belongs to uid {}, and this is uid {}",
                        there.uid(),
                        geteuid()
                    ))
                    .advise("run as its owner, or choose a --root of your own"));
            }
        }
    }
    Ok(())
}
