//! Grades your answer: `cargo test -p lab-10`.

use std::process::ExitCode;

use lab_10_grader::{ACTS, Answers, EXAM};

static ANSWERS: Answers = Answers {
    changed_files: lab_10::changed_files,
    write_layer_tar: lab_10::write_layer_tar,
    new_image: lab_10::new_image,
};

fn main() -> ExitCode {
    labkit::exam::grade(&EXAM, ACTS, &ANSWERS, env!("CARGO_MANIFEST_DIR"))
}
