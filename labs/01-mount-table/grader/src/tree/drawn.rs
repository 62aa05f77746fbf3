//! From a tree that is wrong to what was misunderstood.

use std::collections::BTreeSet;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use labkit::cases::Outcome;
use labkit::frame::{Facts, Rule, Rules, Words, rule};

use super::{Subject, Tree, Tried, Wrong, cases, is_root};
use crate::LAB;
use crate::acts::TREE;
use crate::table::Mount;

/// A table whose tree is wrong, and what is made of others.
pub struct Drawn {
    pub wrong: Wrong,
    plain: Tried,
    neighbours: Tried,
    stacked: Tried,
    child_first: Tried,
    /// The parent ID that seems to be taken for none, and the same table in which that
    /// mount has another ID.
    renumbered: Option<(u32, Tried)>,
}

impl Drawn {
    pub fn of(subject: &Subject, wrong: Wrong) -> Drawn {
        let renumbered = parent_without_children(&wrong).map(|number| {
            let [tried] = subject.try_each([cases::renumbered(&wrong.case.input, number)]);
            (number, tried)
        });
        let [plain, neighbours, stacked, child_first] = subject.try_each([
            cases::plain(),
            cases::neighbours(),
            cases::stacked(),
            cases::child_first(),
        ]);
        Drawn { wrong, plain, neighbours, stacked, child_first, renumbered }
    }

    fn mounts(&self) -> &[Mount] {
        &self.wrong.case.input
    }

    fn expected(&self) -> &Tree {
        &self.wrong.case.expected
    }

    fn seen(&self) -> Option<&Tree> {
        match &self.wrong.outcome {
            Outcome::Returned(tree) => Some(tree),
            Outcome::Died(_) => None,
        }
    }

    /// Whether a plain tree is wrong too, and this holds of the one that was seen:
    /// an answer that fails at that does not fail at what is hard about this table.
    fn fails_at_all(&self, so: impl FnOnce(&Tree) -> bool) -> bool {
        !self.plain.is_right && self.seen().is_some_and(so)
    }

    fn has_same_mounts(&self, seen: &Tree) -> bool {
        seen.iter().collect::<BTreeSet<_>>() == self.expected().iter().collect()
    }

    /// Whether only the order of the mounts of depth 0 is wrong, where each brings the mounts
    /// on it along.
    fn has_reordered_roots(&self, seen: &Tree) -> bool {
        let with_their_mounts = |tree: &Tree| {
            let is_below = |_: &(usize, u32), next: &(usize, u32)| next.0 > 0;
            let mut trees: Vec<Tree> = tree.chunk_by(is_below).map(<[_]>::to_vec).collect();
            trees.sort();
            trees
        };
        seen != self.expected() && with_their_mounts(seen) == with_their_mounts(self.expected())
    }

    fn is_in_table_order(&self, seen: &Tree) -> bool {
        let order: Vec<u32> = self.mounts().iter().map(|mount| mount.id).collect();
        ids(seen) == order && ids(self.expected()) != order
    }

    /// Whether each depth is the number of names in a path. The plain tree too: a
    /// small one may have the same depths by accident.
    fn counts_names(&self, seen: &Tree) -> bool {
        let Some(plain) = &self.plain.output else { return false };
        MEASURES.iter().any(|measure| {
            has_depths(plain, &self.plain.case.input, *measure)
                && has_depths(seen, self.mounts(), *measure)
        })
    }

    /// Whether this holds for two mounts of the table.
    fn has_two(&self, are_so: fn(&Mount, &Mount) -> bool) -> bool {
        let mounts = self.mounts();
        let is_one = |one: &Mount| mounts.iter().any(|it| one.id != it.id && are_so(one, it));
        mounts.iter().any(is_one)
    }

    fn has_stack(&self) -> bool {
        self.has_two(|one, other| one.mount_point == other.mount_point)
    }

    fn has_own_parent(&self) -> bool {
        self.mounts().iter().any(|mount| mount.parent == mount.id)
    }

    /// Whether a mount comes before the one that it is on.
    fn has_late_parent(&self) -> bool {
        let is_late = |(at, mount): (usize, &Mount)| {
            let mut later = self.mounts()[at..].iter();
            later.any(|later| later.id == mount.parent && later.id != mount.id)
        };
        self.mounts().iter().enumerate().any(is_late)
    }

    fn is_lost(&self, mount: &Mount) -> bool {
        self.seen().is_some_and(|tree| tree.iter().all(|(_, id)| *id != mount.id))
    }

    fn lost(&self) -> impl Iterator<Item = &Mount> {
        self.mounts().iter().filter(|mount| self.is_lost(mount))
    }

    fn roots(&self) -> impl Iterator<Item = &Mount> {
        self.mounts().iter().filter(|mount| is_root(mount, self.mounts()))
    }

    /// Whether a mount is on one that is its own parent, which is not lost; or on one
    /// that is on one of those, and so on.
    fn is_on_its_own_parent(&self, mount: &Mount) -> bool {
        let parent = self.mounts().iter().find(|it| it.id == mount.parent && it.id != mount.id);
        parent.is_some_and(|parent| match parent.parent == parent.id {
            true => !self.is_lost(parent),
            false => self.is_on_its_own_parent(parent),
        })
    }

    /// The parent ID that is taken for none: with another one the table is read as it
    /// must be.
    fn taken_for_none(&self) -> Option<u32> {
        self.renumbered.as_ref().filter(|(_, tried)| tried.is_right).map(|(number, _)| *number)
    }

