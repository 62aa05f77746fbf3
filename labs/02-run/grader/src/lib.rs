//! What must hold of an answer to lab 02, and how to find out.

mod acts;
mod attempt;
mod child;
mod codes;
mod container;
mod inheritance;
mod mounts;
mod not_executed;
mod probe;
mod relative;
mod running;
mod start;
mod waiting;

use labkit::exam::{Exam, Promise};

pub use acts::{ACTS, Answers};

/// The lab.
pub static EXAM: Exam = Exam {
    lab_toml: include_str!("../../lab.toml"),
    promises: &[
        Promise::new("every_namespace_is_new", start::namespaces),
        Promise::new("the_command_is_pid_1", start::pid_1),
        Promise::new("the_arguments_arrive_as_they_are", start::arguments),
        Promise::new("the_environment_arrives", start::environment),
        Promise::new("the_command_is_found_by_path", start::path),
        Promise::new("every_mount_is_private", mounts::propagation),
        Promise::new("the_hosts_mounts_stay", mounts::host_mounts),
        Promise::new("the_hosts_name_stays", start::host_name),
        Promise::new("proc_shows_the_container", mounts::proc),
        Promise::new("proc_is_harmless", mounts::proc_flags),
        Promise::new("start_does_not_wait", start::no_wait),
        Promise::new("the_caller_stays_where_it_is", start::caller),
        Promise::new("the_command_inherits_the_rest", start::inherited),
        Promise::new("refused_namespaces_stop_the_start", attempt::refused_namespaces),
        Promise::new("a_failed_step_stops_the_start", attempt::failed_step),
        Promise::new("a_missing_command_ends_with_127", not_executed::missing_command),
        Promise::new(
            "a_command_that_cannot_be_executed_ends_with_126",
            not_executed::closed_command,
        ),
        Promise::new("a_failed_start_says_why", not_executed::says_why),
        Promise::new("wait_lasts_until_the_end", waiting::until_the_end),
        Promise::new("wait_returns_the_exit_code", waiting::exit_code),
        Promise::new("wait_returns_128_and_the_signal", waiting::signal),
        Promise::new("nothing_is_left_of_the_child", waiting::nothing_left),
        Promise::new("other_children_are_left_alone", waiting::others),
        Promise::new("a_failure_to_wait_is_told", waiting::failure),
        Promise::new("exit_codes_stay_as_they_are", codes::exits),
        Promise::new("a_signal_is_128_and_its_number", codes::signals),
        Promise::new("a_process_that_lives_has_no_exit_code", codes::living),
    ],
};

/// What the codes of this lab begin with.
const LAB: &str = "run";
