//! The promises of a `mydocker`, checked by what the kernel shows.

mod blog_experiment;
mod mount_tables;
mod clean_up;
mod command_line;
mod concurrency;
mod environment;
mod exit_codes;
mod killed;
mod limits;
mod messages;
mod signals;
mod terminal;
mod trace;

use harness::host::Host;

/// The command under test.
const PROGRAM: &str = env!("CARGO_BIN_EXE_mydocker-under-test");

/// A host of its own, with our `mydocker` on it.
fn host() -> Host {
    Host::new(PROGRAM)
}
