//! From changes that are wrong to what was misunderstood.
//!
//! As in [`crate::parse_line`], the answer is asked about other tables too.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};

use labkit::cases::Outcome;
use labkit::frame::{Facts, Rule, Rules, Words, rule};

use super::same::{expected, is_remounted};
use super::{Subject, Tried, Wrong, cases};
use crate::LAB;
use crate::acts::{DIFFERENCE, Readings};
use crate::table::Change::{self, Mounted, Moved, Remounted, Umounted};
use crate::table::Mount;

/// Changes that were told wrongly, and what is told of other tables.
pub struct Told {
    pub wrong: Wrong,
    came_and_went: [Tried; 3],
    remounted: Tried,
    other_propagation: Tried,
    moved: Tried,
    new_parent: Tried,
    number_of_another_file_system: Tried,
    not_text: Tried,
}

impl Told {
    pub fn of(subject: &Subject, wrong: Wrong) -> Told {
        let [came, went, both] = cases::came_and_went();
        let [
            came,
            went,
            both,
            remounted,
            other_propagation,
            moved,
            new_parent,
            number_of_another_file_system,
            not_text,
        ] = subject.try_each([
            came,
            went,
            both,
            cases::remounted(),
            cases::other_propagation(),
            cases::moved(),
            cases::new_parent(),
            cases::number_of_another_file_system(),
            cases::not_text(),
        ]);
        Told {
            wrong,
            came_and_went: [came, went, both],
            remounted,
            other_propagation,
            moved,
            new_parent,
            number_of_another_file_system,
            not_text,
        }
    }

    fn tables(&self) -> &Readings {
        &self.wrong.case.input
    }

    fn expected(&self) -> &[Change] {
        &self.wrong.case.expected
    }

    /// What was told; nothing, if the function has not come to its end.
    fn seen(&self) -> Option<&[Change]> {
        match &self.wrong.outcome {
            Outcome::Returned(changes) => Some(changes),
            Outcome::Died(_) => None,
        }
    }

    fn seen_is(&self, so: impl FnOnce(&[Change]) -> bool) -> bool {
        self.seen().is_some_and(so)
    }

    /// Whether the answer told what would be right for these mounts.
    fn tells_as_if(&self, all_were: fn(&mut Mount)) -> bool {
        let Readings { mut before, mut after } = self.tables().clone();
        before.iter_mut().chain(&mut after).for_each(all_were);
        self.seen_is(|seen| seen == expected(&before, &after))
    }

    /// Whether the function ends at names that are not UTF-8, and at nothing else.
    fn demands_utf8(&self) -> bool {
        let Readings { before, after } = self.tables();
        let is_text = before.iter().chain(after).all(is_text);
        let returns = self.seen().is_some() || self.not_text.output.is_some();
        !is_text && !returns && self.remounted.is_right
    }

    /// The changes that were not told.
    fn missing(&self) -> Vec<Change> {
        let seen = self.seen().unwrap_or_default();
        self.expected().iter().copied().filter(|change| !seen.contains(change)).collect()
    }

    /// What was told as a change and is not one.
    fn extra(&self) -> Vec<Change> {
        let seen = self.seen().unwrap_or_default();
        seen.iter().copied().filter(|change| !self.expected().contains(change)).collect()
    }

    fn tells_what_came_and_went(&self) -> bool {
        self.came_and_went.iter().all(|tried| tried.is_right)
    }

    /// Whether a mount that is in both tables has changed in this way.
    fn has_kept(&self, so: fn(&Mount, &Mount) -> bool) -> bool {
        self.tables().kept().any(|(old, new)| so(old, new))
    }

