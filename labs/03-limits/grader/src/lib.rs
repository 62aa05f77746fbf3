//! What must hold of an answer to lab 03, and how to find out; and the types of
//! its functions, in [`group`].

mod acts;
mod busy;
mod changing;
mod contents;
mod creation;
pub mod group;
mod joining;
pub mod kernel;
mod limits;
pub mod model;
mod over_the_limit;
mod patience;
mod removal;
mod sizes;
mod starting;
pub mod understood;
pub mod values;

use labkit::exam::{Exam, Promise};
use labkit::need::Need;

pub use acts::{ACTS, Answers};

/// The lab.
pub static EXAM: Exam = Exam {
    lab_toml: include_str!("../../lab.toml"),
    promises: &[
        // parse_size
        Promise::new("sizes_are_in_bytes", sizes::bytes),
        Promise::new("max_is_no_limit", sizes::max),
        Promise::new("what_is_no_size_is_refused", sizes::refused),
        // create_group
        Promise::new("a_group_of_version_1_has_two_folders", creation::version_1),
        Promise::new("a_group_of_version_2_has_one_folder", creation::version_2),
        Promise::new("a_name_that_is_taken_is_an_error", creation::taken),
        Promise::new("a_missing_controller_is_an_error", creation::missing_controller),
        Promise::new("a_new_group_can_limit", creation::by_the_kernel).needing(GROUPS),
        // set_limits
        Promise::new("limits_are_written_in_version_1", limits::version_1),
        Promise::new("limits_are_written_in_version_2", limits::version_2),
        Promise::new("no_limit_is_written_too", limits::no_limit),
        Promise::new("swap_need_not_be_counted", limits::without_swap),
        Promise::new("a_limit_that_cannot_be_set_is_an_error", limits::cannot_be_set),
        Promise::new("memory_is_never_above_memory_and_swap", changing::step_by_step)
            .needing(&[Need::Deciding]),
        Promise::new("limits_can_be_changed", changing::by_the_kernel).needing(GROUPS),
        Promise::new("too_much_memory_is_death", over_the_limit::memory).needing(GROUPS),
        Promise::new("one_process_too_many_is_refused", over_the_limit::pids).needing(GROUPS),
        // join
        Promise::new("the_process_is_written_into_the_group", joining::written),
        Promise::new("a_failure_to_join_is_an_error", joining::failure),
        Promise::new("the_kernel_moves_the_process", joining::by_the_kernel).needing(GROUPS),
        // start_limited
        Promise::new("it_begins_within_its_limits", starting::in_order),
        Promise::new("it_does_not_begin_without_limits", starting::without_limits),
        Promise::new("it_does_not_begin_outside_of_the_group", starting::outside),
        Promise::new("a_process_that_is_gone_is_an_error", starting::gone),
        Promise::new("the_kernel_limits_it_when_it_begins", starting::by_the_kernel)
            .needing(GROUPS),
        // remove
        Promise::new("the_group_is_gone", removal::gone),
        Promise::new("groups_in_it_go_too", removal::nested),
        Promise::new("a_group_that_is_gone_is_no_failure", removal::twice),
        Promise::new("the_files_are_left_to_the_kernel", removal::files),
        Promise::new("what_cannot_be_removed_is_an_error", removal::refused),
        Promise::new("a_busy_group_is_tried_again", busy::tried_again),
        Promise::new("what_stays_in_a_group_is_left_alone", busy::left_alone).long(),
        Promise::new("the_kernel_removes_the_group", busy::nobody).needing(GROUPS),
        Promise::new("a_process_that_ends_is_waited_for", busy::for_its_last_process)
            .needing(GROUPS),
        Promise::new("a_process_that_stays_is_an_error", busy::for_one_that_stays)
            .needing(GROUPS)
            .long(),
    ],
};

/// For what takes control groups of the machine.
const GROUPS: &[Need] = &[Need::ControlGroups];

/// What the codes of this lab begin with.
const LAB: &str = "limits";
