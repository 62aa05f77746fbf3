//! Which mount of one reading is which of the other, and what has changed.

use crate::acts::Readings;
use crate::table::{Change, Mount};

impl Readings {
    /// The mounts that are in both, as they were and as they are.
    pub fn kept(&self) -> impl Iterator<Item = (&Mount, &Mount)> {
        self.same_ids().filter(|(old, new)| other_thing(old, new).is_none())
    }

    /// The mounts whose ID has been given to another one: that one too, and
    /// the first field that tells them apart.
    pub fn reused(&self) -> impl Iterator<Item = (&Mount, &Mount, &'static str)> {
        self.same_ids().filter_map(|(old, new)| Some((old, new, other_thing(old, new)?)))
    }

    fn same_ids(&self) -> impl Iterator<Item = (&Mount, &Mount)> {
        let new = |old: &Mount| self.after.iter().find(|new| new.id == old.id);
        self.before.iter().filter_map(move |old| Some((old, new(old)?)))
    }
}

/// The first field that shows that two mounts with the same ID are not the same.
fn other_thing(old: &Mount, new: &Mount) -> Option<&'static str> {
    let fields = [
        ("device", old.device == new.device),
        ("fs_type", old.fs_type == new.fs_type),
        ("root", old.root == new.root),
        ("source", old.source == new.source),
    ];
    fields.into_iter().find(|(_, is_same)| !is_same).map(|(name, _)| name)
}

/// Whether two readings of one mount differ in what a remount changes.
pub fn is_remounted(old: &Mount, new: &Mount) -> bool {
    old.options != new.options
        || old.optional_fields != new.optional_fields
        || old.super_options != new.super_options
}

/// What has changed, in the order that difference has to keep.
pub fn expected(before: &[Mount], after: &[Mount]) -> Vec<Change> {
    let gone = before.iter().filter(|old| same(old, after).is_none());
    let mut changes: Vec<Change> = gone.map(|old| Change::Umounted(old.id)).collect();
    for new in after {
        let Some(old) = same(new, before) else {
            changes.push(Change::Mounted(new.id));
            continue;
        };
        if old.mount_point != new.mount_point {
            changes.push(Change::Moved(new.id));
        }
        if is_remounted(old, new) {
            changes.push(Change::Remounted(new.id));
        }
    }
    changes
}

/// The same mount in another reading.
fn same<'a>(mount: &Mount, others: &'a [Mount]) -> Option<&'a Mount> {
    others.iter().find(|other| other.id == mount.id && other_thing(other, mount).is_none())
}
