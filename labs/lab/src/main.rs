//! The command `lab`: where a student stands, what is next, and the grades.

mod blame;
mod checkout;
mod chinese_help;
mod class;
mod command_line;
mod commands;
mod contract;
mod formats;
mod grade;
mod grader;
mod programs;
mod session;
mod standing;
mod tell;
mod trouble;

use std::process::ExitCode;

rust_i18n::i18n!("locales", fallback = "en");

fn main() -> ExitCode {
    // A process of this program that `lab doctor` has started.
    if labkit::exam::graded_here().is_some() {
        return commands::doctor::try_sandbox();
    }
    // One that `lab grade --all` has started.
    if let Some(task) = class::Task::of_this_process() {
        return task.execute();
    }
    command_line::main()
}
