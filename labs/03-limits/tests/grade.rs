//! Grades your answer: `cargo test -p lab-03`.

use std::process::ExitCode;

use lab_03_grader::{ACTS, Answers, EXAM};

static ANSWERS: Answers = Answers {
    parse_size: lab_03::parse_size,
    create_group: lab_03::create_group,
    set_limits: lab_03::set_limits,
    join: lab_03::join,
    start_limited: lab_03::start_limited,
    remove: lab_03::remove,
};

fn main() -> ExitCode {
    labkit::exam::grade(&EXAM, ACTS, &ANSWERS, env!("CARGO_MANIFEST_DIR"))
}
