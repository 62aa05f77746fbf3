//! From changes that are wrong to what was misunderstood.
//!
//! As in [`crate::parse_line`], the answer is asked about other tables too.

use std::collections::BTreeSet;

use labkit::verdict::Finding;

use super::same::is_remounted;
use super::{Case, Readings, Subject, cases};
use crate::table::Change::{self, Mounted, Moved, Remounted, Umounted};

/// Explains wrong changes, if one of the rules does.
pub fn diagnose(subject: &Subject, case: &Case, seen: &[Change]) -> Option<Finding> {
    let (tables, expected) = (&case.input, case.expected.as_slice());
    let code = by_shape(subject, expected, seen)
        .or_else(|| by_identity(subject, tables, seen))
        .or_else(|| by_settings(subject, tables, expected, seen))?;
    let finding = Finding::new(format!("mount-table/{code}"));
    Some(match tables.reused().next() {
        Some((.., field)) => finding.word("field", field),
        None => finding,
    })
}

/// What shows in the changes themselves.
fn by_shape(subject: &Subject, expected: &[Change], seen: &[Change]) -> Option<&'static str> {
    if set(seen) == set(expected) && seen.len() == expected.len() {
        return Some("changes-in-another-order");
    }
    let reversed: BTreeSet<Change> = expected.iter().map(reversed).collect();
    if set(seen) == reversed && reversed != set(expected) {
        return Some("before-and-after-exchanged");
    }
    let missing = missing(expected, seen);
    let has_lost_umounts = !missing.is_empty()
        && missing.iter().all(|change| matches!(change, Umounted(_)))
        && seen.iter().all(|change| expected.contains(change));
    if has_lost_umounts && !tells_what_came_and_went(subject) {
        return Some("umounts-overlooked");
    }
    None
}

/// By what the answer tells which mount of one table is which of the other.
fn by_identity(subject: &Subject, tables: &Readings, seen: &[Change]) -> Option<&'static str> {
    let has_moved = tables.kept().any(|(old, new)| old.mount_point != new.mount_point);
    let has_remounted = tables.kept().any(|(old, new)| is_remounted(old, new));
    let has_new_parent = tables.kept().any(|(old, new)| old.parent != new.parent);
    let has_reused = tables.reused().next().is_some();
    let has_stack = [&tables.before, &tables.after].iter().any(|mounts| {
        let places: BTreeSet<_> = mounts.iter().map(|mount| &mount.mount_point).collect();
        places.len() < mounts.len()
    });
    let loses_sight_of_38 = |case: Case| {
        let changes = subject.output(&case.input).unwrap_or_default();
        changes.contains(&Umounted(38)) && changes.contains(&Mounted(38))
    };

    if (has_moved || has_remounted || has_new_parent) && loses_sight_of_38(cases::remounted()) {
        return Some("compared-as-a-whole");
    }
    if (has_moved || has_reused || has_stack) && loses_sight_of_38(cases::moved()) {
        return Some("compared-by-mount-point");
    }
    let is_taken_for_old = tables.reused().any(|(old, ..)| !seen.contains(&Umounted(old.id)));
    if is_taken_for_old && tells_what_came_and_went(subject) {
        let knows_some = subject.is_right(&cases::number_of_another_file_system());
        return Some(if knows_some { "same-number-same-mount" } else { "compared-by-id" });
    }
    None
}

/// What the answer compares of one and the same mount.
fn by_settings(
    subject: &Subject,
    tables: &Readings,
    expected: &[Change],
    seen: &[Change],
) -> Option<&'static str> {
    let missing = missing(expected, seen);
    let extra: Vec<Change> = seen.iter().copied().filter(|it| !expected.contains(it)).collect();
    let goes_by_parent = || {
        let changes = subject.output(&cases::new_parent().input);
        changes.is_some_and(|changes| changes.contains(&Moved(39)))
    };
    let has_other_place_or_parent = tables
        .kept()
        .any(|(old, new)| old.mount_point != new.mount_point || old.parent != new.parent);

    if has_other_place_or_parent && goes_by_parent() {
        return Some("moved-by-parent");
    }
    if missing.is_empty()
        && !extra.is_empty()
        && extra.iter().all(|change| matches!(change, Remounted(_)))
    {
        return Some("any-difference-is-a-remount");
    }
    let (old, new) = tables.kept().find(|(_, new)| missing.contains(&Remounted(new.id)))?;
    if !subject.is_right(&cases::remounted()) {
        return Some("remount-overlooked");
    }
    if extra.is_empty() && seen.contains(&Moved(new.id)) {
        return Some("moved-hides-remounted");
    }
    Some(if old.options != new.options {
        "remount-overlooked"
    } else if old.optional_fields != new.optional_fields {
        "propagation-overlooked"
    } else {
        "super-options-overlooked"
    })
}

fn tells_what_came_and_went(subject: &Subject) -> bool {
    cases::came_and_went().iter().all(|case| subject.is_right(case))
}

fn missing(expected: &[Change], seen: &[Change]) -> Vec<Change> {
    expected.iter().copied().filter(|change| !seen.contains(change)).collect()
}

fn set(changes: &[Change]) -> BTreeSet<Change> {
    changes.iter().copied().collect()
}

/// The change from after to before.
fn reversed(change: &Change) -> Change {
    match *change {
        Mounted(id) => Umounted(id),
        Umounted(id) => Mounted(id),
        other => other,
    }
}
