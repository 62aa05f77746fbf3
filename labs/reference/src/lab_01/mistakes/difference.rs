//! Mistakes in difference.

use std::slice;

use lab_01_grader::Answers;
use lab_01_grader::table::{Change, Mount};

use crate::catalogue::Mistake;
use crate::lab_01::{SOLUTION, solution};

type Difference = fn(&[Mount], &[Mount]) -> Vec<Change>;

const fn mistake(
    name: &'static str,
    code: &'static str,
    difference: Difference,
) -> Mistake<Answers> {
    Mistake { name, code, answers: Answers { difference, ..SOLUTION } }
}

/// The solution's difference, where something else makes a mount the same one.
fn compare(before: &[Mount], after: &[Mount], is_same: fn(&Mount, &Mount) -> bool) -> Vec<Change> {
    let is_in = |mount: &Mount, others: &[Mount]| others.iter().any(|it| is_same(mount, it));
    let gone = before.iter().filter(|old| !is_in(old, after));
    let mut changes: Vec<Change> = gone.map(|old| Change::Umounted(old.id)).collect();
    for new in after {
        match before.iter().find(|old| is_same(old, new)) {
            None => changes.push(Change::Mounted(new.id)),
            Some(old) => {
                let others = Mount {
                    id: old.id,
                    device: old.device.clone(),
                    root: old.root.clone(),
                    fs_type: old.fs_type.clone(),
                    source: old.source.clone(),
                    ..new.clone()
                };
                changes.extend(solution::difference(slice::from_ref(old), &[others]));
            }
        }
    }
    changes
}

/// The solution's difference between tables that were changed before.
fn without(before: &[Mount], after: &[Mount], forget: fn(&mut Mount)) -> Vec<Change> {
    let [mut before, mut after] = [before.to_vec(), after.to_vec()];
    before.iter_mut().chain(&mut after).for_each(forget);
    solution::difference(&before, &after)
}

/// A map from mount points to mounts: a move is an umount and a mount, and of a
/// stack one is seen.
pub const BY_MOUNT_POINT: Mistake<Answers> =
    mistake("by_mount_point", "mount-table/compared-by-mount-point", |before, after| {
        compare(before, after, |old, new| old.mount_point == new.mount_point)
    });

/// The number is enough, until the kernel gives it away again.
pub const BY_ID: Mistake<Answers> =
    mistake("by_id", "mount-table/compared-by-id", |before, after| {
        compare(before, after, |old, new| old.id == new.id)
    });

/// Another directory of the same disk under the same number.
pub const ROOT_FORGOTTEN: Mistake<Answers> =
    mistake("root_forgotten", "mount-table/same-number-same-mount", |before, after| {
        without(before, after, |mount| mount.root = "/".into())
    });

/// A new tmpfs has the old one's numbers, both.
pub const SOURCE_FORGOTTEN: Mistake<Answers> =
    mistake("source_forgotten", "mount-table/same-number-same-mount", |before, after| {
        without(before, after, |mount| mount.source = "none".into())
    });

/// The difference of two sets: what has changed in one field is gone and new.
pub const AS_A_WHOLE: Mistake<Answers> =
    mistake("as_a_whole", "mount-table/compared-as-a-whole", |before, after| {
        compare(before, after, |old, new| old == new)
    });

/// Goes through the new table only.
pub const UMOUNTS_OVERLOOKED: Mistake<Answers> =
    mistake("umounts_overlooked", "mount-table/umounts-overlooked", |before, after| {
        let mut changes = solution::difference(before, after);
        changes.retain(|change| !matches!(change, Change::Umounted(_)));
        changes
    });

/// From after to before.
pub const EXCHANGED: Mistake<Answers> =
    mistake("exchanged", "mount-table/before-and-after-exchanged", |before, after| {
        solution::difference(after, before)
    });

