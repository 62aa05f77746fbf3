//! The command: `cargo run -p lab-09 -- run -ti sh`, in a VM and as root.

use std::process::ExitCode;

fn main() -> ExitCode {
    lab_09::main()
}
