//! `mydocker mounts`.

use clap::Args;
use mydocker_kernel::Result;
use mydocker_kernel::mountinfo::MountTable;

use crate::print;

/// Show the mount table as a tree: what is mounted on what, and how it propagates
#[derive(Args)]
#[command(after_help = "\
Examples:
  mydocker mounts              what this shell sees
  mydocker mounts --pid 4711   what a container sees (PID: mydocker ps)

Each line: mount point, file system (with the directory that is bound, and the
source), options, propagation. shared:N passes mounts on to its peers in group
N, master:N gets mounts from that group, and private does neither.")]
pub struct Arguments {
    /// The table of this process, as in /proc/PID/mountinfo [default: our own]
    #[arg(long, value_name = "PID")]
    pid: Option<i32>,
    /// As JSON, for programs
    #[arg(long)]
    json: bool,
}

/// Prints the table.
pub fn execute(arguments: &Arguments) -> Result<u8> {
    let table = match arguments.pid {
        Some(pid) => MountTable::read_of(pid)?,
        None => MountTable::read()?,
    };
    print(&match arguments.json {
        true => serde_json::to_string_pretty(&table).expect("strings and numbers") + "\n",
        false => table.to_string(),
    })
    .map(|()| 0)
}
