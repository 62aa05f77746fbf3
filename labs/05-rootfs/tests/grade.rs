//! Grades your answer: `cargo test -p lab-05`.

use std::process::ExitCode;

use lab_05_grader::{ACTS, Answers, EXAM};

static ANSWERS: Answers = Answers { create_read_only_layer: lab_05::create_read_only_layer };

fn main() -> ExitCode {
    labkit::exam::grade(&EXAM, ACTS, &ANSWERS, env!("CARGO_MANIFEST_DIR"))
}
