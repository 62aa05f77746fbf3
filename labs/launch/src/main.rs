//! `cargo lab …`: has cargo build the command `lab`, and becomes it.
//!
//! The first build takes minutes. `cargo run --quiet` says nothing meanwhile, and
//! `cargo run` two lines at each call, also when there is nothing to do. So this
//! program, which is there in a second, passes on what cargo says of its work, and
//! leaves out that it has finished.

use std::env;
use std::io::{self, IsTerminal, Read, Write};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};

/// The exit code of `lab` when it could not do its work.
const COULD_NOT: u8 = 2;
/// The columns of cargo's progress bar.
const COLUMNS: &str = "72";

fn main() -> ExitCode {
    match build() {
        Ok(true) => {}
        Ok(false) => return ExitCode::from(COULD_NOT),
        Err(error) => {
            eprintln!("cargo cannot be run: {error}");
            return ExitCode::from(COULD_NOT);
        }
    }
    let error = Command::new(lab()).args(env::args_os().skip(1)).exec();
    eprintln!("{}: {error}", lab().display());
    ExitCode::from(COULD_NOT)
}

/// The command, beside this program: cargo builds both into one folder.
fn lab() -> PathBuf {
    env::current_exe().map_or_else(|_| "lab".into(), |it| it.with_file_name("lab"))
}

/// Has cargo build it; false: it does not compile, and why was said.
fn build() -> io::Result<bool> {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["build", "--package", "lab"]);
    // The checkout that this program was built from, wherever it is called.
    cargo.current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."));
    // A pipe has no columns, and would get no progress bar.
    if io::stderr().is_terminal() {
        cargo.args(["--color", "always"]);
        cargo.env("CARGO_TERM_PROGRESS_WHEN", "always").env("CARGO_TERM_PROGRESS_WIDTH", COLUMNS);
    }
    let mut child = cargo.stdin(Stdio::null()).stderr(Stdio::piped()).spawn()?;
    let mut said = child.stderr.take().expect("it is piped");
    let mut part = Vec::new();
    let mut read = [0; 4096];
    loop {
        let count = said.read(&mut read)?;
        for &byte in &read[..count] {
            part.push(byte);
            // A progress bar ends with the return to the line's beginning.
            if byte == b'\n' || byte == b'\r' {
                pass_on(&part)?;
                part.clear();
            }
        }
        if count == 0 {
            pass_on(&part)?;
            return Ok(child.wait()?.success());
        }
    }
}

/// Passes on a line of cargo's, unless it only says that all is done.
fn pass_on(part: &[u8]) -> io::Result<()> {
    let mut stderr = io::stderr();
    if !part.windows(8).any(|word| word == b"Finished") {
        return stderr.write_all(part);
    }
    // What is left of the bar goes. See console_codes(4).
    if stderr.is_terminal() { stderr.write_all(b"\r\x1b[K") } else { Ok(()) }
}
