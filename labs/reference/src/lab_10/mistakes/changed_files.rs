//! What people get wrong in changed_files.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use lab_10_grader::Answers;
use lab_10_grader::change::{Change, Kind};

use crate::catalogue::Mistake;
use crate::lab_10::solution::{
    Below, attribute, attributes, changed_files, is_opaque, is_whiteout, names,
};
use crate::lab_10::steps::{COMPARING, Comparing};
use crate::lab_10::{SOLUTION, solution};

type Function = fn(&Path, &[PathBuf]) -> io::Result<Vec<Change>>;

const fn mistake(
    name: &'static str,
    code: &'static str,
    changed_files: Function,
) -> Mistake<Answers> {
    Mistake { name, code, answers: Answers { changed_files, ..SOLUTION } }
}

/// What is returned for a program that must compile.
pub const LISTS_NOTHING: Mistake<Answers> =
    mistake("lists_nothing", "answer/did-nothing", |_, _| Ok(Vec::new()));

/// The paths as read_dir gives them.
pub const PATHS_OF_THE_HOST: Mistake<Answers> =
    mistake("paths_of_the_host", "commit/paths-not-relative", |write_layer, layers| {
        let mut changes = changed_files(write_layer, layers)?;
        changes.iter_mut().for_each(|it| it.path = write_layer.join(&it.path));
        Ok(changes)
    });

/// As docker diff shows them.
pub const PATHS_FROM_THE_ROOT: Mistake<Answers> =
    mistake("paths_from_the_root", "commit/paths-not-relative", |write_layer, layers| {
        let mut changes = changed_files(write_layer, layers)?;
        changes.iter_mut().for_each(|it| it.path = Path::new("/").join(&it.path));
        Ok(changes)
    });

/// Each walk of a tree begins with its top.
pub const THE_TOP_TOO: Mistake<Answers> =
    mistake("the_top_too", "commit/paths-not-relative", |write_layer, layers| {
        let mut changes = changed_files(write_layer, layers)?;
        let path = PathBuf::new();
        changes.insert(0, Change { kind: Kind::Changed, path, hard_link: None });
        Ok(changes)
    });

/// Paths that went through a String.
pub const NAMES_AS_TEXT: Mistake<Answers> =
    mistake("changed_names_as_text", "commit/lossy-names", |write_layer, layers| {
        let mut changes = changed_files(write_layer, layers)?;
        let text = |path: &Path| PathBuf::from(path.to_string_lossy().into_owned());
        changes.iter_mut().for_each(|it| it.path = text(&it.path));
        Ok(changes)
    });

/// What has a name is there.
pub const WHITEOUTS_AS_FILES: Mistake<Answers> =
    mistake("whiteouts_as_files", "commit/whiteout-as-file", |write_layer, layers| {
        let mut changes = changed_files(write_layer, layers)?;
        for it in &mut changes {
            if it.kind == Kind::Deleted {
                it.kind = Kind::Changed;
            }
        }
        Ok(changes)
    });

/// A device in a layer is nothing that belongs into a list of files.
pub const WHITEOUTS_LEFT_OUT: Mistake<Answers> =
    mistake("changed_whiteouts_left_out", "commit/whiteout-left-out", |write_layer, layers| {
        let mut changes = changed_files(write_layer, layers)?;
        changes.retain(|it| it.kind != Kind::Deleted);
        Ok(changes)
    });

/// A whiteout deletes, whatever is below.
pub const EVERY_WHITEOUT: Mistake<Answers> =
    mistake("every_whiteout", "commit/whiteout-of-nothing", |write_layer, layers| {
        let mut changes = changed_files(write_layer, layers)?;
        each_path(write_layer, Path::new(""), &mut |path, metadata| {
            if is_whiteout(metadata) && !changes.iter().any(|it| it.path == path) {
                changes.push(Change {
                    kind: Kind::Deleted,
                    path: path.to_owned(),
                    hard_link: None,
                });
            }
        })?;
        changes.sort_by(|one, other| one.path.cmp(&other.path));
        Ok(changes)
    });

