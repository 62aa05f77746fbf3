//! What must hold of an answer to lab 04, and how to find out.

mod descriptors;
mod diagnosis;
mod environment;
mod exchange;
mod peer;
mod pipe;
mod probes;
mod receiving;
mod sending;

use std::ffi::OsString;
use std::io;
use std::os::fd::OwnedFd;

use labkit::exam::{Exam, Promise};
use labkit::host::Host;
use labkit::verdict::Finding;

/// The functions that the student writes. A mistake is the solution with one of
/// them replaced, or with both ends of the pipe.
pub struct Answers {
    /// See labs/04-pipe-env/src/lib.rs, as for the others.
    pub send_command: fn(OwnedFd, OwnedFd, &[OsString]) -> io::Result<()>,
    /// What the first has sent.
    pub receive_command: fn(OwnedFd, OwnedFd) -> io::Result<Vec<OsString>>,
    /// The image's variables and those of `-e`.
    pub merge_environment: Merge,
    /// All but 0, 1 and 2.
    pub close_descriptors: fn() -> io::Result<()>,
}

/// Of the image's variables, the given ones and the host's, those of the command.
pub type Merge = fn(&[OsString], &[OsString], &[(OsString, OsString)]) -> Vec<OsString>;

/// The lab.
pub static EXAM: Exam<Answers> = Exam {
    lab_toml: include_str!("../../lab.toml"),
    promises: &[
        promise("the_sender_lets_go_of_the_pipe", sending::pipe_is_closed),
        promise("a_dead_reader_is_told", sending::dead_reader),
        promise("a_signal_cuts_nothing_off", sending::signal),
        promise("each_argument_stays_one", receiving::text),
        promise("every_byte_but_nul_arrives", receiving::bytes),
        promise("empty_arguments_arrive", receiving::empty_arguments),
        promise("large_commands_arrive", receiving::large),
        promise("it_may_come_in_pieces", receiving::pieces),
        promise("the_receiver_lets_go_of_the_pipe", receiving::pipe_is_closed),
        promise("half_a_command_is_refused", receiving::half),
        promise("an_empty_pipe_is_refused", receiving::nothing),
        promise("what_is_given_wins", environment::given),
        promise("a_name_alone_takes_the_hosts_value", environment::name_alone),
        promise("a_value_may_be_anything", environment::values),
        promise("there_is_always_a_path", environment::path),
        promise("the_order_stays", environment::order),
        promise("nothing_else_of_the_host_comes_in", environment::host),
        promise("no_descriptor_goes_to_the_command", descriptors::others),
        promise("the_standard_descriptors_stay", descriptors::standard),
    ],
};

/// None of them needs anything but the sandbox.
const fn promise(
    name: &'static str,
    check: fn(&Answers, &Host) -> Result<(), Finding>,
) -> Promise<Answers> {
    Promise { name, needs: &[], check }
}

/// The code for what no rule of this lab explains.
const UNFORESEEN: &str = "pipe-env/unforeseen";

/// The finding with what the answer has printed.
fn after(printed: &str, finding: Finding) -> Finding {
    Finding { printed: printed.to_owned(), ..finding }
}

/// A finding of this lab.
fn found(code: &str) -> Finding {
    Finding::new(format!("pipe-env/{code}"))
}
