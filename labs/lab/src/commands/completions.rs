//! `lab completions`.

use std::io;

use clap::{Args, Command};

/// Write completions for a shell, to source or install
#[derive(Args)]
#[command(after_help = "\
They work for the program `lab` itself: cargo install --path labs/lab
Example: source <(lab completions bash)")]
pub struct Arguments {
    /// Which shell
    shell: clap_complete::Shell,
}

pub fn execute(arguments: &Arguments, mut command: Command) {
    clap_complete::generate(arguments.shell, &mut command, "lab", &mut io::stdout());
}