fn each_path(
    top: &Path,
    directory: &Path,
    visit: &mut dyn FnMut(&Path, &fs::Metadata),
) -> io::Result<()> {
    for name in names(&top.join(directory))? {
        let path = directory.join(name);
        let metadata = top.join(&path).symlink_metadata()?;
        visit(&path, &metadata);
        if metadata.is_dir() {
            each_path(top, &path, visit)?;
        }
    }
    Ok(())
}

/// A directory with the mark empties something, also where there is nothing.
pub const EVERY_OPAQUE_DIRECTORY: Mistake<Answers> =
    mistake("every_opaque_directory", "commit/new-folder-emptied", |write_layer, layers| {
        let mut changes = changed_files(write_layer, layers)?;
        for it in &mut changes {
            let on_disk = write_layer.join(&it.path);
            if on_disk.symlink_metadata()?.is_dir() && is_opaque(&on_disk)? {
                it.kind = Kind::Emptied;
            }
        }
        Ok(changes)
    });

/// Whether the attribute is there, and not what it says.
pub const ANY_OPAQUE_VALUE: Mistake<Answers> =
    mistake("any_opaque_value", "commit/opaque-value-not-read", |write_layer, layers| {
        Comparing {
            is_opaque: |path| {
                let name = OsStr::new("user.overlay.opaque");
                Ok(attribute(path, name)?.is_some() || is_opaque(path)?)
            },
            ..COMPARING
        }
        .compare(write_layer, layers)
    });

/// Whiteouts are known, opaque directories are not.
pub const OPAQUE_NOT_READ: Mistake<Answers> =
    mistake("changed_opaque_not_read", "commit/opaque-not-seen", |write_layer, layers| {
        Comparing { is_opaque: |_| Ok(false), ..COMPARING }.compare(write_layer, layers)
    });

/// The directory is told, and what is in it is compared all the same.
pub const OPAQUE_LETS_THROUGH: Mistake<Answers> =
    mistake("opaque_lets_through", "commit/opaque-not-seen", |write_layer, layers| {
        Comparing { cuts_off: false, ..COMPARING }.compare(write_layer, layers)
    });

fn has(path: &Path, name: &str) -> io::Result<bool> {
    Ok(attribute(path, OsStr::new(name))?.is_some_and(|value| value == b"y"))
}

/// As root's overlays have it.
pub const TRUSTED_ONLY: Mistake<Answers> =
    mistake("changed_trusted_only", "commit/opaque-not-seen", |write_layer, layers| {
        Comparing { is_opaque: |path| has(path, "trusted.overlay.opaque"), ..COMPARING }
            .compare(write_layer, layers)
    });

/// As a user's overlays have it.
pub const USER_ONLY: Mistake<Answers> =
    mistake("changed_user_only", "commit/opaque-not-seen", |write_layer, layers| {
        Comparing { is_opaque: |path| has(path, "user.overlay.opaque"), ..COMPARING }
            .compare(write_layer, layers)
    });

/// Each name is a file of its own.
pub const HARD_LINKS_NOT_TOLD: Mistake<Answers> =
    mistake("hard_links_not_told", "commit/hard-links-not-told", |write_layer, layers| {
        let mut changes = changed_files(write_layer, layers)?;
        changes.iter_mut().for_each(|it| it.hard_link = None);
        Ok(changes)
    });

/// insert() of a map replaces: it is the name before that is told.
pub const THE_LAST_NAME: Mistake<Answers> =
    mistake("the_last_name", "commit/hard-links-not-told", |write_layer, layers| {
        let mut changes = changed_files(write_layer, layers)?;
        let mut last = HashMap::new();
        for it in &mut changes {
            let metadata = write_layer.join(&it.path).symlink_metadata()?;
            if it.kind != Kind::Deleted && !metadata.is_dir() {
                it.hard_link = last.insert(metadata.ino(), it.path.clone());
            }
        }
        Ok(changes)
    });

