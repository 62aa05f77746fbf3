//! Where a path of the container lies in the layers below: the same search
//! that overlayfs makes, done by hand and without mounting anything.

use std::ffi::{OsStr, OsString};
use std::fs::Metadata;
use std::path::{Component, Path, PathBuf};

use crate::image::whiteout::{is_opaque, is_whiteout};

/// As many links as the kernel follows before it says ELOOP.
const MAX_LINKS: usize = 40;

/// What a name stands for in a stack of directories that lie one on another.
pub enum Found {
    /// Directories of that name, topmost first: together they are one.
    Directory(Vec<PathBuf>),
    /// The topmost file of that name that is no directory.
    File(PathBuf, Metadata),
    /// Nothing, or a whiteout above it.
    Nothing,
}

/// Looks `name` up in `stack`, directories that are merged, topmost first.
/// Symbolic links are found, not followed.
pub fn lookup(stack: &[PathBuf], name: &OsStr) -> Found {
    let mut merged = Vec::new();
    for (index, directory) in stack.iter().enumerate() {
        let path = directory.join(name);
        let Ok(metadata) = path.symlink_metadata() else { continue };
        if metadata.is_dir() {
            // In the lowest layer there is nothing for an opaque one to hide.
            let hides_those_below = index + 1 < stack.len() && is_opaque(&path);
            merged.push(path);
            if hides_those_below {
                break;
            }
        } else if merged.is_empty() && !is_whiteout(&metadata) {
            return Found::File(path, metadata);
        } else {
            break;
        }
    }
    if merged.is_empty() { Found::Nothing } else { Found::Directory(merged) }
}

/// Looks a whole path up, component by component, following no link.
pub fn lookup_path(layers: &[PathBuf], path: &Path) -> Found {
    let mut stack = layers.to_vec();
    let mut names = path.components().filter_map(|component| match component {
        Component::Normal(name) => Some(name),
        _ => None,
    });
    let Some(mut name) = names.next() else { return Found::Directory(stack) };
    loop {
        match (lookup(&stack, name), names.next()) {
            (found, None) => return found,
            (Found::Directory(merged), Some(next)) => (stack, name) = (merged, next),
            _ => return Found::Nothing,
        }
    }
}

/// The real place of the directory `path`, symbolic links followed as a
/// process would that has the merged layers for its root: no `..` and no
/// absolute link leads out of them. What does not exist stays as it is.
pub fn resolve_directory(layers: &[PathBuf], path: &Path) -> PathBuf {
    let mut resolved = PathBuf::new();
    let mut pending: Vec<OsString> = reversed_components(path);
    let mut links = 0;
    while let Some(name) = pending.pop() {
        if name == ".." {
            resolved.pop();
            continue;
        }
        let here = resolved.join(&name);
        match lookup_path(layers, &here) {
            Found::File(file, metadata) if metadata.is_symlink() && links < MAX_LINKS => {
                links += 1;
                let target = std::fs::read_link(file).unwrap_or_default();
                if target.is_absolute() {
                    resolved = PathBuf::new();
                }
                pending.extend(reversed_components(&target));
            }
            _ => resolved = here,
        }
    }
    resolved
}

/// The names in a path and its `..`, the first one last.
fn reversed_components(path: &Path) -> Vec<OsString> {
    let names = path.components().filter_map(|component| match component {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some("..".into()),
        _ => None,
    });
    let mut names: Vec<OsString> = names.collect();
    names.reverse();
    names
}
