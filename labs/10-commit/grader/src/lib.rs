//! What must hold of an answer to lab 10, and how to find out.

mod acts;
mod archive;
mod calls;
pub mod change;
mod changed_files;
mod changes;
mod container;
mod generated;
mod images;
mod killed;
mod layer_tar;
mod listing;
mod made;
mod meanwhile;
mod names;
mod oracle;
mod same_bytes;
mod store;
mod tearing;
mod untouched;
mod world;
mod written;

use labkit::exam::{Exam, Promise};
use labkit::need::Need::{DeviceFiles, Overlay, Owners, Root};

pub use acts::{ACTS, Answers};

/// The lab.
pub static EXAM: Exam = Exam {
    lab_toml: include_str!("../../lab.toml"),
    promises: &[
        // changed_files
        Promise::new("new_and_changed_files_are_told_apart", changed_files::new_and_changed),
        Promise::new("a_file_with_the_same_content_is_changed", changed_files::same_content),
        Promise::new("whiteouts_are_deletions", changed_files::whiteouts),
        Promise::new("opaque_directories_are_emptied", changed_files::opaque_directories)
            .needing(&[Overlay]),
        Promise::new("every_layer_below_counts", changed_files::every_layer),
        Promise::new("layers_hide_what_is_below_them", changed_files::hidden_below)
            .needing(&[Overlay]),
        Promise::new("a_copied_up_directory_is_no_change", changed_files::copied_up_directories),
        Promise::new("all_names_of_a_file_are_told", changed_files::hard_links),
        Promise::new("links_are_files", changed_files::links),
        Promise::new("the_order_is_that_of_the_names", changed_files::order),
        Promise::new("names_may_have_any_bytes", changed_files::odd_names),
        Promise::new("what_a_container_did_is_told", changed_files::of_a_container)
            .needing(&[Overlay]),
        Promise::new("the_marks_of_roots_containers_count", changed_files::of_a_container)
            .needing(&[Root]),
        Promise::new("any_write_layer_is_compared", changed_files::any_world_is_compared)
            .needing(&[Overlay]),
        Promise::new("a_failed_call_is_no_list", changed_files::failures).needing(&[Overlay]),
        Promise::new("comparing_leaves_nothing_behind", changed_files::nothing_else),
        // write_layer_tar
        Promise::new("everything_is_in_the_archive", layer_tar::everything),
        Promise::new("whiteouts_become_names", layer_tar::whiteouts),
        Promise::new("what_a_container_did_is_archived", layer_tar::of_a_container)
            .needing(&[Overlay]),
        Promise::new("roots_containers_are_archived", layer_tar::of_a_container).needing(&[Root]),
        Promise::new("hard_links_stay_links", layer_tar::hard_links),
        Promise::new("modes_and_times_are_kept", layer_tar::modes_and_times),
        Promise::new("owners_are_kept", layer_tar::owners).needing(&[Owners]),
        Promise::new("attributes_are_kept_but_overlays_own", layer_tar::attributes)
            .needing(&[Overlay]),
        Promise::new("long_and_odd_names_are_kept", names::are_kept),
        Promise::new("no_link_is_followed", layer_tar::links),
        Promise::new("sockets_are_left_out", layer_tar::sockets),
        Promise::new("devices_keep_their_numbers", layer_tar::devices).needing(&[DeviceFiles]),
        Promise::new("entries_are_in_the_order_of_the_names", layer_tar::order),
        Promise::new("the_same_files_give_the_same_bytes", same_bytes::the_same_bytes)
            .needing(&[Overlay]),
        Promise::new("a_name_like_a_mark_is_refused", layer_tar::reserved_names),
        Promise::new("a_few_bytes_at_a_time_are_enough", layer_tar::a_few_bytes),
        Promise::new("a_failed_write_is_told", layer_tar::failed_writes),
        Promise::new("a_file_that_changes_tears_nothing", tearing::meanwhile),
        Promise::new("any_write_layer_is_archived", layer_tar::any_layer).needing(&[Overlay]),
        Promise::new("a_failed_call_is_no_archive", layer_tar::failures).needing(&[Overlay]),
        Promise::new("archiving_leaves_nothing_behind", layer_tar::nothing_else),
        // new_image
        Promise::new("the_image_is_there", images::is_there),
        Promise::new("no_link_leads_to_a_link", images::shared),
        Promise::new("layers_keep_their_numbers", images::many_layers),
        Promise::new("it_appears_whole", meanwhile::appears_whole),
        Promise::new("an_existing_name_is_refused", images::existing_names),
        Promise::new("what_appears_meanwhile_stays", meanwhile::appears_meanwhile).long(),
        Promise::new("names_are_checked", images::names_are_checked),
        Promise::new("a_missing_layer_is_an_error", images::missing_base),
        Promise::new("a_damaged_archive_leaves_nothing", images::damaged_archives),
        Promise::new("a_failed_call_leaves_nothing", images::failures).long(),
        Promise::new("a_killed_call_leaves_no_half_image", killed::killed).long(),
        Promise::new("nothing_is_left_open", images::nothing_is_left_open),
    ],
};

/// What the codes of this lab begin with.
const LAB: &str = "commit";
