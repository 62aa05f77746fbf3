//! Grades your answer: `cargo test -p lab-11`.

use std::process::ExitCode;

use lab_11_grader::{ACTS, Answers, EXAM};

static ANSWERS: Answers =
    Answers { open_namespaces: lab_11::open_namespaces, join: lab_11::join, enter: lab_11::enter };

fn main() -> ExitCode {
    labkit::exam::grade(&EXAM, ACTS, &ANSWERS, env!("CARGO_MANIFEST_DIR"))
}
