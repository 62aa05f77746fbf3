//! Names that lead out of the layer.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Component, Path, PathBuf};

use lab_05_grader::Answers;
use tar::{Entry, EntryType};

use super::{mistake, target};
use crate::catalogue::Mistake;
use crate::lab_05::solution::{make, place};
use crate::lab_05::steps::{STEPS, Steps};

/// Where an entry belongs if `..` and what is absolute are kept out of its name,
/// and nobody looks at what lies on the way.
fn by_name(folder: &Path, name: &Path) -> io::Result<PathBuf> {
    let mut path = folder.to_owned();
    for part in name.components() {
        match part {
            Component::CurDir => {}
            Component::Normal(name) => path.push(name),
            _ => return Err(io::Error::other("the name leads out of the layer")),
        }
    }
    Ok(path)
}

/// Makes a regular file, a folder or a link at a path that nobody has checked.
fn make_at(entry: &mut Entry<File>, path: &Path, folder: &Path) -> io::Result<PathBuf> {
    match entry.header().entry_type() {
        EntryType::Directory => fs::create_dir(path)?,
        EntryType::Symlink => symlink(target(entry)?, path)?,
        EntryType::Link => fs::hard_link(by_name(folder, &target(entry)?)?, path)?,
        _ => drop(io::copy(entry, &mut File::create_new(path)?)?),
    }
    Ok(path.to_owned())
}

/// Refuses what is absolute, and thinks that this is it.
pub const DOT_DOT_FOLLOWED: Mistake<Answers> =
    mistake("dot_dot_followed", "rootfs/dot-dot-followed", |tar, layer| {
        Steps {
            make: |entry, name, folder| match name.components().any(|it| it == Component::ParentDir)
            {
                true => make_at(entry, &folder.join(name), folder),
                false => make(entry, name, folder),
            },
            ..STEPS
        }
        .create(tar, layer)
    });

/// Path::join with an absolute path is that path.
pub const ABSOLUTE_NAME_JOINED: Mistake<Answers> =
    mistake("absolute_name_joined", "rootfs/absolute-name-followed", |tar, layer| {
        Steps {
            make: |entry, name, folder| match name.is_absolute() {
                true => make_at(entry, &folder.join(name), folder),
                false => make(entry, name, folder),
            },
            ..STEPS
        }
        .create(tar, layer)
    });

/// Takes off a name what leads out, as GNU tar does, and goes on.
pub const NAMES_MADE_HARMLESS: Mistake<Answers> =
    mistake("names_made_harmless", "rootfs/hostile-name-rewritten", |tar, layer| {
        Steps {
            make: |entry, name, folder| {
                let is_normal = |part: &Component| matches!(part, Component::Normal(_));
                let name: PathBuf = name.components().filter(is_normal).collect();
                make(entry, &name, folder)
            },
            ..STEPS
        }
        .create(tar, layer)
    });

/// Looks for two dots anywhere in a name: `a..b` is a name like any other.
pub const TWO_DOTS_REFUSED: Mistake<Answers> =
    mistake("two_dots_refused", "rootfs/good-name-refused", |tar, layer| {
        Steps {
            make: |entry, name, folder| match name.to_string_lossy().contains("..") {
                true => Err(io::Error::other("the name leads out of the layer")),
                false => make(entry, name, folder),
            },
            ..STEPS
        }
        .create(tar, layer)
    });

/// Checks the directory that a file comes into, and not those on the way to it.
pub const ONLY_THE_PARENT_CHECKED: Mistake<Answers> =
    mistake("only_the_parent_checked", "rootfs/planted-symlink-followed", |tar, layer| {
        Steps {
            make: |entry, name, folder| {
                let path = by_name(folder, name)?;
                let parent = path.parent().filter(|_| path != *folder).unwrap_or(folder);
                match entry.header().entry_type() {
                    EntryType::Regular if parent.symlink_metadata()?.is_dir() => {
                        make_at(entry, &path, folder)
                    }
                    _ => make(entry, name, folder),
                }
            },
            ..STEPS
        }
        .create(tar, layer)
    });

