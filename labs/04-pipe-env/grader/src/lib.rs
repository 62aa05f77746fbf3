//! What must hold of an answer to lab 04, and how to find out.

mod acts;
mod descriptors;
mod environment;
mod exchange;
mod pipe;
mod probes;
mod receiving;
mod sending;

use labkit::exam::{Exam, Promise};

pub use acts::{ACTS, Answers};

/// The lab.
pub static EXAM: Exam = Exam {
    lab_toml: include_str!("../../lab.toml"),
    promises: &[
        Promise::new("the_sender_lets_go_of_the_pipe", sending::pipe_is_closed),
        Promise::new("a_dead_reader_is_told", sending::dead_reader),
        Promise::new("a_signal_cuts_nothing_off", sending::signal),
        Promise::new("each_argument_stays_one", receiving::text),
        Promise::new("every_byte_but_nul_arrives", receiving::bytes),
        Promise::new("empty_arguments_arrive", receiving::empty_arguments),
        Promise::new("large_commands_arrive", receiving::large),
        Promise::new("it_may_come_in_pieces", receiving::pieces),
        Promise::new("the_receiver_lets_go_of_the_pipe", receiving::pipe_is_closed),
        Promise::new("half_a_command_is_refused", receiving::half),
        Promise::new("an_empty_pipe_is_refused", receiving::nothing),
        Promise::new("any_command_arrives", receiving::any_command),
        Promise::new("what_is_given_wins", environment::given),
        Promise::new("a_name_alone_takes_the_hosts_value", environment::name_alone),
        Promise::new("a_value_may_be_anything", environment::any_value),
        Promise::new("there_is_always_a_path", environment::path),
        Promise::new("the_order_stays", environment::order),
        Promise::new("nothing_else_of_the_host_comes_in", environment::nothing_else_of_the_host),
        Promise::new("any_environment_is_merged", environment::any_environment),
        Promise::new("no_descriptor_goes_to_the_command", descriptors::others),
        Promise::new("the_standard_descriptors_stay", descriptors::standard),
    ],
};

/// What the codes of this lab begin with.
const LAB: &str = "pipe-env";
