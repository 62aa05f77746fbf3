//! Grades your answer: `cargo test -p lab-01`.

use std::process::ExitCode;

use lab_01_grader::{ACTS, Answers, EXAM};

static ANSWERS: Answers = Answers {
    unescape: lab_01::unescape,
    parse_line: lab_01::parse_line,
    tree: lab_01::tree,
    difference: lab_01::difference,
};

fn main() -> ExitCode {
    labkit::exam::grade(&EXAM, ACTS, &ANSWERS, env!("CARGO_MANIFEST_DIR"))
}
