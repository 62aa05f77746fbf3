//! What must hold of an answer to lab 08, and how to find out.

mod acts;
mod call;
mod diagnosis;
mod facts;
mod mount_point;
mod paths;
mod scene;
mod stage;
mod unresolved;
mod whole;
mod world;
mod worlds;
mod write_layer;

use labkit::exam::{Exam, Promise};
use labkit::need::Need;

pub use acts::{ACTS, Answers, Function};

/// The lab.
pub static EXAM: Exam = Exam {
    lab_toml: include_str!("../../lab.toml"),
    promises: &[
        // delete_mount_point
        Promise::new("nothing_is_mounted_any_more", mount_point::nothing_is_mounted),
        Promise::new("files_and_folders_stay", mount_point::files_stay),
        Promise::new("stacked_mounts_all_go", mount_point::stacked),
        Promise::new("a_covered_mount_goes_too", mount_point::covered),
        Promise::new("a_moved_mount_goes_too", mount_point::moved),
        Promise::new("any_name_will_do", mount_point::any_name),
        Promise::new("a_link_leads_to_the_same_workspace", mount_point::linked),
        Promise::new("the_neighbours_mounts_stay", mount_point::neighbours),
        Promise::new("a_mount_at_the_workspace_goes_too", mount_point::at_the_workspace),
        Promise::new("a_link_on_a_cover_is_not_followed", mount_point::link_on_a_cover),
        Promise::new("a_busy_mount_is_tried_again", mount_point::busy_for_a_moment),
        Promise::new("a_mount_that_stays_busy_is_an_error", mount_point::busy_throughout).long(),
        Promise::new("nothing_mounted_is_no_failure", mount_point::twice),
        Promise::new("a_mount_table_that_cannot_be_read_is_an_error", mount_point::no_table),
        Promise::new("a_failed_call_is_told", mount_point::failures),
        Promise::new("any_mounts_go", worlds::any_mounts_go),
        // delete_write_layer
        Promise::new("the_write_layer_is_gone", write_layer::is_gone),
        Promise::new("it_refuses_while_the_container_is_mounted", write_layer::container_mounted),
        Promise::new("it_refuses_a_mount_in_the_write_layer", write_layer::volume_in_it),
        Promise::new("a_mounted_neighbour_is_no_hindrance", write_layer::neighbours),
        Promise::new("links_are_not_followed", write_layer::links),
        Promise::new("closed_folders_go_too", write_layer::closed_folders),
        Promise::new("a_failed_deletion_is_told", write_layer::failures),
        Promise::new("a_write_layer_that_is_gone_is_no_failure", write_layer::twice),
        Promise::new("any_write_layer_is_gone_or_refused", worlds::any_write_layer),
        // delete_workspace
        Promise::new("the_workspace_is_gone", whole::is_gone),
        Promise::new("links_lead_to_no_deletion", whole::links),
        Promise::new("an_overlay_workspace_is_gone", whole::overlay).needing(&[Need::Overlay]),
        Promise::new("a_covered_volume_keeps_its_files", whole::covered_volume),
        Promise::new("the_neighbours_stay_as_they_are", whole::neighbours),
        Promise::new("it_works_without_privileges", whole::without_privileges),
        Promise::new("a_failed_umount_stops_the_deletion", whole::failed_umount),
        Promise::new("whatever_stays_of_it_is_told", whole::failures),
        Promise::new("a_second_call_finishes_what_was_killed", whole::killed).long(),
        Promise::new("a_workspace_that_is_gone_is_no_failure", whole::twice),
        Promise::new("any_workspace_is_gone", worlds::any_workspace),
    ],
};

/// What the codes of this lab begin with.
const LAB: &str = "delete-workspace";
