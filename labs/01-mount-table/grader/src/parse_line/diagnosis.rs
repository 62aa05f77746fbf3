//! From a line that was read wrongly to what was misunderstood.
//!
//! A line can be hard in several ways. Which of them it was shows in lines that
//! are hard in that way only: the answer is asked about those too.

use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use labkit::verdict::Finding;

use super::fields::{Raw, named};
use super::{Case, Subject, Wrong, cases};
use crate::case::Outcome;
use crate::escapes;
use crate::table::Mount;

/// Explains a wrong reading, if one of the rules does.
pub fn diagnose(subject: &Subject, wrong: &Wrong) -> Option<Finding> {
    let code = |code: &str| Some(Finding::new(format!("mount-table/{code}")));
    let line = &wrong.case.input;
    let seen = match &wrong.outcome {
        Outcome::Returned(Ok(mount)) => Some(mount),
        Outcome::Returned(Err(_)) | Outcome::Died(_) => None,
    };
    let Some(expected) = &wrong.case.expected else {
        // Who miscounts the fields does not see which one is missing.
        seen?;
        return code(optional_fields(subject, 1).unwrap_or("broken-line-accepted"));
    };

    // 1. What shows in the mount itself.
    if let Some((field, other)) = seen.and_then(|seen| exchanged(expected, seen)) {
        return code("fields-exchanged").map(|it| it.word("field", field).word("other", other));
    }
    if let Some(list) = seen.and_then(|seen| unsplit(expected, seen)) {
        return code("options-not-split").map(|it| it.word("field", list));
    }
    // 2. What is between the fields.
    if let Some(found) = optional_fields(subject, expected.optional_fields.len()) {
        return code(found);
    }
    if !subject.is_right(&cases::plain()) {
        // It is not what is hard about this line then.
        return None;
    }
    if let Some(found) = separators(subject, line, expected) {
        return code(found);
    }
    // 3. What is in them.
    match seen {
        Some(seen) => names(subject, line, seen),
        None => demands_utf8(wrong).then(|| code("utf8-demanded"))?,
    }
}

/// Two fields each of which has what belongs into the other.
fn exchanged(expected: &Mount, seen: &Mount) -> Option<(&'static str, &'static str)> {
    let (expected, seen) = (named(expected), named(seen));
    let pairs = [("id", "parent"), ("root", "mount_point"), ("fs_type", "source")];
    pairs.into_iter().find(|(one, other)| {
        let value = |fields: &[(&str, String); 10], name: &str| {
            fields.iter().find(|(it, _)| *it == name).map(|(_, value)| value.clone())
        };
        value(&expected, one) == value(&seen, other)
            && value(&expected, other) == value(&seen, one)
            && value(&expected, one) != value(&expected, other)
    })
}

/// A list that has stayed one text.
fn unsplit(expected: &Mount, seen: &Mount) -> Option<&'static str> {
    let options = expected.options.join(",");
    if expected.options.len() > 1 && seen.options == [options] {
        return Some("options");
    }
    let super_options = expected.super_options.join(",".as_ref());
    let is_one = expected.super_options.len() > 1 && seen.super_options == [super_options];
    is_one.then_some("super_options")
}

/// How the answer deals with optional fields, if it fails with so many.
fn optional_fields(subject: &Subject, count: usize) -> Option<&'static str> {
    let is_right = |count| subject.is_right(&cases::with_optional_fields(count));
    if is_right(count.min(2)) {
        return None;
    }
    match (is_right(0), is_right(1)) {
        (true, false) => {
            let one = subject.output(&cases::with_optional_fields(1).input);
            let has_found_the_rest = matches!(one, Some(Ok(mount)) if mount.fs_type == "ext3");
            Some(if has_found_the_rest {
                "optional-fields-dropped"
            } else {
                "optional-fields-overlooked"
            })
        }
        (false, true) => Some("one-optional-field-demanded"),
        (true, true) => Some("only-one-optional-field"),
        (false, false) => None,
    }
}

/// What the answer takes for a separator, or does not.
fn separators(subject: &Subject, line: &[u8], expected: &Mount) -> Option<&'static str> {
    let is_wrong = |case: Case| !subject.is_right(&case);
    let is_unknown = |field: &String| field.starts_with("isolated:");
    let dashes = line.iter().filter(|&&byte| byte == b'-').count();

    if expected.optional_fields.iter().any(is_unknown) && is_wrong(cases::unknown_optional_field())
    {
        return Some("unknown-optional-field-lost");
    }
    if dashes > 1 && is_wrong(cases::dash_in_a_name()) {
        return Some("any-dash-separates");
    }
    if expected.source == "-" && is_wrong(cases::dash_as_source()) {
        return Some("separator-sought-from-the-end");
    }
    if expected.source.is_empty() && is_wrong(cases::empty_source()) {
        return Some("empty-field-lost");
    }
    if line.contains(&b'\\') && unescapes_before_it_splits(subject) {
        return Some("unescaped-before-split");
    }
    None
}

/// Whether a blank in a name separates two fields for the answer.
fn unescapes_before_it_splits(subject: &Subject) -> bool {
    match subject.output(&cases::blank_in_a_name().input) {
        Some(Ok(mount)) => mount.mount_point == Path::new("/mnt/my"),
        Some(Err(_)) | None => true,
    }
}

/// Whether the answer has failed because of bytes that are not UTF-8.
fn demands_utf8(wrong: &Wrong) -> bool {
    match &wrong.outcome {
        Outcome::Died(death) => escapes::demands_utf8(death),
        Outcome::Returned(_) => std::str::from_utf8(&wrong.case.input).is_err(),
    }
}

/// What was done to the bytes of the names and of the super options.
fn names(subject: &Subject, line: &[u8], seen: &Mount) -> Option<Finding> {
    let raw = Raw::of(line);
    let names = raw.names(seen);
    let changed = names.iter().find(|(_, raw, seen)| escapes::unescape(raw) != *seen);
    if let Some((name, raw, seen)) = changed {
        // It may know them in one field and not in another.
        let knows_blanks = *name == "mount_point" && subject.is_right(&cases::blank_in_a_name());
        return escapes::diagnose(raw, seen, knows_blanks).map(Finding::new);
    }
    let raw: Vec<&[u8]> = raw.super_options.split(|&byte| byte == b',').collect();
    if seen.super_options.len() > raw.len() {
        return Some(Finding::new("mount-table/commas-unescaped-before-split"));
    }
    let mut options = raw.into_iter().zip(&seen.super_options);
    let (raw, seen) = options.find(|(raw, seen)| escapes::unescape(raw) != seen.as_bytes())?;
    let knows_blanks = subject.is_right(&cases::blank_in_an_option());
    escapes::diagnose(raw, seen.as_bytes(), knows_blanks).map(Finding::new)
}
