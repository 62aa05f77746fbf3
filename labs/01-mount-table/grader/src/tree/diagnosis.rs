//! From a tree that is wrong to what was misunderstood.

use std::collections::BTreeSet;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use labkit::verdict::Finding;

use super::{Subject, Tree, Wrong, cases, is_root};
use crate::case::Outcome;
use crate::table::Mount;

/// Explains a wrong tree, if one of the rules does.
pub fn diagnose(subject: &Subject, wrong: &Wrong) -> Option<Finding> {
    let (mounts, expected) = (&wrong.case.input, &wrong.case.expected);
    let seen = match &wrong.outcome {
        Outcome::Returned(tree) => Some(tree),
        Outcome::Died(_) => None,
    };
    // Who fails at a plain tree does not fail at what is hard about this one.
    let code = if subject.is_right(&cases::plain()) {
        by_difficulty(subject, mounts, seen)
    } else {
        by_order(subject, mounts, expected, seen?)
    };
    let code = code?;
    Some(Finding::new(format!("mount-table/{code}")))
}

/// What shows in the tree itself: an order or depths that have a rule of their own.
fn by_order(
    subject: &Subject,
    mounts: &[Mount],
    expected: &Tree,
    seen: &Tree,
) -> Option<&'static str> {
    let ids = |tree: &Tree| tree.iter().map(|(_, id)| *id).collect::<Vec<_>>();
    let different: BTreeSet<u32> = ids(seen).into_iter().collect();
    if different.len() < seen.len() {
        return Some("listed-twice");
    }
    let are_same = expected.iter().collect::<BTreeSet<_>>() == seen.iter().collect();

    let table_order: Vec<u32> = mounts.iter().map(|mount| mount.id).collect();
    if ids(seen) == table_order && ids(expected) != table_order {
        return Some("table-order-kept");
    }
    if are_same && seen.is_sorted_by_key(|(depth, _)| depth) {
        return Some("breadth-first");
    }
    if are_same && seen.len() == expected.len() {
        return Some("siblings-reordered");
    }
    // The plain tree too: a small one may have the same depths by chance.
    let plain = cases::plain().input;
    let plain_seen = subject.output(&plain)?;
    let counts_names = MEASURES.iter().any(|measure| {
        has_depths(&plain_seen, &plain, *measure) && has_depths(seen, mounts, *measure)
    });
    counts_names.then_some("depth-by-path")
}

/// What a path can be measured by: its names, with the root or without, and its
/// slashes.
const MEASURES: [fn(&Path) -> usize; 3] = [
    |path| path.components().count() - 1,
    |path| path.components().count(),
    |path| path.as_os_str().as_bytes().iter().filter(|byte| **byte == b'/').count(),
];

/// Whether each depth in the tree is that of the mount's path.
fn has_depths(tree: &Tree, mounts: &[Mount], measure: fn(&Path) -> usize) -> bool {
    let is_measured = |(depth, id): &(usize, u32)| {
        mounts.iter().any(|mount| mount.id == *id && measure(&mount.mount_point) == *depth)
    };
    !tree.is_empty() && tree.iter().all(is_measured)
}

/// What is hard about the table, and whether the answer fails at that alone.
fn by_difficulty(subject: &Subject, mounts: &[Mount], seen: Option<&Tree>) -> Option<&'static str> {
    let any_two = |test: fn(&Mount, &Mount) -> bool| {
        mounts.iter().any(|one| mounts.iter().any(|other| one.id != other.id && test(one, other)))
    };
    let have_own_parent = mounts.iter().any(|mount| mount.parent == mount.id);
    let is_lost =
        |mount: &Mount| seen.is_some_and(|tree| tree.iter().all(|(_, id)| *id != mount.id));
    let roots = || mounts.iter().filter(|mount| is_root(mount, mounts));

    if have_own_parent && (seen.is_none() || mounts.iter().all(is_lost)) {
        return Some("own-parent");
    }
    let are_stacked = any_two(|one, other| one.mount_point == other.mount_point);
    if (any_two(are_neighbours) || are_stacked) && !subject.is_right(&cases::neighbours()) {
        return Some("tree-by-beginning-of-path");
    }
    if are_stacked && !subject.is_right(&cases::stacked()) {
        let tree = subject.output(&cases::stacked().input);
        let has_lost_some = tree.is_some_and(|it| it.len() < cases::stacked().expected.len());
        return Some(if has_lost_some { "one-mount-a-path" } else { "tree-by-path" });
    }
    if roots().any(is_lost) {
        return Some("root-by-its-path");
    }
    let is_late = |(at, mount): (usize, &Mount)| {
        mounts[at..].iter().any(|later| later.id == mount.parent && later.id != mount.id)
    };
    if mounts.iter().enumerate().any(is_late) && !subject.is_right(&cases::child_first()) {
        return Some("parent-must-come-first");
    }
    None
}

/// Whether a name begins with that of another mount without being below it.
fn are_neighbours(one: &Mount, other: &Mount) -> bool {
    let (path, beginning) = (&one.mount_point, &other.mount_point);
    let begins = path.as_os_str().as_bytes().starts_with(beginning.as_os_str().as_bytes());
    begins && !path.starts_with(beginning)
}
