//! What must hold of an answer to lab 02, and how to find out.

mod attempt;
mod caller;
mod codes;
mod container;
mod diagnosis;
mod probe;
mod start;
mod waiting;

use std::ffi::CString;
use std::io;

use labkit::exam::{Exam, Promise};
use nix::sys::wait::WaitStatus;
use nix::unistd::Pid;

/// The functions that the student writes. A mistake is the solution with one of
/// them replaced.
pub struct Answers {
    /// See labs/02-run/src/lib.rs, as for the others.
    pub start: fn(&[CString]) -> io::Result<Pid>,
    /// Waits for what the first has started.
    pub wait: fn(Pid) -> io::Result<i32>,
    /// What the second returns.
    pub exit_code: fn(WaitStatus) -> i32,
}

/// The lab.
pub static EXAM: Exam<Answers> = Exam {
    lab_toml: include_str!("../../lab.toml"),
    promises: &[
        Promise { name: "every_namespace_is_new", needs: &[], check: start::namespaces },
        Promise { name: "the_command_is_pid_1", needs: &[], check: start::pid_1 },
        Promise { name: "the_arguments_arrive_as_they_are", needs: &[], check: start::arguments },
        Promise { name: "the_environment_arrives", needs: &[], check: start::environment },
        Promise { name: "the_command_is_found_by_path", needs: &[], check: start::path },
        Promise { name: "every_mount_is_private", needs: &[], check: start::propagation },
        Promise { name: "the_hosts_mounts_stay", needs: &[], check: start::host_mounts },
        Promise { name: "the_hosts_name_stays", needs: &[], check: start::host_name },
        Promise { name: "proc_shows_the_container", needs: &[], check: start::proc },
        Promise { name: "proc_is_harmless", needs: &[], check: start::proc_flags },
        Promise { name: "start_does_not_wait", needs: &[], check: start::no_wait },
        Promise { name: "the_caller_stays_where_it_is", needs: &[], check: start::caller },
        Promise {
            name: "refused_namespaces_stop_the_start",
            needs: &[],
            check: attempt::refused_namespaces,
        },
        Promise { name: "a_failed_step_stops_the_start", needs: &[], check: attempt::failed_step },
        Promise {
            name: "a_missing_command_ends_with_127",
            needs: &[],
            check: attempt::missing_command,
        },
        Promise {
            name: "a_command_that_cannot_be_executed_ends_with_126",
            needs: &[],
            check: attempt::closed_command,
        },
        Promise { name: "a_failed_start_says_why", needs: &[], check: attempt::says_why },
        Promise { name: "wait_lasts_until_the_end", needs: &[], check: waiting::until_the_end },
        Promise { name: "wait_returns_the_exit_code", needs: &[], check: waiting::exit_code },
        Promise { name: "wait_returns_128_and_the_signal", needs: &[], check: waiting::signal },
        Promise { name: "nothing_is_left_of_the_child", needs: &[], check: waiting::nothing_left },
        Promise { name: "other_children_are_left_alone", needs: &[], check: waiting::others },
        Promise { name: "exit_codes_stay_as_they_are", needs: &[], check: codes::exits },
        Promise { name: "a_signal_is_128_and_its_number", needs: &[], check: codes::signals },
    ],
};

/// The code for what no rule of this lab explains.
const UNFORESEEN: &str = "run/unforeseen";
