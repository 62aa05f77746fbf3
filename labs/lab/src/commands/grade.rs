//! `lab grade`: grades labs and says what is kept and what is not.

use std::path::Path;
use std::process::ExitCode;

use clap::Args;
use labkit::lab::{Lab, PromiseText};

use crate::formats::Format;
use crate::grade::Grade;
use crate::session::{Session, promise_called};
use crate::trouble::Trouble;
use crate::{class, programs, tell};

/// Grade a lab, or all of them
///
/// Your code is compiled, and called in a sealed sandbox once for each promise. What
/// the kernel shows then decides. The first broken promise is explained in full.
/// `cargo lab show` explains the others, and lists what you keep.
#[derive(Args)]
#[command(after_help = "\
Exit codes:
  0  every promise that can be graded here is kept
  1  a promise is broken or its function is not written yet
  2  it could not be graded: it does not compile, the graders were changed, or
     nothing in a lab can be graded here

  cargo lab grade 06 devices     only promises with `devices` in their name

For teachers: a report on standard output, and nothing else:
  cargo lab grade 06 --gradescope >/autograder/results/results.json
  cargo lab grade 06 --classroom | base64 -w0    the `result` of a GitHub
                                                 Classroom autograding step
  cargo lab grade --all handed-in --lab 06 --csv grades.csv

A submission is a directory with the answers, laid out like a checkout
(labs/06-pivot-root/src/lib.rs) or as 06-pivot-root/lib.rs. If only one lab is
graded, lib.rs alone is enough. Results are kept in handed-in/.lab, and graded again
only if the answer has changed. See labs/teach/README.md.")]
pub struct Arguments {
    /// Which labs; all if you name none. After a lab: which of its promises, by part
    /// of their names
    #[arg(id = "lab", value_name = "LAB|PROMISE")]
    words: Vec<String>,
    /// Everything that is known, as JSON; with --all, written to FILE
    #[arg(long, group = "format", value_name = "FILE", num_args = 0..=1)]
    json: Option<Option<String>>,
    /// JUnit XML: one test suite per lab, one test case per promise
    #[arg(long, group = "format")]
    junit: bool,
    /// Gradescope's results.json: one point per promise
    #[arg(long, group = "format")]
    gradescope: bool,
    /// The result of a GitHub Classroom autograding step, as JSON
    #[arg(long, group = "format")]
    classroom: bool,
    #[command(flatten)]
    class: class::ClassArguments,
}

pub fn execute(session: &Session, arguments: &Arguments) -> Result<ExitCode, Trouble> {
    // `--json 06`: without --all there is no file, so that it is a lab.
    let after_json = arguments.json.as_ref().and_then(Option::as_deref);
    if let Some(folder) = &arguments.class.all {
        return class::execute(session, folder, &arguments.class, after_json.map(Path::new));
    }
    let words = after_json.into_iter().chain(arguments.words.iter().map(String::as_str));
    let (named, only) = what_is_asked_for(session, &words.collect::<Vec<_>>())?;
    let is_named = |lab: &&Lab| named.is_empty() || named.iter().any(|it| it.number == lab.number);
    let labs: Vec<&Lab> = session.checkout.labs.iter().filter(is_named).collect();
    let built = programs::build(session, &labs)?;
    eprint!("{}", built.said);
    let grades: Vec<Grade> = labs.iter().map(|lab| Grade::by(session, lab, &built, only)).collect();
    match arguments.format() {
        Some(format) => println!("{}", format.write(session, &grades)),
        None => grades.iter().for_each(|grade| tell::grade(session, grade)),
    }
    Ok(exit_code(&grades))
}

impl Arguments {
    fn format(&self) -> Option<Format> {
        let formats = [
            (self.json.is_some(), Format::Json),
            (self.junit, Format::JUnit),
            (self.gradescope, Format::Gradescope),
            (self.classroom, Format::Classroom),
        ];
        formats.into_iter().find_map(|(is_wanted, format)| is_wanted.then_some(format))
    }
}

/// The labs that are named; and of a single one the promises, by a part of their
/// names.
fn what_is_asked_for<'a>(
    session: &'a Session,
    words: &[&'a str],
) -> Result<(Vec<&'a Lab>, Option<&'a str>), Trouble> {
    if let [lab, promise] = words
        && let (Ok(lab), Err(_)) = (session.checkout.lab(lab), session.checkout.lab(promise))
    {
        let is_it = |it: &PromiseText| it.name.contains(promise);
        return match lab.promises.iter().any(is_it) {
            true => Ok((vec![lab], Some(promise))),
            false => promise_called(lab, promise).map(|_| (vec![lab], None)),
        };
    }
    let labs = words.iter().map(|name| session.checkout.lab(name));
    Ok((labs.collect::<Result<_, _>>()?, None))
}

fn exit_code(grades: &[Grade]) -> ExitCode {
    if !grades.iter().all(Grade::counts) {
        return ExitCode::from(Trouble::EXIT_CODE);
    }
    let all_kept = grades.iter().all(|grade| grade.standing().first_open().is_none());
    if all_kept { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
