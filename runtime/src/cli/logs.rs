//! `mydocker logs`.

use std::path::Path;

use clap::Args;
use mydocker::container;
use mydocker::logs::{Options, show};
use mydocker::running::Running;
use mydocker_kernel::Result;

/// Show what a container in the background has written
#[derive(Args)]
#[command(after_help = "\
What it wrote to stdout is printed to stdout, and what it wrote to stderr to stderr.
The log itself is ROOT/containers/ID/log. When it reaches 8 MiB, it becomes log.1 and
replaces the previous one.")]
pub struct Arguments {
    /// Keep printing what it writes, until it ends
    #[arg(short, long)]
    follow: bool,
    /// Print only this many lines from the end
    #[arg(short = 'n', long, value_name = "N")]
    tail: Option<usize>,
    /// Print before each line when it was written
    #[arg(short, long)]
    timestamps: bool,
    /// The container, as `mydocker ps -a` lists it
    container: String,
}

/// Shows it.
pub fn execute(root: &Path, arguments: &Arguments) -> Result<u8> {
    let listed = container::find(root, &arguments.container)?;
    let folder = listed.folder.clone();
    let running = match arguments.follow {
        true => Running::of(listed)?.ok(),
        false => None,
    };
    let options = Options { tail: arguments.tail, timestamps: arguments.timestamps };
    show(&folder, options, running.as_ref().map(Running::owner)).map(|()| 0)
}
