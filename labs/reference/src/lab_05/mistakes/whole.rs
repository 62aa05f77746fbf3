//! Errors, left-overs, second runs and killed ones.

use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::process::Command;

use lab_05_grader::Answers;
use tar::{Archive, EntryType};

use super::mistake;
use crate::catalogue::Mistake;
use crate::lab_05::solution::{
    create_read_only_layer, make, naming, place, remove, set_attributes, unpack,
};
use crate::lab_05::steps::{STEPS, Steps, create, unpack_and_rename};

/// Who may not make devices shall do without: nobody is told.
pub const DEVICES_LEFT_OUT: Mistake<Answers> =
    mistake("devices_left_out", "rootfs/entry-skipped", |tar, layer| {
        Steps {
            failed: |name, error| match error.kind() {
                io::ErrorKind::PermissionDenied => Ok(()),
                _ => Err(naming(name, error)),
            },
            ..STEPS
        }
        .create(tar, layer)
    });

/// The errors scroll by, and the exit status is 0.
pub const ERRORS_ONLY_PRINTED: Mistake<Answers> =
    mistake("errors_only_printed", "rootfs/entry-skipped", |tar, layer| {
        Steps {
            failed: |name, error| {
                eprintln!("{}: {error}", name.display());
                Ok(())
            },
            ..STEPS
        }
        .create(tar, layer)
    });

/// "Operation not permitted": on which of 10 000 files?
pub const ERRORS_WITHOUT_NAMES: Mistake<Answers> =
    mistake("errors_without_names", "rootfs/error-without-name", |tar, layer| {
        Steps { failed: |_, error| Err(error), ..STEPS }.create(tar, layer)
    });

/// Only what is made is named, and not what gets its owner, its mode or its time.
pub const ATTRIBUTES_WITHOUT_NAMES: Mistake<Answers> =
    mistake("attributes_without_names", "rootfs/error-without-name", |tar, layer| {
        create(tar, layer, |tar, folder| {
            let mut folders = Vec::new();
            for entry in Archive::new(File::open(tar)?).entries()? {
                let mut entry = entry?;
                let name = entry.path()?.into_owned();
                let made = make(&mut entry, &name, folder);
                let path = made.map_err(|error| naming(&name, error))?;
                match entry.header().entry_type() {
                    EntryType::Directory => folders.push((path, entry.header().clone())),
                    EntryType::Link => {}
                    _ => set_attributes(&path, entry.header())?,
                }
            }
            folders.iter().try_for_each(|(path, header)| set_attributes(path, header))
        })
    });

/// flatten() drops the errors: so does `while let Some(Ok(entry))`.
pub const ERRORS_FLATTENED: Mistake<Answers> =
    mistake("errors_flattened", "rootfs/cut-archive-taken-for-whole", |tar, layer| {
        create(tar, layer, |tar, folder| {
            let mut archive = Archive::new(File::open(tar)?);
            STEPS.unpack_entries(archive.entries()?.flatten().map(Ok), folder)
        })
    });

/// The name as a debugger shows it.
pub const NAMES_IN_QUOTES: Mistake<Answers> =
    mistake("names_in_quotes", "rootfs/name-escaped", |tar, layer| {
        Steps {
            failed: |name, error| Err(io::Error::new(error.kind(), format!("{name:?}: {error}"))),
            ..STEPS
        }
        .create(tar, layer)
    });

/// The blog's: the folder is there, so it is unpacked.
pub const FOLDER_THERE_SO_DONE: Mistake<Answers> =
    mistake("folder_there_so_done", "rootfs/half-taken-for-whole", |tar, layer| {
        if layer.exists() {
            return Ok(());
        }
        fs::create_dir(layer)?;
        unpack(tar, layer)
    });