    /// Whether this is the move of a mount that is at the same place of the same one as before,
    /// which was moved.
    fn is_moved_along(&self, change: &Change) -> bool {
        let Moved(id) = *change else { return false };
        let kept = || self.tables().kept();
        let Some((old, new)) = kept().find(|(_, new)| new.id == id) else { return false };
        let is_moved_parent = |(before, after): (&Mount, &Mount)| {
            let was_at = old.mount_point.strip_prefix(&before.mount_point);
            let is_at = new.mount_point.strip_prefix(&after.mount_point);
            let is_parent = after.id == new.parent && after.id != id;
            is_parent
                && before.mount_point != after.mount_point
                && was_at.is_ok()
                && was_at == is_at
        };
        old.parent == new.parent && kept().any(is_moved_parent)
    }

    fn has_stack(&self) -> bool {
        let Readings { before, after } = self.tables();
        [before, after].iter().any(|mounts| {
            let places: BTreeSet<_> = mounts.iter().map(|mount| &mount.mount_point).collect();
            places.len() < mounts.len()
        })
    }

    /// A mount that is gone was taken for the one that now has its ID.
    fn takes_it_for_the_old_one(&self) -> bool {
        let is_taken = |seen: &[Change]| {
            self.tables().reused().any(|(old, ..)| !seen.contains(&Umounted(old.id)))
        };
        self.seen_is(is_taken) && self.tells_what_came_and_went()
    }

    /// The first mount whose remount was not told: as it was, and as it is.
    fn lost_remount(&self) -> Option<(&Mount, &Mount)> {
        self.seen()?;
        let missing = self.missing();
        self.tables().kept().find(|(_, new)| missing.contains(&Remounted(new.id)))
    }

    fn has_lost_remount(&self, so: fn(&Mount, &Mount) -> bool) -> bool {
        self.lost_remount().is_some_and(|(old, new)| so(old, new))
    }
}

/// Whether the answer takes mount 38, which was changed, for another one.
fn loses_sight_of_38(tried: &Tried) -> bool {
    let changes = tried.output.as_deref().unwrap_or_default();
    changes.contains(&Umounted(38)) && changes.contains(&Mounted(38))
}

impl Facts for Told {
    fn words(&self) -> Words {
        let field = self.tables().reused().next().map(|(.., field)| ("field", field.to_owned()));
        field.into_iter().collect()
    }
}

pub static RULES: Rules<Told> = Rules {
    lab: LAB,
    function: DIFFERENCE.function,
    tables: &[BY_SHAPE, BY_IDENTITY, BY_SETTINGS],
};

/// What shows in the changes themselves.
const BY_SHAPE: &[Rule<Told>] = &[
    rule("changes-in-another-order", |it| {
        it.seen_is(|seen| set(seen) == set(it.expected()) && seen.len() == it.expected().len())
    }),
    rule("before-and-after-exchanged", |it| {
        let reversed: BTreeSet<Change> = it.expected().iter().map(reversed).collect();
        it.seen_is(|seen| set(seen) == reversed && reversed != set(it.expected()))
    }),
    rule("compared-as-text", |it| it.tells_as_if(make_text)),
    rule("lists-compared-as-sets", |it| it.tells_as_if(make_sets)),
    rule("utf8-demanded", Told::demands_utf8),
    rule("umounts-overlooked", |it| {
        let missing = it.missing();
        let are_umounts = missing.iter().all(|change| matches!(change, Umounted(_)));
        let are_all = !missing.is_empty() && are_umounts && it.extra().is_empty();
        it.seen().is_some() && are_all && !it.tells_what_came_and_went()
    }),
];

/// By what the answer tells which mount of one table is which of the other.
const BY_IDENTITY: &[Rule<Told>] = &[
    rule("compared-as-a-whole", |it| {
        let has_other = it.has_kept(|old, new| {
            let is_elsewhere = old.mount_point != new.mount_point || old.parent != new.parent;
            is_elsewhere || is_remounted(old, new)
        });
        it.seen().is_some() && has_other && loses_sight_of_38(&it.remounted)
    }),
    rule("compared-by-mount-point", |it| {
        let has_moved = it.has_kept(|old, new| old.mount_point != new.mount_point);
        let has_reused = it.tables().reused().next().is_some();
        let is_hard = has_moved || has_reused || it.has_stack();
        it.seen().is_some() && is_hard && loses_sight_of_38(&it.moved)
    }),
    rule("umount-overlooked-by-id", |it| {
        let is_new = |seen: &[Change]| {
            let mut reused = it.tables().reused();
            reused.any(|(old, ..)| {
                seen.contains(&Mounted(old.id)) && !seen.contains(&Umounted(old.id))
            })
        };
        it.seen_is(is_new) && it.tells_what_came_and_went()
    }),
    rule("same-number-same-mount", |it| {
        it.takes_it_for_the_old_one() && it.number_of_another_file_system.is_right
    }),
    rule("compared-by-id", Told::takes_it_for_the_old_one),
];

