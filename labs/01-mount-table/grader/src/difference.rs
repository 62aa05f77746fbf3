//! difference.

mod cases;
mod diagnosis;
mod same;

use labkit::host::Host;
use labkit::verdict::{Evidence, Finding};

use crate::case::{self, Outcome};
use crate::table::{Change, Mount};
use crate::{Answers, UNFORESEEN, escapes, reading, real};

const FUNCTION: &str = "difference";

/// Two readings of a table, and what has changed.
struct Readings {
    before: Vec<Mount>,
    after: Vec<Mount>,
}

type Case = case::Case<Readings, Vec<Change>>;
type Subject<'a> = case::Subject<'a, Readings, Vec<Change>, Vec<Change>>;
type Wrong<'a> = case::Wrong<'a, Readings, Vec<Change>, Vec<Change>>;

pub fn came_and_went(answers: &Answers, host: &Host) -> Result<(), Finding> {
    check(answers, host, &cases::came_and_went())
}

pub fn moved(answers: &Answers, host: &Host) -> Result<(), Finding> {
    check(answers, host, &[cases::moved()])
}

pub fn new_options(answers: &Answers, host: &Host) -> Result<(), Finding> {
    check(answers, host, &[cases::remounted(), cases::new_super_options()])
}

pub fn new_propagation(answers: &Answers, host: &Host) -> Result<(), Finding> {
    check(answers, host, &cases::new_propagation())
}

pub fn moved_and_remounted(answers: &Answers, host: &Host) -> Result<(), Finding> {
    check(answers, host, &[cases::moved_and_remounted()])
}

pub fn number_used_again(answers: &Answers, host: &Host) -> Result<(), Finding> {
    check(answers, host, &cases::number_used_again())
}

pub fn stacked(answers: &Answers, host: &Host) -> Result<(), Finding> {
    check(answers, host, &cases::stacked())
}

pub fn nothing_changed(answers: &Answers, host: &Host) -> Result<(), Finding> {
    check(answers, host, &[cases::nothing_changed(), cases::new_parent()])
}

pub fn real_changes(answers: &Answers, host: &Host) -> Result<(), Finding> {
    let steps = real::changes_and_their_tables(host).into_iter();
    let case = |(before, after, expected): (Vec<u8>, Vec<u8>, _)| Case {
        input: Readings { before: reading::read(&before), after: reading::read(&after) },
        expected,
    };
    check(answers, host, &steps.map(case).collect::<Vec<_>>())
}

fn check(answers: &Answers, host: &Host, cases: &[Case]) -> Result<(), Finding> {
    let subject = Subject {
        host,
        name: FUNCTION,
        call: &|tables| (answers.difference)(&tables.before, &tables.after),
        is_right: PartialEq::eq,
    };
    let Some(wrong) = subject.first_wrong(cases)? else { return Ok(()) };
    let finding = match &wrong.outcome {
        Outcome::Died(death) => death.clone(),
        Outcome::Returned(seen) => diagnosis::diagnose(&subject, wrong.case, seen)
            .unwrap_or_else(|| Finding::new(UNFORESEEN)),
    };
    let mut finding = finding.word("function", FUNCTION).with(evidence(&wrong));
    finding.printed = wrong.printed;
    Err(finding)
}

/// The lines that differ, what has changed, and what was made of it.
fn evidence(wrong: &Wrong) -> Vec<Evidence> {
    let Readings { before, after } = &wrong.case.input;
    let picture = |what: &str, drawing| Evidence::Tree { what: what.to_owned(), drawing };
    let without = |mounts: &[Mount], others: &[Mount]| {
        let others: Vec<String> = others.iter().map(line).collect();
        let lines = mounts.iter().map(line).filter(|line| !others.contains(line));
        listed(lines.collect())
    };
    let seen = match &wrong.outcome {
        Outcome::Returned(changes) => shown(changes),
        Outcome::Died(_) => "panic!".to_owned(),
    };
    vec![
        picture("before, lines that are not in after", without(before, after)),
        picture("after, lines that are not in before", without(after, before)),
        Evidence::differs("difference(before, after)", shown(&wrong.case.expected), seen),
    ]
}

/// A mount as a line of the table, but for escapes.
fn line(mount: &Mount) -> String {
    let Mount { id, parent, device, fs_type, .. } = mount;
    let (root, place) = (mount.root.display(), mount.mount_point.display());
    let options = mount.options.join(",");
    let optional: String = mount.optional_fields.iter().map(|it| format!("{it} ")).collect();
    let source = mount.source.display();
    let super_options = mount.super_options.join(",".as_ref());
    let super_options = escapes::shown(super_options.as_encoded_bytes());
    format!(
        "{id} {parent} {device} {root} {place} {options} {optional}- {fs_type} {source} {super_options}"
    )
}

fn listed(lines: Vec<String>) -> String {
    if lines.is_empty() { "-".to_owned() } else { lines.join("\n") }
}

fn shown(changes: &[Change]) -> String {
    format!("{changes:?}")
}
