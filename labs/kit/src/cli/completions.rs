//! `lab completions`.

use std::io;

use clap::{Args, CommandFactory};

use super::Cli;

/// Write completions for a shell, to be sourced or installed
#[derive(Args)]
#[command(after_help = "\
They are for the program `lab` itself: cargo install --path labs/kit
Example: source <(lab completions bash)")]
pub struct Arguments {
    /// Which shell
    shell: clap_complete::Shell,
}

pub fn execute(arguments: &Arguments) {
    clap_complete::generate(arguments.shell, &mut Cli::command(), "lab", &mut io::stdout());
}
