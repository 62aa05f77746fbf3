//! The promises of a `mydocker`, checked by what the kernel shows.

mod blog_experiment;
mod caller;
mod clean_up;
mod command_line;
mod commit;
mod concurrency;
mod detached;
mod devices;
mod environment;
mod exec;
mod exit_codes;
mod faults;
mod fuzz_corpus;
mod hostile_image;
mod isolation;
mod killed;
mod layers;
mod layers_many;
mod limits;
mod messages;
mod mount_tables;
mod older_kernels;
mod privileges;
mod processes;
mod signals;
mod store;
mod terminal;
mod trace;
mod volumes;

use harness::host::Host;

/// The command under test.
const PROGRAM: &str = env!("CARGO_BIN_EXE_mydocker-under-test");

/// A host of its own, with our `mydocker` on it.
fn host() -> Host {
    older_kernels::do_without_what_is_named();
    Host::new(PROGRAM)
}