/// What came before what went.
pub const ANOTHER_ORDER: Mistake<Answers> =
    mistake("another_order", "mount-table/changes-in-another-order", |before, after| {
        let mut changes = solution::difference(before, after);
        changes.sort_by_key(|change| matches!(change, Change::Umounted(_)));
        changes
    });

/// A moved mount was told of already, unless it is private: then the options alone
/// are looked at.
pub const MOVED_HIDES_REMOUNTED_OF_SHARED: Mistake<Answers> = mistake(
    "moved_hides_remounted_of_shared",
    "mount-table/moved-hides-remounted",
    |before, after| {
        let all = solution::difference(before, after);
        let mut changes = all.clone();
        changes.retain(|change| match change {
            Change::Remounted(id) if all.contains(&Change::Moved(*id)) => {
                let mount = after.iter().find(|mount| mount.id == *id);
                mount.is_some_and(|mount| mount.optional_fields.is_empty())
            }
            _ => true,
        });
        changes
    },
);

/// Goes through `before` for all that has become of its mounts, and through `after`
/// for what is new.
pub const CHANGES_BEFORE_ARRIVALS: Mistake<Answers> =
    mistake("changes_before_arrivals", "mount-table/changes-in-another-order", |before, after| {
        let mut changes = solution::difference(before, after);
        changes.sort_by_key(|change| match change {
            Change::Umounted(_) => (0, 0),
            Change::Mounted(_) => (2, 0),
            Change::Moved(id) | Change::Remounted(id) => {
                (1, before.iter().position(|mount| mount.id == *id).unwrap_or_default())
            }
        });
        changes
    });

/// Sees that mounts come, go and move.
pub const REMOUNT_OVERLOOKED: Mistake<Answers> =
    mistake("remount_overlooked", "mount-table/remount-overlooked", |before, after| {
        let mut changes = solution::difference(before, after);
        changes.retain(|change| !matches!(change, Change::Remounted(_)));
        changes
    });

/// `mount --make-private` shows nowhere else, and decides what the host sees.
pub const PROPAGATION_OVERLOOKED: Mistake<Answers> =
    mistake("propagation_overlooked", "mount-table/propagation-overlooked", |before, after| {
        without(before, after, |mount| mount.optional_fields.clear())
    });

/// The options are there twice, so one list seems to be enough.
pub const SUPER_OPTIONS_OVERLOOKED: Mistake<Answers> =
    mistake("super_options_overlooked", "mount-table/super-options-overlooked", |before, after| {
        without(before, after, |mount| mount.super_options.clear())
    });

/// `if moved … else if remounted`: one change a mount.
pub const MOVED_HIDES_REMOUNTED: Mistake<Answers> =
    mistake("moved_hides_remounted", "mount-table/moved-hides-remounted", |before, after| {
        let mut changes = solution::difference(before, after);
        let all = changes.clone();
        changes.retain(|change| match change {
            Change::Remounted(id) => !all.contains(&Change::Moved(*id)),
            _ => true,
        });
        changes
    });

/// `old != new`: a new place or a new parent is a difference too.
pub const ANY_DIFFERENCE_IS_A_REMOUNT: Mistake<Answers> = mistake(
    "any_difference_is_a_remount",
    "mount-table/any-difference-is-a-remount",
    |before, after| {
        // All of it in the place of the options, for the solution to compare.
        without(before, after, |mount| mount.options = vec![format!("{mount:?}")])
    },
);

/// Moved is what has another parent: not what was moved along with it.
pub const MOVED_BY_PARENT: Mistake<Answers> =
    mistake("moved_by_parent", "mount-table/moved-by-parent", |before, after| {
        // The parent in the place of the mount point, for the solution to compare.
        without(before, after, |mount| mount.mount_point = mount.parent.to_string().into())
    });

