//! Grades your answer: `cargo test -p lab-06`.

use std::process::ExitCode;

use lab_06_grader::{ACTS, Answers, EXAM};

static ANSWERS: Answers = Answers {
    enter_with_chroot: lab_06::enter_with_chroot,
    break_out_of_chroot: lab_06::break_out_of_chroot,
    enter_with_pivot_root: lab_06::enter_with_pivot_root,
    mount_kernel_file_systems: lab_06::mount_kernel_file_systems,
};

fn main() -> ExitCode {
    labkit::exam::grade(&EXAM, ACTS, &ANSWERS, env!("CARGO_MANIFEST_DIR"))
}
