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
    attribute, changed_files, first_name, is_opaque, is_whiteout, names,
};
use crate::lab_10::steps::{COMPARING, Comparing};
use crate::lab_10::{SOLUTION, solution};

type Function = fn(&Path, &[PathBuf]) -> io::Result<Vec<Change>>;

pub(super) const fn mistake(
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

/// What has the inode of something else is another name of it: also a whiteout, of which a
/// kernel makes one for all.
pub const WHITEOUTS_AS_NAMES: Mistake<Answers> =
    mistake("whiteouts_as_names", "commit/whiteout-as-hard-link", |write_layer, layers| {
        let mut changes = changed_files(write_layer, layers)?;
        let mut known = HashMap::new();
        for it in changes.iter_mut().filter(|it| it.kind == Kind::Deleted) {
            let metadata = write_layer.join(&it.path).symlink_metadata()?;
            it.hard_link = first_name(&mut known, &metadata, &it.path);
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

/// A queue of directories, and the list is sorted at the end: the first name that was met is
/// not the first one of the list.
pub const FEWEST_DIRECTORIES_FIRST: Mistake<Answers> =
    mistake("fewest_directories_first", "commit/hard-links-not-told", |write_layer, layers| {
        let mut changes = changed_files(write_layer, layers)?;
        changes.sort_by_key(|it| it.path.components().count());
        let mut known = HashMap::new();
        for it in changes.iter_mut().filter(|it| it.kind != Kind::Deleted) {
            let metadata = write_layer.join(&it.path).symlink_metadata()?;
            if !metadata.is_dir() {
                it.hard_link = first_name(&mut known, &metadata, &it.path);
            }
        }
        changes.sort_by(|one, other| one.path.cmp(&other.path));
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

/// Compared as they are shown.
pub const SORTED_AS_SHOWN: Mistake<Answers> =
    mistake("changed_sorted_as_shown", "commit/wrong-order", |write_layer, layers| {
        let names = |directory: &Path| {
            let mut names = names(directory)?;
            names.sort_by_key(|name| name.to_string_lossy().into_owned());
            Ok(names)
        };
        Comparing { names, ..COMPARING }.compare(write_layer, layers)
    });
