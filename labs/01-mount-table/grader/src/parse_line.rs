//! parse_line.

mod cases;
mod diagnosis;
mod fields;

use labkit::describe::Failure;
use labkit::host::Host;
use labkit::verdict::{Evidence, Finding};

use crate::case::{self, Outcome};
use crate::table::Mount;
use crate::{Answers, UNFORESEEN, escapes, reading, real, tables};

const FUNCTION: &str = "parse_line";

/// A line, and what is in it; nothing, if it must be refused.
type Case = case::Case<Vec<u8>, Option<Mount>>;
type Subject<'a> = case::Subject<'a, Vec<u8>, Option<Mount>, Result<Mount, Failure>>;
type Wrong<'a> = case::Wrong<'a, Vec<u8>, Option<Mount>, Result<Mount, Failure>>;

pub fn fields(answers: &Answers, host: &Host) -> Result<(), Finding> {
    check(answers, host, &cases::fields())
}

pub fn optional_fields(answers: &Answers, host: &Host) -> Result<(), Finding> {
    check(answers, host, &cases::optional_fields())
}

pub fn separator(answers: &Answers, host: &Host) -> Result<(), Finding> {
    check(answers, host, &cases::separator())
}

pub fn empty_source(answers: &Answers, host: &Host) -> Result<(), Finding> {
    check(answers, host, &[cases::empty_source()])
}

pub fn names(answers: &Answers, host: &Host) -> Result<(), Finding> {
    check(answers, host, &cases::names())
}

pub fn any_bytes(answers: &Answers, host: &Host) -> Result<(), Finding> {
    check(answers, host, &cases::any_bytes())
}

pub fn lists(answers: &Answers, host: &Host) -> Result<(), Finding> {
    check(answers, host, &cases::lists())
}

pub fn broken_lines(answers: &Answers, host: &Host) -> Result<(), Finding> {
    check(answers, host, &cases::broken_lines())
}

pub fn several_kernels(answers: &Answers, host: &Host) -> Result<(), Finding> {
    let lines = tables::ALL.into_iter().flat_map(reading::lines);
    let read = |line: &[u8]| Case { input: line.into(), expected: Some(reading::read_line(line)) };
    check(answers, host, &lines.map(read).collect::<Vec<_>>())
}

pub fn real_mounts(answers: &Answers, host: &Host) -> Result<(), Finding> {
    let known = real::mounts_as_the_kernel_shows_them(host);
    let case = |(line, mount)| Case { input: line, expected: Some(mount) };
    check(answers, host, &known.into_iter().map(case).collect::<Vec<_>>())
}

fn check(answers: &Answers, host: &Host, cases: &[Case]) -> Result<(), Finding> {
    let subject = Subject {
        host,
        name: FUNCTION,
        call: &|line| (answers.parse_line)(line).map_err(Failure::from),
        is_right: |expected, parsed| match (expected, parsed) {
            (Some(mount), Ok(parsed)) => parsed == mount,
            (None, parsed) => parsed.is_err(),
            (Some(_), Err(_)) => false,
        },
    };
    let Some(wrong) = subject.first_wrong(cases)? else { return Ok(()) };
    let finding = diagnosis::diagnose(&subject, &wrong).unwrap_or_else(|| match &wrong.outcome {
        Outcome::Died(death) => death.clone(),
        Outcome::Returned(Ok(_)) => Finding::new(UNFORESEEN),
        Outcome::Returned(Err(failure)) => {
            Finding::new("answer/returned-error").word("error", failure)
        }
    });
    let mut finding = finding.word("function", FUNCTION).with(evidence(&wrong));
    finding.printed = wrong.printed;
    Err(finding)
}

/// The line, and what was made of it.
fn evidence(wrong: &Wrong) -> Vec<Evidence> {
    let line = escapes::shown(&wrong.case.input);
    let mut evidence = vec![Evidence::Tree { what: "the line".to_owned(), drawing: line }];
    let returned = |expected: &str, seen: String| {
        Evidence::differs(format!("{FUNCTION}(line)"), expected, seen)
    };
    match (&wrong.case.expected, &wrong.outcome) {
        (Some(_), Outcome::Died(_)) => evidence.push(returned("Ok", "panic!".to_owned())),
        (None, Outcome::Died(_)) => evidence.push(returned("Err", "panic!".to_owned())),
        (_, Outcome::Returned(Err(failure))) => {
            evidence.push(returned("Ok", format!("Err({failure})")));
        }
        (None, Outcome::Returned(Ok(mount))) => {
            evidence.push(returned("Err", format!("Ok({mount:?})")));
        }
        (Some(expected), Outcome::Returned(Ok(mount))) => {
            evidence.extend(fields::differences(expected, mount));
        }
    }
    evidence
}
