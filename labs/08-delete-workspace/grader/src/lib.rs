//! What must hold of an answer to lab 08, and how to find out.

mod call;
mod diagnosis;
mod facts;
mod mount_point;
mod stage;
mod whole;
mod write_layer;

use std::io;
use std::path::Path;

use labkit::exam::{Exam, Promise};
use labkit::host::Host;
use labkit::need::Need;
use labkit::verdict::Finding;

/// A function that the student writes.
pub type Function = fn(&Path) -> io::Result<()>;

/// The functions that the student writes. A mistake is the solution with one of
/// them replaced.
pub struct Answers {
    /// See labs/08-delete-workspace/src/lib.rs, as for the others.
    pub delete_mount_point: Function,
    /// Deletes what the container has written.
    pub delete_write_layer: Function,
    /// Unmounts and deletes everything.
    pub delete_workspace: Function,
}

/// The lab.
pub static EXAM: Exam<Answers> = Exam {
    lab_toml: include_str!("../../lab.toml"),
    promises: &[
        // delete_mount_point
        promise("nothing_is_mounted_any_more", mount_point::nothing_is_mounted),
        promise("files_and_folders_stay", mount_point::files_stay),
        promise("stacked_mounts_all_go", mount_point::stacked),
        promise("a_covered_mount_goes_too", mount_point::covered),
        promise("a_moved_mount_goes_too", mount_point::moved),
        promise("any_name_will_do", mount_point::any_name),
        promise("a_link_leads_to_the_same_workspace", mount_point::linked),
        promise("the_neighbours_mounts_stay", mount_point::neighbours),
        promise("a_busy_mount_is_tried_again", mount_point::busy_for_a_moment),
        promise("a_mount_that_stays_busy_is_an_error", mount_point::busy_throughout),
        promise("nothing_mounted_is_no_failure", mount_point::twice),
        // delete_write_layer
        promise("the_write_layer_is_gone", write_layer::is_gone),
        promise("it_refuses_while_the_container_is_mounted", write_layer::container_mounted),
        promise("it_refuses_a_mount_in_the_write_layer", write_layer::volume_in_it),
        promise("a_mounted_neighbour_is_no_hindrance", write_layer::neighbours),
        promise("links_are_not_followed", write_layer::links),
        promise("closed_folders_go_too", write_layer::closed_folders),
        promise("a_write_layer_that_is_gone_is_no_failure", write_layer::twice),
        // delete_workspace
        promise("the_workspace_is_gone", whole::is_gone),
        Promise {
            name: "an_overlay_workspace_is_gone",
            needs: &[Need::Overlay],
            check: whole::overlay,
        },
        promise("a_covered_volume_keeps_its_files", whole::covered_volume),
        promise("the_neighbours_stay_as_they_are", whole::neighbours),
        promise("it_works_without_privileges", whole::without_privileges),
        promise("a_failed_umount_stops_the_deletion", whole::failed_umount),
        promise("a_second_call_finishes_what_was_killed", whole::killed),
        promise("a_workspace_that_is_gone_is_no_failure", whole::twice),
    ],
};

/// A promise that any kernel and any user can grade.
const fn promise(name: &'static str, check: Check) -> Promise<Answers> {
    Promise { name, needs: &[], check }
}

type Check = fn(&Answers, &Host) -> Result<(), Finding>;

/// The code for what no rule of this lab explains.
const UNFORESEEN: &str = "delete-workspace/unforeseen";
