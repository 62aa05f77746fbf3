//! What people get wrong in changed_files about the layers below.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use lab_10_grader::Answers;
use lab_10_grader::change::Kind;

use super::changed_files::mistake;
use crate::catalogue::Mistake;
use crate::lab_10::solution::{Below, attributes, changed_files, is_opaque, is_whiteout, lookup};
use crate::lab_10::steps::{COMPARING, Comparing};

/// Is there not one image?
pub const TOPMOST_LAYER_ONLY: Mistake<Answers> =
    mistake("topmost_layer_only", "commit/only-the-topmost-layer", |write_layer, layers| {
        changed_files(write_layer, &layers[..layers.len().min(1)])
    });

/// A directory is only looked for among directories.
pub const DIRECTORIES_FOR_FILES_ARE_NEW: Mistake<Answers> = mistake(
    "directories_for_files_are_new",
    "commit/below-not-looked-up",
    |write_layer, layers| {
        let mut changes = changed_files(write_layer, layers)?;
        let is_directory =
            |path: &Path| path.symlink_metadata().is_ok_and(|metadata| metadata.is_dir());
        for it in &mut changes {
            let is_below = layers.iter().any(|layer| is_directory(&layer.join(&it.path)));
            if it.kind == Kind::Changed && is_directory(&write_layer.join(&it.path)) && !is_below {
                it.kind = Kind::Added;
            }
        }
        Ok(changes)
    },
);

/// What lies at a path; nothing if nothing does.
fn lstat(path: &Path) -> io::Result<Option<fs::Metadata>> {
    match path.symlink_metadata() {
        Err(error)
            if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) =>
        {
            Ok(None)
        }
        other => other.map(Some),
    }
}

/// A path is old if any of the layers has it.
pub const ANY_LAYER: Mistake<Answers> =
    mistake("any_layer", "commit/hidden-below-not-seen", |write_layer, layers| {
        let mut changes = changed_files(write_layer, layers)?;
        for it in changes.iter_mut().filter(|it| it.kind == Kind::Added) {
            let mut parents: Vec<&Path> = it.path.ancestors().skip(1).collect();
            parents.pop();
            let mut is_old = false;
            for layer in layers {
                let mut is_there =
                    lstat(&layer.join(&it.path))?.is_some_and(|it| !is_whiteout(&it));
                for parent in &parents {
                    is_there &= lstat(&layer.join(parent))?.is_some_and(|it| it.is_dir());
                }
                is_old |= is_there;
            }
            for parent in &parents {
                is_old &= !is_opaque(&write_layer.join(parent))?;
            }
            if is_old {
                it.kind = Kind::Changed;
            }
        }
        Ok(changes)
    });

/// The layers below may have whiteouts; opaque directories are the container's.
pub const LOWER_OPAQUE_NOT_READ: Mistake<Answers> =
    mistake("lower_opaque_not_read", "commit/hidden-below-not-seen", |write_layer, layers| {
        Comparing {
            lookup: |directories, name| {
                let mut merged = Vec::new();
                for directory in directories {
                    let path = directory.join(name);
                    match path.symlink_metadata() {
                        Ok(it) if it.is_dir() => merged.push(path),
                        Ok(it) if merged.is_empty() && !is_whiteout(&it) => return Ok(Below::File),
                        Ok(_) => break,
                        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                        Err(error) => return Err(error),
                    }
                }
                Ok(if merged.is_empty() { Below::Nothing } else { Below::Directories(merged) })
            },
            ..COMPARING
        }
        .compare(write_layer, layers)
    });

/// What is in the write layer was changed.
pub const EVERY_DIRECTORY: Mistake<Answers> =
    mistake("every_directory", "commit/copied-up-folder-listed", |write_layer, layers| {
        Comparing { is_as_below: |_, _| Ok(false), ..COMPARING }.compare(write_layer, layers)
    });

/// Directories are there for their files only.
pub const NO_DIRECTORY: Mistake<Answers> =
    mistake("no_directory", "commit/changed-folder-left-out", |write_layer, layers| {
        Comparing { is_as_below: |_, _| Ok(true), ..COMPARING }.compare(write_layer, layers)
    });

/// A directory is changed by chmod.
pub const MODES_ONLY: Mistake<Answers> =
    mistake("modes_only", "commit/changed-folder-left-out", |write_layer, layers| {
        Comparing {
            is_as_below: |it, below| Ok(it.mode() == below[0].metadata()?.mode()),
            ..COMPARING
        }
        .compare(write_layer, layers)
    });

/// mtime() without mtime_nsec().
pub const WHOLE_SECONDS: Mistake<Answers> =
    mistake("whole_seconds", "commit/changed-folder-left-out", |write_layer, layers| {
        Comparing {
            is_as_below: |it, below| {
                let below = below[0].metadata()?;
                Ok((it.mode(), it.mtime()) == (below.mode(), below.mtime()))
            },
            ..COMPARING
        }
        .compare(write_layer, layers)
    });

/// The last of the directories that are merged, and not the first.
pub const COMPARED_WITH_THE_LOWEST: Mistake<Answers> =
    mistake("compared_with_the_lowest", "commit/copied-up-folder-listed", |write_layer, layers| {
        Comparing {
            is_as_below: |it, below| {
                let lowest = below.last().expect("at least one").metadata()?;
                Ok(attributes(it) == attributes(&lowest))
            },
            ..COMPARING
        }
        .compare(write_layer, layers)
    });

/// A file under a directory is not seen: so the search goes on below it.
pub const FILES_PASSED_OVER: Mistake<Answers> =
    mistake("files_passed_over", "commit/hidden-below-not-seen", |write_layer, layers| {
        let lookup = |directories: &[PathBuf], name: &OsStr| {
            let Below::Directories(_) = lookup(directories, name)? else {
                return lookup(directories, name);
            };
            let is_file = |it: &&PathBuf| {
                let metadata = it.join(name).symlink_metadata();
                metadata.is_ok_and(|it| !it.is_dir() && !is_whiteout(&it))
            };
            let others = directories.iter().filter(|it| !is_file(it)).cloned();
            lookup(&others.collect::<Vec<_>>(), name)
        };
        Comparing { lookup, ..COMPARING }.compare(write_layer, layers)
    });
