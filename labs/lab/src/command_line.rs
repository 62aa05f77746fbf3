//! The command line of `lab`.

use std::env;
use std::ffi::OsString;
use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use labkit::language::Language;
use mydocker_chinese::help::with_help;
use mydocker_chinese::mistake::InChinese;
use nix::sys::signal::{SigHandler, Signal, signal};

use crate::chinese_help::HELP;
use crate::commands::{
    check, completions, doctor, grade, handout, hint, overview, reset, show, solution, watch,
};
use crate::session::Session;
use crate::trouble::Trouble;

/// Shows where you stand in the labs and what is next, and grades your answers
#[derive(Parser)]
#[command(name = "lab", bin_name = "cargo lab", version, max_term_width = 100)]
#[command(after_help = "\
First steps:
  cargo lab next        which file to edit, and what to read first
  cargo lab grade 06    grade lab 06: how many promises you keep, and the first that
                        you do not keep; `cargo lab 06` is short for it
  cargo lab hint 06     a hint for that promise; each call gives one more

LAB is a number or a name: 6, 06, pivot-root, lab-06 and 06-pivot-root all mean
the same lab. Without a command, you see where you stand and what is next.

LAB_LANG=zh selects Chinese, and LAB_LANG=en English. If it is not set, your locale
decides. NO_COLOR=1 turns colour off. Your progress is kept in the directory .lab.")]
pub struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// List all labs: the subject, the blog article, how far you are
    List,
    /// Show what to do next: the file, the function, the promise, the command
    Next,
    Grade(grade::Arguments),
    Check(check::Arguments),
    Watch(watch::Arguments),
    Hint(hint::Arguments),
    Show(show::Arguments),
    Reset(reset::Arguments),
    Solution(solution::Arguments),
    /// Show what can be graded on this machine, as this user, and what cannot
    #[command(after_help = "\
It finds out by trying: it makes a sandbox, as a grade does. For everything that
cannot be graded here, it says why, and where it can be graded.")]
    Doctor,
    Handout(handout::Arguments),
    Completions(completions::Arguments),
}

/// Does what the command line says.
pub fn main() -> ExitCode {
    end_with_the_reader();
    let mut command = Cli::command();
    let is_chinese = Language::current() == Language::Chinese;
    if is_chinese {
        command = with_help(command, HELP);
    }
    let matches = command.try_get_matches_from(with_grade(env::args_os().collect()));
    let cli = match matches.and_then(|matches| Cli::from_arg_matches(&matches)) {
        Ok(cli) => cli,
        Err(error) => {
            let code = if error.use_stderr() { Trouble::EXIT_CODE } else { 0 };
            let _ = match is_chinese {
                true => error.apply::<InChinese>().print(),
                false => error.print(),
            };
            return ExitCode::from(code);
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
        Some(Command::Handout(arguments)) => handout::execute(&session, &arguments)?,
        Some(Command::Completions(arguments)) => completions::execute(&arguments, Cli::command()),
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
