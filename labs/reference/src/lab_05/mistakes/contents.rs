//! What there is in the layer, and what it is.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::symlink;
use std::path::Path;

use lab_05_grader::Answers;
use nix::sys::stat::{Mode, SFlag, mknod};
use tar::EntryType;

use super::{mistake, target};
use crate::catalogue::Mistake;
use crate::lab_05::solution::{make, place, set_attributes};
use crate::lab_05::steps::{STEPS, Steps};

/// Ok(()) to see what the tests say.
pub const DOES_NOTHING: Mistake<Answers> =
    mistake("does_nothing", "answer/did-nothing", |_, _| Ok(()));

/// One read for a file: it returns as much as it likes.
pub const ONE_READ_PER_FILE: Mistake<Answers> =
    mistake("one_read_per_file", "rootfs/contents-cut", |tar, layer| {
        Steps::making(EntryType::Regular, |entry, path, _| {
            let mut buffer = [0; 8192];
            let count = entry.read(&mut buffer)?;
            File::create_new(path)?.write_all(&buffer[..count])
        })
        .create(tar, layer)
    });

/// Files are text, are they not?
pub const CONTENTS_AS_TEXT: Mistake<Answers> =
    mistake("contents_as_text", "answer/returned-error", |tar, layer| {
        Steps::making(EntryType::Regular, |entry, path, _| {
            File::create_new(path)?.write_all(io::read_to_string(entry)?.as_bytes())
        })
        .create(tar, layer)
    });

/// The header's own name has 100 bytes; the entry knows the long one.
pub const NAME_FROM_THE_HEADER: Mistake<Answers> =
    mistake("name_from_the_header", "rootfs/long-name-cut", |tar, layer| {
        Steps {
            make: |entry, _, folder| {
                let name = entry.header().path()?.into_owned();
                make(entry, &name, folder)
            },
            ..STEPS
        }
        .create(tar, layer)
    });

/// Follows the link to copy what it leads to, so that "the file is really there".
pub const SYMLINKS_COPIED: Mistake<Answers> =
    mistake("symlinks_copied", "rootfs/symlink-followed", |tar, layer| {
        Steps {
            set_attributes: |path, header| match header.entry_type() {
                EntryType::Symlink => Ok(()),
                _ => set_attributes(path, header),
            },
            ..Steps::making(EntryType::Symlink, |entry, path, folder| {
                let from = path.parent().unwrap_or(folder).join(target(entry)?);
                match from.is_dir() {
                    true => fs::create_dir(path),
                    false => fs::copy(from, path).map(drop),
                }
            })
        }
        .create(tar, layer)
    });

/// Lets an absolute link lead into the layer: inside of the container, where
/// the layer is the root, it leads nowhere.
pub const SYMLINK_TARGETS_BELOW_THE_LAYER: Mistake<Answers> =
    mistake("symlink_targets_below_the_layer", "rootfs/symlink-target-rewritten", |tar, layer| {
        Steps::making(EntryType::Symlink, |entry, path, folder| {
            let target = target(entry)?;
            match target.strip_prefix("/") {
                Ok(below) => symlink(folder.join(below), path),
                Err(_) => symlink(target, path),
            }
        })
        .create(tar, layer)
    });

/// 300 applets of busybox, 300 copies of 2 MB.
pub const HARD_LINKS_COPIED: Mistake<Answers> =
    mistake("hard_links_copied", "rootfs/hard-links-copied", |tar, layer| {
        Steps::making(EntryType::Link, |entry, path, folder| {
            fs::copy(place(folder, &target(entry)?)?, path)?;
            set_attributes(path, entry.header())
        })
        .create(tar, layer)
    });

/// Takes everything that is no folder and no symbolic link for a file: the
/// entry of a hard link has no data.
pub const HARD_LINKS_AS_FILES: Mistake<Answers> =
    mistake("hard_links_as_files", "rootfs/hard-links-empty", |tar, layer| {
        Steps::making(EntryType::Link, |entry, path, folder| {
            // One that leads outside is refused all the same.
            place(folder, &target(entry)?)?;
            File::create_new(path)?;
            set_attributes(path, entry.header())
        })
        .create(tar, layer)
    });

/// What is unknown is a file: so does `Entry::unpack` of the crate tar. Then
/// `echo > /dev/null` in a container fills the disk.
pub const DEVICES_AS_FILES: Mistake<Answers> =
    mistake("devices_as_files", "rootfs/device-as-regular-file", |tar, layer| {
        Steps {
            make: |entry, name, folder| match entry.header().entry_type() {
                EntryType::Char | EntryType::Block | EntryType::Fifo => {
                    let path = place(folder, name)?;
                    entry.unpack(&path)?;
                    Ok(path)
                }
                _ => make(entry, name, folder),
            },
            ..STEPS
        }
        .create(tar, layer)
    });

/// A String for a name, whatever it takes.
pub const NAMES_AS_TEXT: Mistake<Answers> =
    mistake("names_as_text", "rootfs/lossy-names", |tar, layer| {
        Steps {
            make: |entry, name, folder| make(entry, Path::new(&*name.to_string_lossy()), folder),
            ..STEPS
        }
        .create(tar, layer)
    });

/// to_str().unwrap(): an archive may have been made where names are Latin-1.
pub const NAMES_UNWRAPPED: Mistake<Answers> =
    mistake("names_unwrapped", "answer/panicked", |tar, layer| {
        Steps {
            make: |entry, name, folder| make(entry, Path::new(name.to_str().unwrap()), folder),
            ..STEPS
        }
        .create(tar, layer)
    });

/// The header's own field, once more: what a link leads to may be long, too.
pub const LINK_FROM_THE_HEADER: Mistake<Answers> =
    mistake("link_from_the_header", "rootfs/long-name-cut", |tar, layer| {
        Steps::making(EntryType::Symlink, |entry, path, _| {
            symlink(entry.header().link_name()?.unwrap_or_default(), path)
        })
        .create(tar, layer)
    });

/// A link is a link, is it not? A program that is looked at by lstat(2) is none.
pub const HARD_LINKS_AS_SYMLINKS: Mistake<Answers> =
    mistake("hard_links_as_symlinks", "rootfs/hard-links-as-symlinks", |tar, layer| {
        Steps::making(EntryType::Link, |entry, path, folder| {
            // One that leads outside is refused all the same.
            place(folder, &target(entry)?)?;
            symlink(Path::new("/").join(target(entry)?), path)
        })
        .create(tar, layer)
    });

/// makedev by hand, from the time when a minor number was a byte.
pub const DEVICE_NUMBERS_OF_16_BITS: Mistake<Answers> =
    mistake("device_numbers_of_16_bits", "rootfs/device-number-wrong", |tar, layer| {
        Steps {
            make: |entry, name, folder| {
                let header = entry.header();
                let kind = match header.entry_type() {
                    EntryType::Char => SFlag::S_IFCHR,
                    EntryType::Block => SFlag::S_IFBLK,
                    _ => return make(entry, name, folder),
                };
                let major = header.device_major()?.unwrap_or_default();
                let minor = header.device_minor()?.unwrap_or_default();
                let path = place(folder, name)?;
                mknod(&path, kind, Mode::empty(), u64::from(major << 8 | minor & 0xff))?;
                Ok(path)
            },
            ..STEPS
        }
        .create(tar, layer)
    });
