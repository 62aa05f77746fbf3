//! The starter of lab 09 as a program, for tests/programs.rs.

use std::process::ExitCode;

fn main() -> ExitCode {
    lab_reference::lab_09::starter::main()
}
