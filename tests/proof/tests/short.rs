//! The short form of every subject, as a test each.

use std::process::ExitCode;

use libtest_mimic::{Arguments, Completion, Failed, Trial};
use proof::{Form, Proof, SUBJECTS, Subject, release};

fn main() -> ExitCode {
    let trials =
        SUBJECTS.iter().map(|subject| Trial::ignorable_test(subject.name, || prove(subject)));
    // One after the other: each keeps all processors busy by itself.
    let arguments = Arguments { test_threads: Some(1), ..Arguments::from_args() };
    libtest_mimic::run(&arguments, trials.collect()).exit_code()
}

fn prove(subject: &Subject) -> Result<Completion, Failed> {
    let section = subject.run(&Proof { program: release::program()?, form: Form::Short });
    if let Some(reason) = section.ignored {
        return Ok(Completion::ignored_with(reason));
    }
    if section.failures.is_empty() {
        return Ok(Completion::Completed);
    }
    Err(section.failures.join("\n\n").into())
}