/// One `mount --move`, one change: the others have only gone along.
pub const MOVED_ALONG_OVERLOOKED: Mistake<Answers> =
    mistake("moved_along_overlooked", "mount-table/moved-along-overlooked", |before, after| {
        let mut changes = solution::difference(before, after);
        let moved: Vec<Change> =
            changes.iter().copied().filter(|change| matches!(change, Change::Moved(_))).collect();
        let parent = |mounts: &[Mount], id: u32| {
            let mount = mounts.iter().find(|it| it.id == id && it.parent != id);
            mount.map(|it| it.parent)
        };
        changes.retain(|change| {
            let Change::Moved(id) = *change else { return true };
            let (old, new) = (parent(before, id), parent(after, id));
            old != new || new.is_none_or(|new| !moved.contains(&Change::Moved(new)))
        });
        changes
    });

/// What was there is there still: but something was added.
pub const ADDITIONS_OVERLOOKED: Mistake<Answers> =
    mistake("additions_overlooked", "mount-table/longer-list-overlooked", |before, after| {
        let cut = |new: &Mount| {
            let mut new = new.clone();
            if let Some(old) = before.iter().find(|old| old.id == new.id) {
                if new.options.starts_with(&old.options) {
                    new.options.truncate(old.options.len());
                }
                if new.optional_fields.starts_with(&old.optional_fields) {
                    new.optional_fields.truncate(old.optional_fields.len());
                }
            }
            new
        };
        solution::difference(before, &after.iter().map(cut).collect::<Vec<_>>())
    });

/// What is gone shows in the IDs and the devices, what is new in all that makes a mount.
pub const GONE_BY_ID_AND_DEVICE: Mistake<Answers> =
    mistake("gone_by_id_and_device", "mount-table/umount-overlooked-by-id", |before, after| {
        let is_there = |id: u32| {
            let old = before.iter().find(|old| old.id == id);
            old.is_some_and(|old| after.iter().any(|it| it.id == id && it.device == old.device))
        };
        let mut changes = solution::difference(before, after);
        changes.retain(|change| !matches!(change, Change::Umounted(id) if is_there(*id)));
        changes
    });

/// Names made printable before they are compared: what is not UTF-8 looks the same then.
pub const COMPARED_AS_TEXT: Mistake<Answers> =
    mistake("compared_as_text", "mount-table/compared-as-text", |before, after| {
        without(before, after, |mount| {
            mount.root = mount.root.to_string_lossy().into_owned().into();
            mount.mount_point = mount.mount_point.display().to_string().into();
            mount.source = mount.source.to_str().unwrap_or_default().into();
            for option in &mut mount.super_options {
                *option = option.to_string_lossy().into_owned().into();
            }
        })
    });

/// The same of the source alone.
pub const SOURCE_AS_TEXT: Mistake<Answers> =
    mistake("source_as_text", "mount-table/compared-as-text", |before, after| {
        without(before, after, |mount| {
            mount.source = mount.source.to_string_lossy().into_owned().into();
        })
    });

/// A list as it is in the table: of a comma it is not seen any more what it was.
pub const LISTS_JOINED: Mistake<Answers> =
    mistake("lists_joined", "mount-table/compared-as-text", |before, after| {
        without(before, after, |mount| {
            mount.super_options = vec![mount.super_options.join(",".as_ref())];
        })
    });

/// "What else should a source be?"
pub const SOURCE_MUST_BE_TEXT: Mistake<Answers> =
    mistake("source_must_be_text", "mount-table/utf8-demanded", |before, after| {
        without(before, after, |mount| mount.source = mount.source.to_str().unwrap().into())
    });

/// Options have no order, one thinks: but of two that contradict each other the last
/// one counts.
pub const LISTS_AS_SETS: Mistake<Answers> =
    mistake("lists_as_sets", "mount-table/lists-compared-as-sets", |before, after| {
        without(before, after, |mount| {
            mount.options.sort();
            mount.options.dedup();
            mount.optional_fields.sort();
            mount.optional_fields.dedup();
            mount.super_options.sort();
            mount.super_options.dedup();
        })
    });
