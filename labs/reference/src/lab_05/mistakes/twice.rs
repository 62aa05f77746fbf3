//! Names that come twice, second names of links, and what is opened or found on the way.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io;
use std::os::fd::IntoRawFd;
use std::path::{Path, PathBuf};

use lab_05_grader::Answers;
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;
use tar::{Archive, EntryType};

use super::{mistake, target};
use crate::catalogue::Mistake;
use crate::lab_05::solution::{create_read_only_layer, make, naming, set_attributes, unpack};
use crate::lab_05::steps::{STEPS, Steps, create};

/// What comes later counts, also where a link comes in place of a directory: the mode of
/// that directory is set at the end, by its name.
pub const LINK_IN_PLACE_OF_A_DIRECTORY: Mistake<Answers> =
    mistake("link_in_place_of_a_directory", "rootfs/attributes-through-symlink", |tar, layer| {
        Steps {
            make: |entry, name, folder| {
                let path = folder.join(name);
                let is_directory = path.symlink_metadata().is_ok_and(|data| data.is_dir());
                if entry.header().entry_type() == EntryType::Symlink
                    && is_directory
                    && path != folder
                {
                    fs::remove_dir_all(&path)?;
                }
                make(entry, name, folder)
            },
            ..STEPS
        }
        .create(tar, layer)
    });

/// Remembers the links by their entries, and a hard link to one is no such entry.
pub const ONLY_LINK_ENTRIES_REMEMBERED: Mistake<Answers> =
    mistake("only_link_entries_remembered", "rootfs/planted-symlink-followed", |tar, layer| {
        create(tar, layer, |tar, folder| {
            let mut links: BTreeSet<PathBuf> = BTreeSet::new();
            let mut folders = Vec::new();
            for entry in Archive::new(File::open(tar)?).entries()? {
                let mut entry = entry?;
                let name = entry.path()?.into_owned();
                let second = name.ancestors().skip(1).find(|it| folder.join(it).is_symlink());
                let is_known = second.is_none_or(|it| links.contains(it));
                if entry.header().entry_type() == EntryType::Symlink {
                    links.insert(name.clone());
                }
                if !is_known {
                    io::copy(&mut entry, &mut File::create_new(folder.join(&name))?)?;
                    continue;
                }
                let made = make(&mut entry, &name, folder);
                let path = made.map_err(|error| naming(&name, error))?;
                match entry.header().entry_type() {
                    EntryType::Directory => folders.push((path, name, entry.header().clone())),
                    EntryType::Link => {}
                    _ => set_attributes(&path, entry.header())
                        .map_err(|error| naming(&name, error))?,
                }
            }
            folders.iter().try_for_each(|(path, name, header)| {
                set_attributes(path, header).map_err(|error| naming(name, error))
            })
        })
    });

/// Opens what it has made, to see that it is there.
pub const FIFO_OPENED: Mistake<Answers> =
    mistake("fifo_opened", "rootfs/fifo-opened", |tar, layer| {
        Steps::making(EntryType::Fifo, |_, path, _| {
            mkfifo(path, Mode::S_IRUSR)?;
            File::open(path).map(drop)
        })
        .create(tar, layer)
    });

/// The parent of the layer is looked at first; that of a bare name is "".
pub const PARENT_OF_A_BARE_NAME: Mistake<Answers> =
    mistake("parent_of_a_bare_name", "rootfs/relative-path-fails", |tar, layer| {
        layer.parent().unwrap_or(Path::new(".")).metadata()?;
        create_read_only_layer(tar, layer)
    });

/// What is empty is not there yet.
pub const EMPTY_LAYER_FILLED: Mistake<Answers> =
    mistake("empty_layer_filled", "rootfs/empty-layer-filled", |tar, layer| {
        let is_empty = fs::read_dir(layer).is_ok_and(|mut entries| entries.next().is_none());
        if is_empty && tar.exists() {
            fs::remove_dir(layer)?;
        }
        create_read_only_layer(tar, layer)
    });

/// Closed in the last line, which an error does not reach.
pub const ARCHIVE_LEFT_OPEN_BY_AN_ERROR: Mistake<Answers> =
    mistake("archive_left_open_by_an_error", "rootfs/descriptors-left-open", |tar, layer| {
        create(tar, layer, |tar, folder| {
            let archive = File::open(tar)?;
            unpack(tar, folder).inspect_err(|_| {
                let _ = archive.into_raw_fd();
            })
        })
    });

/// The target of a link is what is in the header, and 100 bytes are enough for that.
pub const LINK_TARGET_OF_THE_HEADER: Mistake<Answers> =
    mistake("link_target_of_the_header", "rootfs/long-name-cut", |tar, layer| {
        Steps::making(EntryType::Symlink, |entry, path, _| {
            let long = target(entry)?;
            let short = entry.header().link_name()?.map(|name| name.into_owned());
            std::os::unix::fs::symlink(short.unwrap_or(long), path)
        })
        .create(tar, layer)
    });