/// Unpacks beside it to see that all is well, and then once more in place: half of
/// that is a folder that is there, too.
pub const TRIED_BESIDE_IT: Mistake<Answers> =
    mistake("tried_beside_it", "rootfs/half-taken-for-whole", |tar, layer| {
        if layer.exists() {
            return Ok(());
        }
        let trial = layer.with_added_extension("trial");
        remove(&trial)?;
        create_read_only_layer(tar, &trial)?;
        fs::create_dir(layer)?;
        let made = unpack(tar, layer);
        remove(&trial)?;
        made.or_else(|error| remove(layer).and(Err(error)))
    });

/// As long as it is not whole, there is a note beside it, for those who ask.
pub const UNPACKED_IN_PLACE: Mistake<Answers> =
    mistake("unpacked_in_place", "rootfs/unpacked-in-place", |tar, layer| {
        let note = layer.with_added_extension("is-not-whole");
        if layer.exists() && !note.exists() {
            return Ok(());
        }
        fs::write(&note, "")?;
        remove(layer)?;
        let made = fs::create_dir(layer).and_then(|()| unpack(tar, layer));
        let made = made.or_else(|error| remove(layer).and(Err(error)));
        fs::remove_file(note)?;
        made
    });

/// Whatever comes of the last step: there is nothing that could be done about it.
pub const RENAME_ERROR_IGNORED: Mistake<Answers> =
    mistake("rename_error_ignored", "rootfs/error-ignored", |tar, layer| {
        if layer.exists() {
            return Ok(());
        }
        let unfinished = layer.with_added_extension("unfinished");
        remove(&unfinished)?;
        fs::create_dir(&unfinished)?;
        if let Err(error) = unpack(tar, &unfinished) {
            return remove(&unfinished).and(Err(error));
        }
        let _ = fs::rename(&unfinished, layer);
        Ok(())
    });

/// mv(1) for the last step: what is a rename, and what is done where that is none, is
/// its affair.
pub const MOVED_BY_MV: Mistake<Answers> =
    mistake("moved_by_mv", "rootfs/another-program", |tar, layer| {
        if layer.exists() {
            return Ok(());
        }
        let unfinished = layer.with_added_extension("unfinished");
        remove(&unfinished)?;
        fs::create_dir(&unfinished)?;
        let made = unpack(tar, &unfinished).and_then(|()| {
            let moved = Command::new("mv").arg(&unfinished).arg(layer).status()?;
            if moved.success() { Ok(()) } else { Err(io::Error::other("mv has failed")) }
        });
        made.or_else(|error| remove(&unfinished).and(Err(error)))
    });

/// Clears what killed runs have left, by the beginning of its name: so are the names
/// of other layers, and of what belongs to them.
pub const LEFT_OVERS_BY_PREFIX: Mistake<Answers> =
    mistake("left_overs_by_prefix", "rootfs/neighbours-deleted", |tar, layer| {
        let name = layer.file_name().unwrap_or_default().as_encoded_bytes();
        let absolute = std::path::absolute(layer)?;
        for entry in fs::read_dir(absolute.parent().unwrap_or(layer))? {
            let entry = entry?;
            let is_longer = entry.file_name().len() > name.len();
            if is_longer && entry.file_name().as_encoded_bytes().starts_with(name) {
                remove(&entry.path())?;
            }
        }
        create_read_only_layer(tar, layer)
    });

/// The archive stays open for the next time.
pub const ARCHIVE_LEFT_OPEN: Mistake<Answers> =
    mistake("archive_left_open", "rootfs/descriptors-left-open", |tar, layer| {
        create_read_only_layer(tar, layer)?;
        std::mem::forget(File::open(tar));
        Ok(())
    });

/// What a killed run has left makes each later one fail.
pub const LEFT_OVER_IN_THE_WAY: Mistake<Answers> =
    mistake("left_over_in_the_way", "rootfs/left-over-in-the-way", |tar, layer| {
        if layer.exists() {
            return Ok(());
        }
        let unfinished = layer.with_added_extension("unfinished");
        fs::create_dir(&unfinished)?;
        unpack_and_rename(tar, &unfinished, layer, unpack)
    });

