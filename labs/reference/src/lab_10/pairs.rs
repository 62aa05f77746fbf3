//! Two faults at once in lab 10.

use std::fs;
use std::os::unix::fs::MetadataExt;

use lab_10_grader::Answers;
use lab_10_grader::change::Kind;

use super::SOLUTION;
use super::solution::{changed_files, header};
use super::steps::{MAKING, Making, WRITING, Writing};
use crate::catalogue::Pair;

/// See each one's name.
pub static PAIRS: &[Pair<Answers>] = &[
    // What docker diff shows, and no more.
    Pair {
        name: "no_deletions_and_no_hard_links",
        broken: &[
            ("whiteouts_are_deletions", "commit/whiteout-left-out"),
            ("every_layer_below_counts", "commit/whiteout-left-out"),
            ("layers_hide_what_is_below_them", "commit/whiteout-left-out"),
            ("all_names_of_a_file_are_told", "commit/hard-links-not-told"),
            ("what_a_container_did_is_told", "commit/whiteout-left-out"),
            ("the_marks_of_roots_containers_count", "commit/whiteout-left-out"),
            ("any_write_layer_is_compared", "commit/whiteout-left-out"),
        ],
        answers: Answers {
            changed_files: |write_layer, layers| {
                let mut changes = changed_files(write_layer, layers)?;
                changes.retain(|it| it.kind != Kind::Deleted);
                changes.iter_mut().for_each(|it| it.hard_link = None);
                Ok(changes)
            },
            ..SOLUTION
        },
    },
    Pair {
        name: "no_special_bits_and_hard_links_copied",
        broken: &[
            ("what_a_container_did_is_archived", "commit/hard-links-copied"),
            ("roots_containers_are_archived", "commit/hard-links-copied"),
            ("hard_links_stay_links", "commit/hard-links-copied"),
            ("modes_and_times_are_kept", "commit/special-bits-lost"),
            ("attributes_are_kept_but_overlays_own", "commit/hard-links-copied"),
            ("long_and_odd_names_are_kept", "commit/hard-links-copied"),
            ("the_same_files_give_the_same_bytes", "commit/hard-links-copied"),
            ("any_write_layer_is_archived", "commit/hard-links-copied"),
        ],
        answers: Answers {
            write_layer_tar: |write_layer, out| {
                Writing {
                    keeps_hard_links: false,
                    header: |metadata| {
                        let mut header = header(metadata);
                        header.set_mode(metadata.mode() & 0o777);
                        header
                    },
                    ..WRITING
                }
                .write(write_layer, out)
            },
            ..SOLUTION
        },
    },
    Pair {
        name: "plain_rename_and_left_overs",
        broken: &[
            ("what_appears_meanwhile_stays", "commit/existing-image-replaced"),
            ("a_missing_layer_is_an_error", "commit/left-over-stays"),
            ("a_damaged_archive_leaves_nothing", "commit/left-over-stays"),
            ("a_failed_call_leaves_nothing", "commit/left-over-stays"),
        ],
        answers: Answers {
            new_image: |images, base, name, archive| {
                Making {
                    rename: |draft, image| fs::rename(draft, image),
                    clean_up: |_| Ok(()),
                    ..MAKING
                }
                .make(images, base, name, archive)
            },
            ..SOLUTION
        },
    },
];