/// metadata() is shorter than symlink_metadata().
pub const LINKS_FOLLOWED: Mistake<Answers> =
    mistake("changed_links_followed", "commit/link-followed", |write_layer, layers| {
        Comparing {
            metadata: |path| path.metadata().or_else(|_| path.symlink_metadata()),
            ..COMPARING
        }
        .compare(write_layer, layers)
    });

/// The path below is looked up by the kernel, and not name by name.
pub const LINKS_BELOW_FOLLOWED: Mistake<Answers> =
    mistake("links_below_followed", "commit/link-followed", |write_layer, layers| {
        let mut changes = changed_files(write_layer, layers)?;
        for it in &mut changes {
            let parent = it.path.parent().unwrap_or(Path::new(""));
            let is_link = |layer: &PathBuf| {
                layer.join(parent).is_dir()
                    && layer.join(parent).symlink_metadata().is_ok_and(|it| it.is_symlink())
            };
            let is_below = |layer: &PathBuf| is_link(layer) && layer.join(&it.path).exists();
            if it.kind == Kind::Added && layers.iter().any(is_below) {
                it.kind = Kind::Changed;
            }
        }
        Ok(changes)
    });

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

/// What has the same content is not changed.
pub const CONTENTS_COMPARED: Mistake<Answers> =
    mistake("contents_compared", "commit/same-file-left-out", |write_layer, layers| {
        let mut changes = changed_files(write_layer, layers)?;
        let is_same = |path: &Path| {
            let Ok(content) = fs::read(write_layer.join(path)) else { return false };
            layers.iter().any(|layer| fs::read(layer.join(path)).is_ok_and(|it| it == content))
        };
        changes.retain(|it| it.kind != Kind::Changed || !is_same(&it.path));
        Ok(changes)
    });

/// readdir has an order, does it not?
pub const UNSORTED: Mistake<Answers> =
    mistake("changed_unsorted", "commit/wrong-order", |write_layer, layers| {
        Comparing {
            names: |directory| {
                let mut names = names(directory)?;
                // A tmpfs lists the youngest first; another file system by a hash.
                names.sort_by_key(|name| Reverse(hash(name)));
                Ok(names)
            },
            ..COMPARING
        }
        .compare(write_layer, layers)
    });

fn hash(name: &OsString) -> u64 {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut hasher = DefaultHasher::new();
    name.hash(&mut hasher);
    hasher.finish()
}

/// The list is sorted at the end, by the bytes of whole paths: `a-b` before `a/b`.
pub const SORTED_AS_TEXT: Mistake<Answers> =
    mistake("sorted_as_text", "commit/wrong-order", |write_layer, layers| {
        let mut changes = changed_files(write_layer, layers)?;
        changes.sort_by(|one, other| one.path.as_os_str().cmp(other.path.as_os_str()));
        Ok(changes)
    });

/// A set of inode numbers, so that nothing is listed twice.
pub const EACH_INODE_ONCE: Mistake<Answers> =
    mistake("each_inode_once", "commit/entry-left-out", |write_layer, layers| {
        let mut changes = changed_files(write_layer, layers)?;
        changes.retain(|it| it.hard_link.is_none());
        Ok(changes)
    });

/// read_dir(…).into_iter().flatten() drops what cannot be read.
pub const UNREADABLE_IS_EMPTY: Mistake<Answers> =
    mistake("unreadable_is_empty", "commit/failed-call-not-told", |write_layer, layers| {
        Comparing {
            names: |directory| Ok(solution::names(directory).unwrap_or_default()),
            ..COMPARING
        }
        .compare(write_layer, layers)
    });

/// Opened to be sure that it is there, and never closed.
pub const DIRECTORY_LEFT_OPEN: Mistake<Answers> =
    mistake("directory_left_open", "commit/descriptor-left-open", |write_layer, layers| {
        std::mem::forget(File::open(write_layer)?);
        changed_files(write_layer, layers)
    });