/// What the answer compares of one and the same mount.
const BY_SETTINGS: &[Rule<Told>] = &[
    rule("moved-by-parent", |it| {
        let has_other =
            it.has_kept(|old, new| old.mount_point != new.mount_point || old.parent != new.parent);
        let changes = it.new_parent.output.as_deref().unwrap_or_default();
        it.seen().is_some() && has_other && changes.contains(&Moved(39))
    }),
    rule("moved-along-overlooked", |it| {
        let missing = it.missing();
        let are_moved_along = missing.iter().all(|change| it.is_moved_along(change));
        !missing.is_empty() && it.extra().is_empty() && it.seen().is_some() && are_moved_along
    }),
    rule("any-difference-is-a-remount", |it| {
        let extra = it.extra();
        let are_remounts = extra.iter().all(|change| matches!(change, Remounted(_)));
        it.missing().is_empty() && !extra.is_empty() && are_remounts
    }),
    rule("moved-hides-remounted", |it| {
        let is_told = it.lost_remount().is_some_and(|(_, new)| {
            it.extra().is_empty() && it.seen_is(|seen| seen.contains(&Moved(new.id)))
        });
        it.remounted.is_right && is_told
    }),
    rule("longer-list-overlooked", |it| {
        let tells_others = it.remounted.is_right && it.other_propagation.is_right;
        tells_others && it.has_lost_remount(differ_in_length_only)
    }),
    rule("remount-overlooked", |it| {
        it.lost_remount().is_some()
            && (!it.remounted.is_right
                || it.has_lost_remount(|old, new| old.options != new.options))
    }),
    rule("propagation-overlooked", |it| {
        it.has_lost_remount(|old, new| old.optional_fields != new.optional_fields)
    }),
    rule("super-options-overlooked", |it| it.lost_remount().is_some()),
];

fn is_text(mount: &Mount) -> bool {
    let names = [mount.root.as_os_str(), mount.mount_point.as_os_str(), &mount.source];
    let options = mount.super_options.iter().map(OsString::as_os_str);
    names.into_iter().chain(options).all(|name| name.to_str().is_some())
}

/// Names and options as a message shows them: what is not UTF-8 looks the same, and an
/// option with a comma in it looks like two.
fn make_text(mount: &mut Mount) {
    let text = |name: &OsStr| name.to_string_lossy().into_owned();
    mount.root = text(mount.root.as_os_str()).into();
    mount.mount_point = text(mount.mount_point.as_os_str()).into();
    mount.source = text(&mount.source).into();
    mount.super_options = vec![text(&mount.super_options.join(",".as_ref())).into()];
}

/// Lists without an order.
fn make_sets(mount: &mut Mount) {
    fn make_set<T: Ord>(list: &mut Vec<T>) {
        list.sort();
        list.dedup();
    }
    make_set(&mut mount.options);
    make_set(&mut mount.optional_fields);
    make_set(&mut mount.super_options);
}

/// Whether each list of the one begins with that of the other, or the other way round.
fn differ_in_length_only(old: &Mount, new: &Mount) -> bool {
    fn begin_alike<T: PartialEq>(one: &[T], other: &[T]) -> bool {
        one.starts_with(other) || other.starts_with(one)
    }
    begin_alike(&old.options, &new.options)
        && begin_alike(&old.optional_fields, &new.optional_fields)
        && begin_alike(&old.super_options, &new.super_options)
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
