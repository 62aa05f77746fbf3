//! The grader of lab 10 with no answer in it: see `cargo lab grade`.

use std::process::ExitCode;

fn main() -> ExitCode {
    labkit::exam::grade_program(&lab_10_grader::EXAM)
}
