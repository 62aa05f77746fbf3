//! What must hold of an answer to lab 11, and how to find out.

mod acts;
mod birth;
mod command;
mod container;
mod descriptors;
mod endings;
mod entered;
mod first_word;
mod identity;
mod joined;
mod opened;
mod refused;
mod scene;

use labkit::exam::{Exam, Promise};

pub use acts::{ACTS, Answers, Namespace};

/// The lab.
pub static EXAM: Exam = Exam {
    lab_toml: include_str!("../../lab.toml"),
    promises: &[
        Promise::new("every_namespace_is_opened", opened::every_namespace),
        Promise::new("its_own_namespaces_are_left_out", opened::own_ones),
        Promise::new("the_descriptors_close_on_exec", opened::close_on_exec),
        Promise::new("nothing_else_stays_open", opened::nothing_else),
        Promise::new("a_number_given_away_is_noticed", identity::a_number_given_away),
        Promise::new("no_such_process_is_esrch", identity::nobody),
        Promise::new("a_failed_open_is_told", opened::failure),
        Promise::new("every_namespace_is_joined", joined::every_namespace),
        Promise::new("the_user_namespace_comes_first", joined::user_namespace_first),
        Promise::new("the_directories_are_the_containers", joined::directories),
        Promise::new("a_failed_join_is_told", joined::failure),
        Promise::new("the_command_is_in_every_namespace", command::namespaces),
        Promise::new("the_command_begins_in_the_containers_root", command::directories),
        Promise::new("the_words_arrive_as_given", command::words),
        Promise::new("the_environment_is_the_given_one", command::environment),
        Promise::new("a_name_is_found_in_the_container", |host| {
            command::found_by_name(host)?;
            endings::found_in_a_later_directory(host)
        }),
        Promise::new("only_the_three_streams_are_open", descriptors::only_the_streams),
        Promise::new("nothing_of_the_host_is_born_into_it", birth::nothing_of_the_host),
        Promise::new("nobody_inside_can_look_at_it", birth::nobody_looks),
        Promise::new("the_exit_code_is_returned", endings::exit_codes),
        Promise::new("a_signal_is_128_and_its_number", endings::signals),
        Promise::new("a_missing_command_is_127", endings::missing_command),
        Promise::new("a_command_that_cannot_be_executed_is_126", endings::closed_command),
        Promise::new("what_failed_is_said_on_stderr", endings::says_why),
        Promise::new("a_failed_step_runs_nothing", refused::failure),
        Promise::new("no_container_is_an_error", endings::no_container),
        Promise::new("the_caller_stays_where_it_is", command::caller_stays),
        Promise::new("nothing_is_left_of_it", command::nothing_is_left),
    ],
};

/// What the codes of this lab begin with.
const LAB: &str = "exec";