    /// The depth beyond which all mounts are missing, if nothing else is wrong.
    fn depth_limit(&self) -> Option<usize> {
        let seen = self.seen()?;
        let limit = seen.iter().map(|(depth, _)| *depth).max()?;
        let not_deeper = self.expected().iter().filter(|(depth, _)| *depth <= limit);
        (seen != self.expected() && seen.iter().eq(not_deeper)).then_some(limit)
    }

    /// Whether some mount of a small stack is lost.
    fn loses_what_is_stacked(&self) -> bool {
        let count = self.stacked.case.expected.len();
        self.stacked.output.as_ref().is_some_and(|tree| tree.len() < count)
    }
}

impl Facts for Drawn {
    fn words(&self) -> Words {
        let number = self.taken_for_none().map(|number| ("number", number.to_string()));
        let depth = self.depth_limit().map(|depth| ("depth", depth.to_string()));
        number.into_iter().chain(depth).collect()
    }
}

pub static RULES: Rules<Drawn> =
    Rules { lab: LAB, function: TREE.function, tables: &[BY_ORDER, BY_DIFFICULTY] };

/// What shows in the tree itself: an order or depths that have their own rule.
const BY_ORDER: &[Rule<Drawn>] = &[
    rule("listed-twice", |it| {
        it.fails_at_all(|seen| ids(seen).iter().collect::<BTreeSet<_>>().len() < seen.len())
    }),
    rule("table-order-kept", |it| it.fails_at_all(|seen| it.is_in_table_order(seen))),
    rule("breadth-first", |it| {
        let by_depth = |seen: &Tree| seen.is_sorted_by_key(|(depth, _)| *depth);
        it.fails_at_all(|seen| it.has_same_mounts(seen) && by_depth(seen))
    }),
    rule("siblings-reordered", |it| it.fails_at_all(|seen| it.has_same_mounts(seen))),
    rule("depth-by-path", |it| it.fails_at_all(|seen| it.counts_names(seen))),
];

/// What is hard about the table, and whether the answer fails at that alone.
const BY_DIFFICULTY: &[Rule<Drawn>] = &[
    rule("own-parent", |it| {
        let are_lost = || it.mounts().iter().all(|mount| it.is_lost(mount));
        // A table that was made up comes after one in which this is all there is.
        let is_known = it.plain.is_right && it.wrong.seed.is_none();
        is_known && it.has_own_parent() && (it.seen().is_none() || are_lost())
    }),
    rule("nothing-on-its-own-parent", |it| {
        let has_lost = it.lost().next().is_some();
        it.plain.is_right && has_lost && it.lost().all(|mount| it.is_on_its_own_parent(mount))
    }),
    rule("roots-reordered", |it| {
        it.plain.is_right && it.seen().is_some_and(|seen| it.has_reordered_roots(seen))
    }),
    rule("tree-by-beginning-of-path", |it| {
        let has_difficulty = it.has_two(are_neighbours) || it.has_stack();
        it.plain.is_right && has_difficulty && !it.neighbours.is_right
    }),
    rule("one-mount-a-path", |it| {
        let fails = it.plain.is_right && it.has_stack() && !it.stacked.is_right;
        fails && it.loses_what_is_stacked()
    }),
    rule("tree-by-path", |it| it.plain.is_right && it.has_stack() && !it.stacked.is_right),
    rule("only-one-unseen-parent", |it| {
        let first = it.roots().find(|root| !it.is_lost(root)).map(|root| root.parent);
        it.plain.is_right
            && first.is_some()
            && it.roots().any(|root| it.is_lost(root))
            && it.roots().all(|root| it.is_lost(root) == (Some(root.parent) != first))
    }),
    rule("root-by-its-path", |it| it.plain.is_right && it.roots().any(|root| it.is_lost(root))),
    rule("parent-must-come-first", |it| {
        it.plain.is_right && it.has_late_parent() && !it.child_first.is_right
    }),
    rule("siblings-around-their-parent", |it| {
        it.plain.is_right
            && it.has_late_parent()
            && it.seen().is_some_and(|seen| it.has_same_mounts(seen))
    }),
    rule("number-taken-for-none", |it| it.plain.is_right && it.taken_for_none().is_some()),
    rule("deep-mounts-lost", |it| it.plain.is_right && it.depth_limit().is_some()),
];

/// The ID of a mount such that all mounts that are on it are at the top, and no others
/// that are on one of the table.
fn parent_without_children(wrong: &Wrong) -> Option<u32> {
    let Outcome::Returned(seen) = &wrong.outcome else { return None };
    let mounts = &wrong.case.input;
    let is_at_the_top = |mount: &Mount| seen.contains(&(0, mount.id));
    let others = || mounts.iter().filter(|it| !is_root(it, mounts));
    let number = others().find(|&it| is_at_the_top(it))?.parent;
    others().all(|it| is_at_the_top(it) == (it.parent == number)).then_some(number)
}

fn ids(tree: &Tree) -> Vec<u32> {
    tree.iter().map(|(_, id)| *id).collect()
}

/// What a path can be measured by: its names, with the root or without, and its
/// slashes.
const MEASURES: [fn(&Path) -> usize; 3] = [
    |path| path.components().count().saturating_sub(1),
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

/// Whether a name begins with that of another mount without being below it.
fn are_neighbours(one: &Mount, other: &Mount) -> bool {
    let (path, beginning) = (&one.mount_point, &other.mount_point);
    let begins = path.as_os_str().as_bytes().starts_with(beginning.as_os_str().as_bytes());
    begins && !path.starts_with(beginning)
}
