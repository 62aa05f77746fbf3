//! Grades your answer: `cargo test -p lab-02`.

use std::process::ExitCode;

use lab_02_grader::{ACTS, Answers, EXAM};

static ANSWERS: Answers =
    Answers { start: lab_02::start, wait: lab_02::wait, exit_code: lab_02::exit_code };

fn main() -> ExitCode {
    labkit::exam::grade(&EXAM, ACTS, &ANSWERS, env!("CARGO_MANIFEST_DIR"))
}