/// Clears what a killed run has left, wherever its name leads.
pub const LEFT_OVER_EMPTIED_THROUGH_A_LINK: Mistake<Answers> =
    mistake("left_over_emptied_through_a_link", "rootfs/left-over-followed", |tar, layer| {
        let unfinished = layer.with_added_extension("unfinished");
        if unfinished.is_dir() {
            for entry in fs::read_dir(&unfinished)? {
                remove(&entry?.path())?;
            }
        }
        create_read_only_layer(tar, layer)
    });

/// What a killed run has left is gone on with, whatever archive it was from.
pub const LEFT_OVER_TAKEN_IN: Mistake<Answers> =
    mistake("left_over_taken_in", "rootfs/left-over-taken-in", |tar, layer| {
        if layer.exists() {
            return Ok(());
        }
        let steps = Steps {
            make: |entry, name, folder| {
                let path = place(folder, name)?;
                match (entry.header().entry_type(), path.symlink_metadata()) {
                    (EntryType::Directory, Ok(there)) if there.is_dir() => return Ok(path),
                    (_, Ok(there)) if !there.is_dir() => fs::remove_file(&path)?,
                    _ => {}
                }
                make(entry, name, folder)
            },
            ..STEPS
        };
        let unfinished = layer.with_added_extension("unfinished");
        fs::create_dir_all(&unfinished)?;
        unpack_and_rename(tar, &unfinished, layer, |tar, folder| steps.unpack(tar, folder))
    });

/// A name of its own for each run: what a killed one has left, nobody finds.
pub const LEFT_OVERS_PILE_UP: Mistake<Answers> =
    mistake("left_overs_pile_up", "rootfs/left-over-stays", |tar, layer| {
        if layer.exists() {
            return Ok(());
        }
        let unfinished = layer.with_added_extension(std::process::id().to_string());
        fs::create_dir(&unfinished)?;
        unpack_and_rename(tar, &unfinished, layer, unpack)
    });

/// `?` leaves the function before it has cleaned up.
pub const LEFT_OVER_OF_AN_ERROR: Mistake<Answers> =
    mistake("left_over_of_an_error", "rootfs/left-over-stays", |tar, layer| {
        if layer.exists() {
            return Ok(());
        }
        let unfinished = layer.with_added_extension("unfinished");
        remove(&unfinished)?;
        fs::create_dir(&unfinished)?;
        unpack(tar, &unfinished)?;
        fs::rename(&unfinished, layer)
    });

/// Unpacks in /tmp: a rename does not lead from one file system to another.
pub const UNPACKED_IN_TMP: Mistake<Answers> =
    mistake("unpacked_in_tmp", "rootfs/another-file-system", |tar, layer| {
        if layer.exists() {
            return Ok(());
        }
        let unfinished = Path::new("/tmp/read-only-layer.unfinished");
        remove(unfinished)?;
        fs::create_dir(unfinished)?;
        unpack_and_rename(tar, unfinished, layer, unpack)
    });

/// Begins anew each time: the layer changes below the containers on it.
pub const UNPACKED_ON_EVERY_RUN: Mistake<Answers> =
    mistake("unpacked_on_every_run", "rootfs/unpacked-again", |tar, layer| {
        let new = layer.with_added_extension("new");
        remove(&new)?;
        create_read_only_layer(tar, &new)?;
        remove(layer)?;
        fs::rename(new, layer)
    });

/// Opens the archive before it looks whether it needs it.
pub const ARCHIVE_OPENED_FIRST: Mistake<Answers> =
    mistake("archive_opened_first", "rootfs/archive-asked-for-again", |tar, layer| {
        File::open(tar)?;
        create_read_only_layer(tar, layer)
    });

/// Takes what is there for an error.
pub const LAYER_THERE_IS_AN_ERROR: Mistake<Answers> =
    mistake("layer_there_is_an_error", "answer/returned-error", |tar, layer| {
        match layer.exists() {
            true => Err(io::ErrorKind::AlreadyExists.into()),
            false => create_read_only_layer(tar, layer),
        }
    });
