//! Other right answers to lab 05.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use lab_05_grader::Answers;
use tar::EntryType;

use super::solution::remove;
use super::steps::{Steps, unpack_and_rename};
use crate::catalogue::Variant;

/// Right, and not as the solution does it.
pub static RIGHT: &[Variant<Answers>] = &[
    // What comes later counts: a new file in the place of what has this name.
    Variant {
        name: "second_file_replaces_the_first",
        answers: Answers {
            create_read_only_layer: |tar, layer| {
                Steps::making(EntryType::Regular, |entry, path, _| {
                    if path.symlink_metadata().is_ok_and(|data| !data.is_dir()) {
                        fs::remove_file(path)?;
                    }
                    io::copy(entry, &mut File::create_new(path)?).map(drop)
                })
                .create(tar, layer)
            },
        },
    },
    // One directory for all that is unfinished, with a name that says nothing about the layer.
    Variant {
        name: "unfinished_in_one_place",
        answers: Answers {
            create_read_only_layer: |tar, layer| {
                if layer.symlink_metadata().is_ok() {
                    return Ok(());
                }
                let unfinished = layer.with_file_name(".unpacking");
                remove(&unfinished)?;
                fs::create_dir(&unfinished)?;
                unpack_and_rename(tar, &unfinished, layer, |tar: &Path, folder: &Path| {
                    super::steps::STEPS.unpack(tar, folder)
                })
            },
        },
    },
];
