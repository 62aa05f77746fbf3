//! What must hold of an answer to lab 07, and how to find out.

mod acts;
mod aufs_mount;
mod aufs_options;
mod devices;
mod failed_init_layer;
mod failing;
mod handed_down;
mod hidden_name;
mod image_times;
mod init_host;
mod init_layer;
mod init_scene;
mod layer;
mod links_at_marks;
mod listing;
mod marks;
mod mount_options;
mod mount_point;
mod overlay;
mod overlay_options;
mod predictions;
mod process;
mod rewritten;
mod there_already;
mod what_was_there;
mod whiteouts_to_aufs;
mod whiteouts_to_overlay;
mod write_layer;

use labkit::exam::{Exam, Promise};
use labkit::need::Need::{Aufs, DeviceFiles, Overlay, Root};

pub use acts::{ACTS, Answers};

/// What the codes of this lab begin with.
const LAB: &str = "layers";

/// The lab.
pub static EXAM: Exam = Exam {
    lab_toml: include_str!("../../lab.toml"),
    promises: &[
        Promise::new("each_layer_is_in_its_place", overlay_options::each_layer_is_in_its_place),
        Promise::new("any_path_can_be_an_option", overlay_options::any_path_can_be_an_option),
        Promise::new("userxattr_only_where_asked", overlay_options::userxattr_only_where_asked),
        Promise::new("the_kernel_takes_the_options", overlay_options::the_kernel_takes_the_options)
            .needing(&[Overlay]),
        Promise::new("any_layers_become_options", overlay_options::any_layers),
        Promise::new("branches_say_what_they_are", aufs_options::branches_say_what_they_are),
        Promise::new(
            "what_aufs_cannot_take_is_refused",
            aufs_options::what_aufs_cannot_take_is_refused,
        ),
        Promise::new("any_branches_become_options", aufs_options::any_branches),
        Promise::new("whiteouts_name_what_they_hide", hidden_name::whiteouts_name_what_they_hide),
        Promise::new("nothing_else_hides_a_file", hidden_name::nothing_else_hides_a_file),
        Promise::new("any_name_is_told", hidden_name::any_name),
        Promise::new(
            "deleted_files_stay_deleted",
            whiteouts_to_overlay::deleted_files_stay_deleted,
        )
        .needing(&[Overlay]),
        Promise::new(
            "opaque_folders_show_only_their_own",
            whiteouts_to_overlay::opaque_directories_show_only_their_own,
        )
        .needing(&[Overlay]),
        Promise::new("all_other_files_stay", whiteouts_to_overlay::all_other_files_stay)
            .needing(&[Overlay]),
        Promise::new(
            "any_layer_becomes_overlays",
            whiteouts_to_overlay::any_layer_becomes_overlays,
        )
        .needing(&[Overlay]),
        Promise::new(
            "marks_are_trusted_without_user_xattr",
            marks::marks_are_trusted_without_user_xattr,
        )
        .needing(&[Overlay]),
        Promise::new("root_has_trusted_marks", marks::marks_are_trusted_without_user_xattr)
            .needing(&[Root]),
        Promise::new("failed_whiteouts_are_told", whiteouts_to_overlay::a_failed_call_is_told)
            .needing(&[Overlay]),
        Promise::new("the_names_come_back", whiteouts_to_aufs::the_names_come_back)
            .needing(&[Overlay]),
        Promise::new("what_is_no_mark_stays", whiteouts_to_aufs::what_is_no_mark_stays)
            .needing(&[Overlay]),
        Promise::new("root_tells_devices_apart", devices::root_tells_devices_apart)
            .needing(&[DeviceFiles]),
        Promise::new("any_layer_becomes_aufs", whiteouts_to_aufs::any_layer_becomes_aufs)
            .needing(&[Overlay]),
        Promise::new("failed_names_are_told", whiteouts_to_aufs::a_failed_call_is_told)
            .needing(&[Overlay]),
        Promise::new("marks_go_through_no_link", links_at_marks::marks_go_through_no_link)
            .needing(&[Overlay]),
        Promise::new("init_layer_has_its_files", init_layer::init_layer_has_its_files),
        Promise::new("the_resolver_is_the_hosts", init_layer::resolver_is_the_hosts),
        Promise::new(
            "everybody_can_read_the_init_layer",
            init_layer::everybody_can_read_the_init_layer,
        ),
        Promise::new("the_image_is_never_written", init_layer::the_image_is_never_written),
        Promise::new("links_of_the_image_are_covered", init_layer::links_of_the_image_are_covered),
        Promise::new("a_failed_init_layer_is_told", failed_init_layer::a_failed_call_is_told),
        Promise::new("the_process_stays_as_it_was", process::the_process_stays_as_it_was),
        Promise::new("write_layer_is_empty_and_open", write_layer::write_layer_is_empty_and_open),
        Promise::new(
            "work_lies_beside_the_write_layer",
            write_layer::work_lies_beside_the_write_layer,
        ),
        Promise::new("a_failed_write_layer_is_told", write_layer::a_failed_call_is_told),
        Promise::new("nothing_used_is_taken_over", write_layer::nothing_used_is_taken_over),
        Promise::new("mnt_shows_all_layers", mount_point::mnt_shows_all_layers).needing(&[Overlay]),
        Promise::new("writes_land_in_the_write_layer", mount_point::writes_land_in_the_write_layer)
            .needing(&[Overlay]),
        Promise::new("long_paths_can_be_mounted", mount_point::long_paths_can_be_mounted)
            .needing(&[Overlay]),
        Promise::new(
            "options_over_a_page_are_refused",
            mount_options::options_over_a_page_are_refused,
        )
        .needing(&[Overlay]),
        Promise::new("userxattr_is_passed_on", mount_options::userxattr_is_passed_on)
            .needing(&[Overlay]),
        Promise::new("a_failed_mount_is_told", mount_options::a_failed_mount_is_told)
            .needing(&[Overlay]),
        Promise::new("a_failed_aufs_mount_is_told", aufs_mount::a_failed_aufs_mount_is_told),
        Promise::new("aufs_is_given_all_layers", aufs_mount::aufs_is_given_all_layers),
        Promise::new("aufs_shows_all_layers", mount_point::aufs_shows_all_layers).needing(&[Aufs]),
        Promise::new("copy_up_is_predicted", predictions::copy_up_is_predicted).needing(&[Overlay]),
        Promise::new("deletions_are_predicted", predictions::deletions_are_predicted)
            .needing(&[Overlay]),
        Promise::new(
            "renames_and_links_are_predicted",
            predictions::renames_and_links_are_predicted,
        )
        .needing(&[Overlay]),
    ],
};
