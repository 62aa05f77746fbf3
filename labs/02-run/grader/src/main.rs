//! Grades a program with an answer to lab 02 in it: for `cargo lab grade`. Not a
//! line of an answer is in this one.

use std::process::ExitCode;

fn main() -> ExitCode {
    labkit::exam::grade_program(&lab_02_grader::EXAM)
}
