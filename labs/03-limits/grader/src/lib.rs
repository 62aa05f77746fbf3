//! What must hold of an answer to lab 03, and how to find out; and the types of
//! its functions, in [`group`].

mod busy;
mod changing;
mod creation;
pub mod group;
mod joining;
mod kernel;
mod limits;
mod model;
mod over_the_limit;
mod removal;
mod sizes;
mod starting;

use std::io;
use std::path::Path;

use labkit::exam::{Exam, Promise};
use labkit::host::Host;
use labkit::need::Need;
use labkit::verdict::Finding;

use group::{Group, Waiting};

/// The functions that the student writes. A mistake is the solution with one of
/// them replaced.
pub struct Answers {
    /// See labs/03-limits/src/lib.rs, as for the others.
    pub parse_size: fn(&str) -> io::Result<Option<u64>>,
    /// Makes a group.
    pub create_group: fn(&Path, &str) -> io::Result<Group>,
    /// Sets its limits.
    pub set_limits: fn(&Group, Option<u64>, Option<u64>) -> io::Result<()>,
    /// Moves a process into it.
    pub join: fn(&Group, u32) -> io::Result<()>,
    /// Lets a process begin its work in it.
    pub start_limited: fn(&Group, Option<u64>, Option<u64>, Waiting) -> io::Result<()>,
    /// Removes it.
    pub remove: fn(&Group) -> io::Result<()>,
}

/// The lab.
pub static EXAM: Exam<Answers> = Exam {
    lab_toml: include_str!("../../lab.toml"),
    promises: &[
        // parse_size
        anywhere("sizes_are_in_bytes", sizes::bytes),
        anywhere("max_is_no_limit", sizes::max),
        anywhere("what_is_no_size_is_refused", sizes::refused),
        // create_group
        anywhere("a_group_of_version_1_has_two_folders", creation::version_1),
        anywhere("a_group_of_version_2_has_one_folder", creation::version_2),
        anywhere("a_name_that_is_taken_is_an_error", creation::taken),
        anywhere("a_missing_controller_is_an_error", creation::missing_controller),
        as_root("a_new_group_can_limit", creation::by_the_kernel),
        // set_limits
        anywhere("limits_are_written_in_version_1", limits::version_1),
        anywhere("limits_are_written_in_version_2", limits::version_2),
        anywhere("no_limit_is_written_too", limits::no_limit),
        anywhere("swap_need_not_be_counted", limits::without_swap),
        anywhere("a_limit_that_cannot_be_set_is_an_error", limits::cannot_be_set),
        anywhere("memory_is_never_above_memory_and_swap", changing::step_by_step),
        as_root("limits_can_be_changed", changing::by_the_kernel),
        as_root("too_much_memory_is_death", over_the_limit::memory),
        as_root("one_process_too_many_is_refused", over_the_limit::pids),
        // join
        anywhere("the_process_is_written_into_the_group", joining::written),
        anywhere("a_failure_to_join_is_an_error", joining::failure),
        as_root("the_kernel_moves_the_process", joining::by_the_kernel),
        // start_limited
        anywhere("it_begins_within_its_limits", starting::in_order),
        anywhere("it_does_not_begin_without_limits", starting::without_limits),
        as_root("the_kernel_limits_it_when_it_begins", starting::by_the_kernel),
        // remove
        anywhere("the_group_is_gone", removal::gone),
        anywhere("groups_in_it_go_too", removal::nested),
        anywhere("a_group_that_is_gone_is_no_failure", removal::twice),
        as_root("the_kernel_removes_the_group", busy::nobody),
        as_root("a_process_that_ends_is_waited_for", busy::for_a_moment),
        as_root("a_process_that_stays_is_an_error", busy::throughout),
    ],
};

/// A promise that any kernel and any user can grade.
const fn anywhere(name: &'static str, check: Check) -> Promise<Answers> {
    Promise { name, needs: &[], check }
}

/// A promise that takes control groups of the machine.
const fn as_root(name: &'static str, check: Check) -> Promise<Answers> {
    Promise { name, needs: &[Need::ControlGroups], check }
}

type Check = fn(&Answers, &Host) -> Result<(), Finding>;

/// The code for what no rule of this lab explains.
const UNFORESEEN: &str = "limits/unforeseen";

/// A diagnosis of this lab.
fn finding(code: &str) -> Finding {
    Finding::new(format!("limits/{code}"))
}
