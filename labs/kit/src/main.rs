//! The command `lab`: where a student stands, what is next, and the grades.

mod cli;

use std::process::ExitCode;

rust_i18n::i18n!("locales", fallback = "en");

fn main() -> ExitCode {
    // A process of this program that `lab doctor` has started.
    if labkit::exam::graded_here().is_some() {
        return cli::doctor::try_sandbox();
    }
    // One that `lab grade --all` has started.
    if let Some(task) = cli::class::Task::of_this_process() {
        return task.execute();
    }
    cli::main()
}
