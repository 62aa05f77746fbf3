//! Grades your answer: `cargo test -p lab-08`.

use std::process::ExitCode;

use lab_08_grader::{ACTS, Answers, EXAM};

static ANSWERS: Answers = Answers {
    delete_mount_point: lab_08::delete_mount_point,
    delete_write_layer: lab_08::delete_write_layer,
    delete_workspace: lab_08::delete_workspace,
};

fn main() -> ExitCode {
    labkit::exam::grade(&EXAM, ACTS, &ANSWERS, env!("CARGO_MANIFEST_DIR"))
}
