//! difference.

pub mod cases;
mod generated;
mod same;
mod told;

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use labkit::host::Host;
use labkit::verdict::{Evidence, Finding};

use crate::acts::{DIFFERENCE, Readings};
use crate::table::{Change, Mount};
use crate::{escapes, reading, real};
use told::{RULES, Told};

/// Two readings of a table, and what has changed.
type Case = labkit::cases::Case<Readings, Vec<Change>>;
type Subject<'h> = labkit::cases::Subject<'h, Readings, Vec<Change>, Vec<Change>>;
type Wrong = labkit::cases::Wrong<Readings, Vec<Change>, Vec<Change>>;
type Tried = labkit::cases::Tried<Readings, Vec<Change>, Vec<Change>>;

pub fn real_changes(host: &Host) -> Result<(), Finding> {
    let steps = real::changes_and_their_tables(host).into_iter();
    let case = |(before, after, expected): (Vec<u8>, Vec<u8>, _)| Case {
        input: Readings { before: reading::read(&before), after: reading::read(&after) },
        expected,
    };
    judge(host, steps.map(case).collect())
}

pub fn any_change(host: &Host) -> Result<(), Finding> {
    subject(host).judge_any(cases::all(), generated::readings, finding)
}

fn subject(host: &Host) -> Subject<'_> {
    Subject::new(host, &DIFFERENCE, PartialEq::eq)
}

pub fn judge(host: &Host, cases: Vec<Case>) -> Result<(), Finding> {
    subject(host).judge(cases, finding)
}

fn finding(subject: &Subject, wrong: Wrong) -> Finding {
    let told = Told::of(subject, wrong);
    told.wrong.finding(&RULES, &told, evidence(&told.wrong))
}

/// The lines that differ, what has changed, and what was made of it.
fn evidence(wrong: &Wrong) -> Vec<Evidence> {
    let Readings { before, after } = &wrong.case.input;
    let picture = |what: String, drawing| Evidence::Tree { what, drawing };
    let without = |mounts: &[Mount], others: &[Mount]| {
        let others: Vec<String> = others.iter().map(line).collect();
        let lines: Vec<String> =
            mounts.iter().map(line).filter(|line| !others.contains(line)).collect();
        if lines.is_empty() { "-".to_owned() } else { lines.join("\n") }
    };
    let shown = |changes: &Vec<Change>| format!("{changes:?}");
    vec![
        picture(wrong.what("before, lines that are not in after"), without(before, after)),
        picture("after, lines that are not in before".to_owned(), without(after, before)),
        Evidence::differs(
            "difference(before, after)",
            shown(&wrong.case.expected),
            wrong.outcome.shown(shown),
        ),
    ]
}

/// A mount as a line of the table, but without its escapes.
fn line(mount: &Mount) -> String {
    let Mount { id, parent, device, fs_type, .. } = mount;
    let shown = |name: &OsStr| escapes::shown(name.as_bytes());
    let (root, place) = (shown(mount.root.as_os_str()), shown(mount.mount_point.as_os_str()));
    let options = mount.options.join(",");
    let optional: String = mount.optional_fields.iter().map(|it| format!("{it} ")).collect();
    let source = shown(&mount.source);
    // A comma in an option has to keep it.
    let super_options = mount.super_options.iter().map(|it| shown(it).replace(',', r"\054"));
    let super_options = super_options.collect::<Vec<_>>().join(",");
    format!(
        "{id} {parent} {device} {root} {place} {options} {optional}- {fs_type} {source} {super_options}"
    )
}
