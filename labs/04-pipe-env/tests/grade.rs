//! Grades your answer: `cargo test -p lab-04`.

use std::process::ExitCode;

use lab_04_grader::{ACTS, Answers, EXAM};

static ANSWERS: Answers = Answers {
    send_command: lab_04::send_command,
    receive_command: lab_04::receive_command,
    merge_environment: lab_04::merge_environment,
    close_descriptors: lab_04::close_descriptors,
};

fn main() -> ExitCode {
    labkit::exam::grade(&EXAM, ACTS, &ANSWERS, env!("CARGO_MANIFEST_DIR"))
}
