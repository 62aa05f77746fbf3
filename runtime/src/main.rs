//! The command line of `mydocker`.

mod cli;

use std::fmt::Display;
use std::io::{ErrorKind, Write, stderr};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};
use mydocker::error::{Error, FAILED, Result};
use nix::errno::Errno;

/// Runs a command in a container, as the blog series does it: namespaces, a
/// layered workspace, pivot_root.
#[derive(Parser)]
#[command(name = "mydocker", bin_name = "mydocker", version, max_term_width = 100)]
#[command(after_help = "\
First steps:
  mydocker image import busybox busybox.tar   unpack an image (from: docker export)
  mydocker run -ti sh                         a shell in it
  mydocker doctor                             what works on this machine

As an ordinary user everything works but limits and AUFS, each user has images
of their own, and mnt is mounted where only the container sees it: look at
/proc/PID/root instead (PID: mydocker ps), or at the write layer.")]
struct Cli {
    /// The folder that holds images and containers [default: /var/lib/mydocker
    /// for root, $XDG_DATA_HOME/mydocker or ~/.local/share/mydocker for a user]
    #[arg(long, env = "MYDOCKER_ROOT", value_name = "DIR", hide_env = true)]
    root: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Run(Box<cli::run::Arguments>),
    /// Import, list and remove images
    #[command(subcommand)]
    Image(cli::image::Command),
    /// List the containers: running, kept, left over by a killed run
    #[command(after_help = "\
PID is the container's PID 1, as the host numbers it: /proc/PID/root has its
files, mydocker mounts --pid PID its mount table.

running    as long as its mydocker run lives
kept       it has ended, and its run had --keep
left over  its mydocker was killed before it could clean up: mydocker prune")]
    Ps,
    Prune(cli::containers::PruneArguments),
    Diff(cli::containers::DiffArguments),
    Mounts(cli::mounts::Arguments),
    /// Show what this kernel and this user can do, and what that means here
    Doctor,
    /// Write completions for a shell, to be sourced or installed
    #[command(after_help = "Example: source <(mydocker completions bash)")]
    Completions {
        /// Which shell
        shell: clap_complete::Shell,
    },
}

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        // Help and version are no failures; a wrong command line is, with the
        // code that docker has for its own failures.
        Err(error) => {
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { FAILED } else { 0 });
        }
    };
    match execute(cli) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            complain(&error);
            ExitCode::from(error.exit_code())
        }
    }
}

fn execute(cli: Cli) -> Result<u8> {
    let root = cli::root::choose(cli.root);
    match cli.command {
        Command::Run(arguments) => cli::run::execute(&root?, *arguments),
        Command::Image(command) => cli::image::execute(&root?, command),
        Command::Ps => cli::containers::ps(&root?),
        Command::Prune(arguments) => cli::containers::prune(&root?, &arguments),
        Command::Diff(arguments) => cli::containers::diff(&root?, &arguments),
        Command::Mounts(arguments) => cli::mounts::execute(&arguments),
        Command::Doctor => print(&mydocker::doctor::report(root.ok().as_deref())).map(|()| 0),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "mydocker", &mut script);
            print(&String::from_utf8_lossy(&script)).map(|()| 0)
        }
    }
}

/// Writes to stderr; if that fails there is nobody to tell, and what was done
/// is done: the exit code still says how it went.
fn complain(text: &impl Display) {
    let _ = stderr().lock().write_all(format!("mydocker: {text}\n").as_bytes());
}

/// Writes to stdout; a reader that has closed it (`| head`) is no failure.
fn print(text: &str) -> Result<()> {
    match std::io::stdout().lock().write_all(text.as_bytes()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        other => other.map_err(|error| {
            let errno = Errno::from_raw(error.raw_os_error().unwrap_or_default());
            Error::call("write(stdout)", errno)
        }),
    }
}
