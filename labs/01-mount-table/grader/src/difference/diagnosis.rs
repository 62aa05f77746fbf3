//! From changes that are wrong to what was misunderstood.
//!
//! As in [`crate::parse_line`], the answer is asked about other tables too.

use std::collections::BTreeSet;

use labkit::verdict::Finding;

use super::same::is_remounted;
use super::{Case, Subject, cases};
use crate::table::Change::{self, Mounted, Moved, Remounted, Umounted};

/// Explains wrong changes, if one of the rules does.
pub fn diagnose(subject: &Subject, case: &Case, seen: &[Change]) -> Option<Finding> {
    let (tables, expected) = (&case.input, &case.expected);
    let code = |code: &str| Some(Finding::new(format!("mount-table/{code}")));

    // 1. What shows in the changes themselves.
    if set(seen) == set(expected) && seen.len() == expected.len() {
        return code("changes-in-another-order");
    }
    let reversed: BTreeSet<Change> = expected.iter().map(reversed).collect();
    if set(seen) == reversed && reversed != set(expected) {
        return code("before-and-after-exchanged");
    }
    let tells_what_came_and_went = cases::came_and_went().iter().all(|it| subject.is_right(it));
    if !tells_what_came_and_went && lacks_only(seen, expected, |it| matches!(it, Umounted(_))) {
        return code("umounts-overlooked");
    }

    // 2. By what the answer tells which mount is which.
    let has_moved = tables.kept().any(|(old, new)| old.mount_point != new.mount_point);
    let has_remounted = tables.kept().any(|(old, new)| is_remounted(old, new));
    let has_new_parent = tables.kept().any(|(old, new)| old.parent != new.parent);
    let is_unknown_after = |case: Case, id: u32| {
        let changes = subject.output(&case.input).unwrap_or_default();
        changes.contains(&Umounted(id)) && changes.contains(&Mounted(id))
    };
    if (has_moved || has_remounted || has_new_parent) && is_unknown_after(cases::remounted(), 38) {
        return code("compared-as-a-whole");
    }
    let has_reused = tables.reused().next().is_some();
    let has_stack = [&tables.before, &tables.after].iter().any(|mounts| {
        let places: BTreeSet<_> = mounts.iter().map(|mount| &mount.mount_point).collect();
        places.len() < mounts.len()
    });
    if (has_moved || has_reused || has_stack) && is_unknown_after(cases::moved(), 38) {
        return code("compared-by-mount-point");
    }
    if tells_what_came_and_went
        && let Some((.., field)) =
            tables.reused().find(|(old, ..)| !seen.contains(&Umounted(old.id)))
    {
        let knows_some = subject.is_right(&cases::number_of_another_file_system());
        let found = if knows_some { "same-number-same-mount" } else { "compared-by-id" };
        return code(found).map(|finding| finding.word("field", field));
    }

    // 3. What the answer looks at in one and the same mount.
    let missing: Vec<&Change> = expected.iter().filter(|it| !seen.contains(it)).collect();
    let extra: Vec<&Change> = seen.iter().filter(|it| !expected.contains(it)).collect();
    let goes_by_parent = || {
        let changes = subject.output(&cases::new_parent().input);
        changes.is_some_and(|changes| changes.contains(&Moved(39)))
    };
    if (has_moved || has_new_parent) && goes_by_parent() {
        return code("moved-by-parent");
    }
    if !extra.is_empty() && missing.is_empty() && extra.iter().all(|it| matches!(it, Remounted(_)))
    {
        return code("any-difference-is-a-remount");
    }
    if extra.is_empty()
        && let [Remounted(id)] = missing[..]
        && seen.contains(&Moved(*id))
        && subject.is_right(&cases::remounted())
    {
        return code("moved-hides-remounted");
    }
    let is_lost = |id: u32| missing.contains(&&Remounted(id));
    let (old, new) = tables.kept().find(|(_, new)| is_lost(new.id))?;
    code(if old.options != new.options || !subject.is_right(&cases::remounted()) {
        "remount-overlooked"
    } else if old.optional_fields != new.optional_fields {
        "propagation-overlooked"
    } else {
        "super-options-overlooked"
    })
}

/// Whether some changes of one kind are missing, and that is all that is wrong.
fn lacks_only(seen: &[Change], expected: &[Change], is_of_kind: fn(&Change) -> bool) -> bool {
    let mut missing = expected.iter().filter(|it| !seen.contains(it)).peekable();
    missing.peek().is_some()
        && missing.all(is_of_kind)
        && seen.iter().all(|it| expected.contains(it))
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
