//! Grades your answer: `cargo test -p lab-09`.

use std::path::Path;
use std::process::ExitCode;
use std::sync::LazyLock;

use lab_09_grader::EXAM;
use lab_09_grader::program::Program;
use lab_09_grader::request::read_adapter;

static PROGRAM: LazyLock<Program> = LazyLock::new(|| {
    let adapter = read_adapter("lab-09").expect("it is shipped");
    Program::read(Path::new(env!("CARGO_BIN_EXE_lab-09")), adapter).expect("cargo has built it")
});

fn main() -> ExitCode {
    labkit::programs::grade(&EXAM, &PROGRAM, env!("CARGO_MANIFEST_DIR"))
}
