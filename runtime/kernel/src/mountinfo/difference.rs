//! What changed between two readings of one mount table.

use std::fmt;
use std::path::PathBuf;

use serde::Serialize;

use super::{Mount, MountTable};
use crate::printable::{printable, printable_path};

/// One change; its text form is one line, `MOUNTED /proc proc rw,nosuid private`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "change", rename_all = "UPPERCASE")]
pub enum Change {
    /// A mount that did not exist before.
    Mounted {
        /// The new mount.
        mount: Mount,
    },
    /// A mount that no longer exists.
    Umounted {
        /// The mount as it was.
        mount: Mount,
    },
    /// The same mount at another place.
    Moved {
        /// Where it was.
        from: PathBuf,
        /// The mount as it is now.
        mount: Mount,
    },
    /// The same mount with other options or another propagation.
    Remounted {
        /// The mount as it was.
        from: Mount,
        /// The mount as it is now.
        mount: Mount,
    },
}

impl Change {
    /// Whether a mount went away with the directory or file that it was on.
    ///
    /// Whoever deletes a mount point takes the mounts on it away in every other
    /// mount namespace, private ones included: see mount_namespaces(7).
    pub fn went_with_its_mount_point(&self) -> bool {
        matches!(self, Change::Umounted { mount } if !mount.mount_point.exists())
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let describe = |mount: &Mount| {
            let (path, what) = (printable_path(&mount.mount_point), mount.what());
            let propagation = printable(&mount.propagation());
            format!("{path} {what} {} {propagation}", printable(&mount.options))
        };
        match self {
            Change::Mounted { mount } => write!(f, "MOUNTED {}", describe(mount)),
            Change::Umounted { mount } => write!(f, "UMOUNTED {}", describe(mount)),
            Change::Moved { from, mount } => {
                write!(f, "MOVED {} -> {}", printable_path(from), describe(mount))
            }
            Change::Remounted { from, mount } => {
                write!(f, "REMOUNTED {}", printable_path(&mount.mount_point))?;
                for (before, after) in [
                    (&from.options, &mount.options),
                    (&from.propagation(), &mount.propagation()),
                    (&from.super_options, &mount.super_options),
                ] {
                    if before != after {
                        write!(f, " {} -> {}", printable(before), printable(after))?;
                    }
                }
                Ok(())
            }
        }
    }
}

/// The changes from `before` to `after`: first what is gone, in the old order, then what
/// moved, changed or is new, in the new order.
///
/// Both are readings by the same process, or of the same mount namespace.
pub fn difference(before: &MountTable, after: &MountTable) -> Vec<Change> {
    let mut changes = Vec::new();
    for old in &before.mounts {
        if !after.mounts.iter().any(|new| same_mount(old, new)) {
            changes.push(Change::Umounted { mount: old.clone() });
        }
    }
    for new in &after.mounts {
        let Some(old) = before.mounts.iter().find(|old| same_mount(old, new)) else {
            changes.push(Change::Mounted { mount: new.clone() });
            continue;
        };
        if old.mount_point != new.mount_point {
            changes.push(Change::Moved { from: old.mount_point.clone(), mount: new.clone() });
        }
        let settings = |mount: &Mount| {
            (mount.options.clone(), mount.propagation(), mount.super_options.clone())
        };
        if settings(old) != settings(new) {
            changes.push(Change::Remounted { from: old.clone(), mount: new.clone() });
        }
    }
    changes
}

/// The kernel reuses mount IDs at once, so the ID alone is not enough.
fn same_mount(old: &Mount, new: &Mount) -> bool {
    let identity =
        |mount: &Mount| (mount.id, mount.device.clone(), mount.root.clone(), mount.fs_type.clone());
    identity(old) == identity(new)
}