/// What is there already gives way, whatever it is: also the layer itself.
pub const WHAT_IS_THERE_GIVES_WAY: Mistake<Answers> =
    mistake("what_is_there_gives_way", "rootfs/layer-is-a-symlink", |tar, layer| {
        Steps {
            make: |entry, name, folder| {
                let path = place(folder, name)?;
                match (entry.header().entry_type(), path.symlink_metadata()) {
                    (EntryType::Directory, _) | (_, Err(_)) => {}
                    (_, Ok(there)) if there.is_dir() => fs::remove_dir_all(&path)?,
                    (_, Ok(_)) => fs::remove_file(&path)?,
                }
                match entry.header().entry_type() {
                    EntryType::Symlink => make_at(entry, &path, folder),
                    _ => make(entry, name, folder),
                }
            },
            ..STEPS
        }
        .create(tar, layer)
    });

/// Checks the name and not the way: a symbolic link bends it.
pub const PLANTED_SYMLINK_FOLLOWED: Mistake<Answers> =
    mistake("planted_symlink_followed", "rootfs/planted-symlink-followed", |tar, layer| {
        Steps {
            make: |entry, name, folder| match entry.header().entry_type() {
                EntryType::Regular | EntryType::Link => {
                    make_at(entry, &by_name(folder, name)?, folder)
                }
                _ => make(entry, name, folder),
            },
            ..STEPS
        }
        .create(tar, layer)
    });

/// File::create opens what is there, by way of a link too, and empties it. What is seen to
/// be a file is removed first.
pub const FILE_WRITTEN_THROUGH_A_SYMLINK: Mistake<Answers> =
    mistake("file_written_through_a_symlink", "rootfs/written-through-symlink", |tar, layer| {
        Steps::making(EntryType::Regular, |entry, path, _| {
            if path.symlink_metadata().is_ok_and(|data| data.is_file()) {
                fs::remove_file(path)?;
            }
            io::copy(entry, &mut File::create(path)?).map(drop)
        })
        .create(tar, layer)
    });

/// create_dir_all is content with a symbolic link to a folder; mode and time
/// then go to that folder.
pub const FOLDER_TAKEN_THROUGH_A_SYMLINK: Mistake<Answers> =
    mistake("folder_taken_through_a_symlink", "rootfs/attributes-through-symlink", |tar, layer| {
        Steps::making(EntryType::Directory, |_, path, _| fs::create_dir_all(path))
            .create(tar, layer)
    });

/// Checks the name of the link and not what it is a link to.
pub const HARD_LINK_TO_OUTSIDE: Mistake<Answers> =
    mistake("hard_link_to_outside", "rootfs/hard-link-to-outside", |tar, layer| {
        Steps::making(EntryType::Link, |entry, path, folder| {
            fs::hard_link(folder.join(target(entry)?), path)
        })
        .create(tar, layer)
    });

/// The first entry makes the layer, whatever that entry is.
pub const LAYER_MADE_BY_ITS_ENTRY: Mistake<Answers> =
    mistake("layer_made_by_its_entry", "rootfs/layer-is-a-symlink", |tar, layer| {
        Steps {
            make: |entry, name, folder| {
                let path = by_name(folder, name)?;
                if path == *folder {
                    fs::remove_dir(folder)?;
                } else if folder.symlink_metadata()?.is_dir() {
                    // All that is in it is checked.
                    place(folder, name)?;
                }
                match entry.header().entry_type() {
                    EntryType::Directory | EntryType::Symlink | EntryType::Regular => {
                        make_at(entry, &path, folder)
                    }
                    _ => make(entry, name, folder),
                }
            },
            ..STEPS
        }
        .create(tar, layer)
    });
