//! parse_line.

pub mod cases;
mod fields;
mod generated;
mod read;

use labkit::cases::Outcome;
use labkit::host::Host;
use labkit::verdict::{Evidence, Finding};

use crate::acts::{PARSE_LINE, Refusal};
use crate::table::Mount;
use crate::{escapes, reading, real, tables};
use read::{RULES, Read};

/// A line, and what is in it; nothing, if it must be refused.
type Case = labkit::cases::Case<Vec<u8>, Option<Mount>>;
type Subject<'h> = labkit::cases::Subject<'h, Vec<u8>, Option<Mount>, Result<Mount, Refusal>>;
type Wrong = labkit::cases::Wrong<Vec<u8>, Option<Mount>, Result<Mount, Refusal>>;
type Tried = labkit::cases::Tried<Vec<u8>, Option<Mount>, Result<Mount, Refusal>>;

pub fn several_kernels(host: &Host) -> Result<(), Finding> {
    let lines = tables::ALL.into_iter().flat_map(reading::lines);
    let read = |line: &[u8]| Case { input: line.into(), expected: Some(reading::read_line(line)) };
    judge(host, lines.map(read).collect())
}

pub fn real_mounts(host: &Host) -> Result<(), Finding> {
    let known = real::mounts_as_the_kernel_shows_them(host);
    let case = |(line, mount)| Case { input: line, expected: Some(mount) };
    judge(host, known.into_iter().map(case).collect())
}

pub fn any_line(host: &Host) -> Result<(), Finding> {
    subject(host).judge_any(cases::all(), generated::line, finding)
}

fn subject(host: &Host) -> Subject<'_> {
    Subject::new(host, &PARSE_LINE, |expected, parsed| match (expected, parsed) {
        (Some(mount), Ok(parsed)) => parsed == mount,
        (None, Err(refusal)) => refusal.is_invalid_data,
        (None, Ok(_)) | (Some(_), Err(_)) => false,
    })
}

pub fn judge(host: &Host, cases: Vec<Case>) -> Result<(), Finding> {
    subject(host).judge(cases, finding)
}

fn finding(subject: &Subject, wrong: Wrong) -> Finding {
    let read = Read::of(subject, wrong);
    read.wrong.finding(&RULES, &read, evidence(&read.wrong))
}

/// The line, and what was made of it.
fn evidence(wrong: &Wrong) -> Vec<Evidence> {
    let what = wrong.what("the line");
    let line = Evidence::Tree { what, drawing: escapes::shown(&wrong.case.input) };
    if let (Some(expected), Outcome::Returned(Ok(seen))) = (&wrong.case.expected, &wrong.outcome) {
        let pairs = fields::named(expected).into_iter().zip(fields::named(seen));
        let differ = pairs.map(|((name, must), (_, was))| Evidence::differs(name, must, was));
        return [line].into_iter().chain(differ).collect();
    }
    let expected = if wrong.case.expected.is_some() { "Ok" } else { "Err(InvalidData)" };
    let seen = wrong.outcome.shown(|parsed| match parsed {
        Ok(mount) => format!("Ok({mount:?})"),
        Err(refusal) => format!("Err({})", refusal.failure),
    });
    vec![line, Evidence::differs("parse_line(line)", expected, seen)]
}
