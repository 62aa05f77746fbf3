//! The command line of `lab`.

mod blame;
mod check;
mod checkout;
pub mod class;
mod completions;
pub mod doctor;
mod formats;
mod grade;
mod grading;
mod hint;
mod overview;
mod programs;
mod reset;
mod session;
mod show;
mod solution;
mod standing;
mod trouble;
mod watch;

use std::env;
use std::ffi::OsString;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use labkit::language::Language;
use nix::sys::signal::{SigHandler, Signal, signal};

use session::Session;
use trouble::Trouble;

/// Where you stand in the labs, what is next, and your grades
#[derive(Parser)]
#[command(name = "lab", bin_name = "cargo lab", version, max_term_width = 100)]
#[command(after_help = "\
First steps:
  cargo lab next        which file to edit, and what to read before
  cargo lab grade 06    grade lab 06: how much is kept, and the first thing that is
                        not; `cargo lab 06` is short for it
  cargo lab hint 06     a hint for it; each call gives one more

LAB is a number or a name: 6, 06, pivot-root, lab-06 and 06-pivot-root are the
same. Without a command: where you stand and what is next.

LAB_LANG=zh speaks Chinese, LAB_LANG=en English; else the locale decides.
NO_COLOR=1 turns colour off. What is remembered lies in the folder .lab.")]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// All labs: their subject, their article of the blog, how far you are
    List,
    /// What to do next: the file, the function, the promise, the command
    Next,
    Grade(grade::Arguments),
    Check(check::Arguments),
    Watch(watch::Arguments),
    Hint(hint::Arguments),
    Show(show::Arguments),
    Reset(reset::Arguments),
    Solution(solution::Arguments),
    /// What can be graded on this machine and as this user, and what cannot
    #[command(after_help = "\
Found out by trying: a sandbox is made as for a grade. What cannot be graded
here is named with the reason, and with where it can be.")]
    Doctor,
    Completions(completions::Arguments),
}

/// Does what the command line says.
pub fn main() -> ExitCode {
    end_with_the_reader();
    let cli = match Cli::try_parse_from(with_grade(env::args_os().collect())) {
        Ok(cli) => cli,
        Err(error) => {
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { Trouble::EXIT_CODE } else { 0 });
        }
    };
    execute(cli.command).unwrap_or_else(|trouble| {
        eprintln!("lab: {}", trouble.text(Language::current()));
        ExitCode::from(Trouble::EXIT_CODE)
    })
}

/// `lab 06` is `lab grade 06`.
fn with_grade(mut arguments: Vec<OsString>) -> Vec<OsString> {
    let first = arguments.get(1).map(|first| first.as_encoded_bytes());
    if first.is_some_and(|first| {
        first.starts_with(b"lab-") || first[..].first().is_some_and(u8::is_ascii_digit)
    }) {
        arguments.insert(1, "grade".into());
    }
    arguments
}

fn execute(command: Option<Command>) -> Result<ExitCode, Trouble> {
    let session = Session::begin()?;
    match command {
        None => overview::stand(&session),
        Some(Command::List) => overview::list(&session),
        Some(Command::Next) => overview::next(&session),
        Some(Command::Grade(arguments)) => return grade::execute(&session, &arguments),
        Some(Command::Check(arguments)) => return check::execute(&session, &arguments),
        Some(Command::Watch(arguments)) => watch::execute(&session, &arguments)?,
        Some(Command::Hint(arguments)) => hint::execute(&session, &arguments)?,
        Some(Command::Show(arguments)) => show::execute(&session, &arguments)?,
        Some(Command::Reset(arguments)) => reset::execute(&session, &arguments)?,
        Some(Command::Solution(arguments)) => solution::execute(&session, &arguments)?,
        Some(Command::Doctor) => doctor::execute(&session),
        Some(Command::Completions(arguments)) => completions::execute(&arguments),
    }
    Ok(ExitCode::SUCCESS)
}

/// Lets `cargo lab show 06 | head` end quietly: Rust's programs ignore SIGPIPE,
/// and would panic at the next line.
#[allow(unsafe_code)]
fn end_with_the_reader() {
    // SAFETY: the default action is no function that could do something unsafe.
    let _ = unsafe { signal(Signal::SIGPIPE, SigHandler::SigDfl) };
}
