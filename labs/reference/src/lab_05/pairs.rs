//! Two faults at once in lab 05.

use std::fs::File;
use std::io;
use std::process::Command;

use lab_05_grader::Answers;
use tar::EntryType;

use super::steps::{Steps, create};
use crate::catalogue::Pair;

/// See each one's name.
pub static PAIRS: &[Pair<Answers>] = &[
    // The blog's one line. GNU tar takes off a name what leads out, and goes on:
    // whoever reads only the exit status does not learn of it.
    Pair {
        name: "shells_out_to_tar",
        broken: &[
            // It goes by the names of users and groups, if there are some.
            ("all_have_their_owners", "rootfs/owners-lost"),
            // GNU tar doubles a backslash in what it says.
            ("what_cannot_be_made_is_an_error", "rootfs/name-escaped"),
            ("no_name_leads_outside", "rootfs/hostile-name-rewritten"),
            ("no_symbolic_link_is_followed", "rootfs/planted-symlink-followed"),
            // A header that is cut off is the end for it.
            ("a_damaged_archive_leaves_nothing", "rootfs/cut-archive-taken-for-whole"),
            ("no_other_program_is_started", "rootfs/another-program"),
            // GNU tar takes a directory for done when an entry is not in it.
            ("any_archive_is_unpacked", "rootfs/folder-times-lost"),
            ("any_hostile_archive_is_refused", "rootfs/hostile-name-rewritten"),
        ],
        answers: Answers {
            create_read_only_layer: |tar, layer| {
                create(tar, layer, |tar, folder| {
                    let mut command = Command::new("tar");
                    command.arg("--extract").arg("--same-permissions").arg("--file").arg(tar);
                    let output = command.arg("--directory").arg(folder).output()?;
                    match output.status.success() {
                        true => Ok(()),
                        false => Err(io::Error::other(String::from_utf8_lossy(&output.stderr))),
                    }
                })
            },
        },
    },
    // File::create opens what is there: by another name of a file, and by a link.
    Pair {
        name: "file_create",
        broken: &[
            ("hard_links_are_one_file", "rootfs/written-through-hard-link"),
            ("no_symbolic_link_is_followed", "rootfs/written-through-symlink"),
        ],
        answers: Answers {
            create_read_only_layer: |tar, layer| {
                Steps::making(EntryType::Regular, |entry, path, _| {
                    io::copy(entry, &mut File::create(path)?).map(drop)
                })
                .create(tar, layer)
            },
        },
    },
];
