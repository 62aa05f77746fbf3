//! The command line of `mydocker`.

mod cli;

use std::fmt::Display;
use std::io::{ErrorKind, Write, stderr};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};
use mydocker_chinese::help::with_help;
use mydocker_chinese::mistake::InChinese;
use mydocker_kernel::error::FAILED;
use mydocker_kernel::{Error, Result};
use nix::errno::Errno;

/// Runs a command in a container the way the blog series does: namespaces, a
/// layered workspace, pivot_root.
#[derive(Parser)]
#[command(name = "mydocker", bin_name = "mydocker", version, max_term_width = 100)]
#[command(after_help = "\
First steps:
  mydocker image import busybox busybox.tar   unpack an image (from: docker export)
  mydocker run -ti sh                         a shell in it
  mydocker doctor                             what works on this machine

Networks are left out: a container has its own loopback, or with --net host the
host's network.

As an ordinary user, everything works except limits and AUFS. Each user has their
own images. mnt is mounted where only the container sees it: look at
/proc/PID/root instead (PID: mydocker ps), or at the write layer.

LAB_LANG=zh prints this help in Chinese, LAB_LANG=en in English. If it is not set,
your locale decides.")]
struct Cli {
    /// The directory that holds images and containers [default: /var/lib/mydocker
    /// for root, $XDG_DATA_HOME/mydocker or ~/.local/share/mydocker for a user]
    #[arg(long, env = "MYDOCKER_ROOT", value_name = "DIR", hide_env = true)]
    root: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Run(Box<cli::run::Arguments>),
    /// Import, export, list and remove images
    #[command(subcommand)]
    Image(cli::image::Command),
    Ps(cli::ps::Arguments),
    Exec(Box<cli::exec::Arguments>),
    Logs(cli::logs::Arguments),
    Stop(cli::ending::StopArguments),
    Kill(cli::ending::KillArguments),
    Wait(cli::ending::WaitArguments),
    Rm(cli::ending::RmArguments),
    Commit(cli::commit::Arguments),
    Prune(cli::containers::PruneArguments),
    Diff(cli::containers::DiffArguments),
    Mounts(cli::mounts::Arguments),
    /// Show what this kernel and this user can do, and what that means here
    Doctor,
    /// Write completions for a shell, to source or install
    #[command(after_help = "Example: source <(mydocker completions bash)")]
    Completions {
        /// Which shell
        shell: clap_complete::Shell,
    },
}

fn main() -> ExitCode {
    // A file that grows too large is then an error, which is told and cleaned up after.
    mydocker_kernel::sys::ignore_signal(nix::libc::SIGXFSZ);
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        // Help and version are no failures; a wrong command line is, with the
        // code that docker has for its own failures.
        Err(error) => {
            let code = if error.use_stderr() { FAILED } else { 0 };
            print_help_or_mistake(error);
            return ExitCode::from(code);
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

/// Prints what clap has to say, in the reader's language: help, the version or a
/// mistake. For Chinese the command line is read once more, by a parser that has
/// Chinese help. A run never comes here.
fn print_help_or_mistake(error: clap::Error) {
    let _ = match cli::chinese::is_wanted() {
        true => {
            let command = with_help(Cli::command(), cli::chinese::HELP);
            let error = command.try_get_matches().err().unwrap_or(error);
            error.apply::<InChinese>().print()
        }
        false => error.print(),
    };
}

fn execute(cli: Cli) -> Result<u8> {
    let root = cli::root::choose(cli.root);
    // It says what is deleted, whose namespaces are joined, whose processes are killed.
    let acts_on_the_store = match &cli.command {
        Command::Image(command) => command.changes_the_store(),
        command => {
            use Command::{Completions, Doctor, Logs, Mounts, Ps, Wait};
            !matches!(command, Ps(_) | Logs(_) | Wait(_) | Mounts(_) | Doctor | Completions { .. })
        }
    };
    if let (true, Ok(root)) = (acts_on_the_store, &root) {
        cli::root::require_ours(root)?;
    }
    match cli.command {
        Command::Run(arguments) => cli::run::execute(&root?, *arguments),
        Command::Image(command) => cli::image::execute(&root?, command),
        Command::Commit(arguments) => cli::commit::execute(&root?, &arguments),
        Command::Ps(arguments) => cli::ps::execute(&root?, &arguments),
        Command::Exec(arguments) => cli::exec::execute(&root?, *arguments),
        Command::Logs(arguments) => cli::logs::execute(&root?, &arguments),
        Command::Stop(arguments) => cli::ending::stop(&root?, &arguments),
        Command::Kill(arguments) => cli::ending::kill(&root?, &arguments),
        Command::Wait(arguments) => cli::ending::wait(&root?, &arguments),
        Command::Rm(arguments) => cli::ending::rm(&root?, &arguments),
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

/// Says what is no failure, but may not be what was wanted.
fn note(text: &impl Display) {
    complain(&format_args!("note: {text}"));
}

/// `1 layer`, `2 layers`.
fn counted(number: usize, unit: &str) -> String {
    format!("{number} {unit}{}", if number == 1 { "" } else { "s" })
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
