//! Grades your answer: `cargo test -p lab-07`.

use std::process::ExitCode;

use lab_07_grader::{ACTS, Answers, EXAM};

static ANSWERS: Answers = Answers {
    overlay_options: lab_07::overlay_options,
    aufs_options: lab_07::aufs_options,
    hidden_name: lab_07::hidden_name,
    whiteouts_to_overlay: lab_07::whiteouts_to_overlay,
    whiteouts_to_aufs: lab_07::whiteouts_to_aufs,
    create_init_layer: lab_07::create_init_layer,
    create_write_layer: lab_07::create_write_layer,
    create_mount_point: lab_07::create_mount_point,
    create_aufs_mount_point: lab_07::create_aufs_mount_point,
    predictions: include_str!("../predictions.toml"),
};

fn main() -> ExitCode {
    labkit::exam::grade(&EXAM, ACTS, &ANSWERS, env!("CARGO_MANIFEST_DIR"))
}
