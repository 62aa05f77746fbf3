//! From what was seen to what was done.

use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use labkit::verdict::Finding;
use mydocker::mountinfo::Mount;
use nix::errno::Errno;

use crate::call::{Open, Which};
use crate::facts::{Facts, PARTS};

impl Facts<'_> {
    /// The diagnosis: harm first, then what keeps a mount there, then what
    /// became of the files. Nothing if no rule knows it.
    pub fn diagnose(&self) -> Option<Finding> {
        let found = self.harm().or_else(|| self.mounts()).or_else(|| self.files())?;
        let mount = self.mounts_after().last().map(|mount| printable(&mount.mount_point));
        Some(
            found
                .word("function", self.call.which.name())
                .word("workspace", printable(&self.call.workspace))
                .word("mount", mount.unwrap_or_default())
                .word("left", self.paths_left_behind()),
        )
    }

    /// What befell the files and mounts of others.
    fn harm(&self) -> Option<Finding> {
        let stage = self.call.stage;
        let harm = |code, what: &dyn std::fmt::Display| Some(finding(code).word("harm", what));
        let volume = stage.host.precious();
        if !volume.is_untouched() {
            let code = if self.is_stack_half_unmounted() {
                "stacked-umounted-once"
            } else if self.call.open.is_some() && self.has_unmounted() {
                "failed-umount-ignored"
            } else if self.call.which == Which::WriteLayer {
                "deleted-while-mounted"
            } else {
                "volume-emptied"
            };
            return harm(code, &volume.folder.display());
        }
        for (canary, code) in
            [(&stage.letters, "symlink-followed"), (&stage.image, "image-changed")]
        {
            if !canary.is_untouched() {
                return harm(code, &canary.folder.display());
            }
        }
        let elsewhere = self.unmounted_elsewhere();
        let other = elsewhere.iter().find(|mount| !self.begins_alike(mount));
        let code = if other.is_some() { "neighbour-unmounted" } else { "string-prefix" };
        harm(code, &other.or(elsewhere.first())?.mount_point.display())
    }

    /// Why mounts are still there, or gone that should be.
    fn mounts(&self) -> Option<Finding> {
        if self.call.open.as_ref().is_some_and(|(_, open)| *open == Open::Throughout)
            && !self.open_mount_is_there()
        {
            return Some(finding("lazy-umount"));
        }
        if self.mounts_after().is_empty() {
            return None;
        }
        if self.is_stack_half_unmounted() {
            return Some(finding("stacked-umounted-once"));
        }
        if !self.deleted().is_empty() || self.deleted_in_root() {
            return Some(finding("deleted-while-mounted"));
        }
        if self.call.which == Which::WriteLayer {
            return self.seen.returned.is_ok().then(|| finding("refused-in-silence"));
        }
        if has_escapes(&self.call.workspace) {
            return Some(finding("escapes-not-undone"));
        }
        if self.call.given != self.call.workspace && !self.has_unmounted() {
            return Some(finding("link-not-resolved"));
        }
        match &self.seen.returned {
            Ok(()) if !self.has_unmounted() => Some(Finding::new("answer/did-nothing")),
            Ok(()) if self.call.open.is_some() => Some(finding("failed-umount-ignored")),
            Ok(()) => None,
            Err(failure) => {
                let is_busy = failure.errno == Some(Errno::EBUSY as i32);
                if self.is_one_covered() {
                    return Some(finding("covered-mount-left"));
                }
                if is_busy && self.is_one_listed_before_its_parent() {
                    return Some(finding("order-of-the-table"));
                }
                if is_busy && self.call.open.is_some() {
                    return Some(finding("busy-not-retried"));
                }
                if is_busy && !self.has_unmounted() {
                    return Some(finding("parent-first"));
                }
                Some(Finding::new("answer/returned-error").word("error", failure))
            }
        }
    }

    /// Why files are still there, or gone that should not be.
    fn files(&self) -> Option<Finding> {
        if !self.deleted_too_much().is_empty() {
            let gone = self.deleted_too_much().join(", ");
            return Some(finding("deleted-too-much").word("gone", gone));
        }
        let something_was_gone = PARTS.iter().any(|part| !self.before.contains_key(*part));
        if let Err(failure) = &self.seen.returned {
            let nothing_was_mounted = self.mounts_before().is_empty();
            let alike = self.seen.host_before.mounts.iter().find(|mount| self.begins_alike(mount));
            if let Some(neighbour) = alike.filter(|_| nothing_was_mounted) {
                let neighbour = neighbour.mount_point.display();
                return Some(finding("string-prefix").word("harm", neighbour));
            }
            if self.call.is_without_privileges() {
                return Some(finding("closed-folder"));
            }
            if something_was_gone || nothing_was_mounted && self.call.which == Which::MountPoint {
                return Some(finding("gone-is-a-failure"));
            }
            return Some(Finding::new("answer/returned-error").word("error", failure));
        }
        if !self.strangers.is_empty() {
            return Some(finding("orphan-left").word("orphan", self.strangers.join(", ")));
        }
        if self.left_behind().is_empty() {
            return None;
        }
        if something_was_gone {
            return Some(finding("not-resumable"));
        }
        if self.deleted().is_empty() && !self.has_unmounted() {
            return Some(Finding::new("answer/did-nothing"));
        }
        Some(finding("left-behind"))
    }

    /// What is left, without the folder itself if there is anything in it.
    fn paths_left_behind(&self) -> String {
        let mut left = self.left_behind();
        if left.len() > 1 {
            left.retain(|entry| *entry != ".");
        }
        // "." has no component: it is the workspace.
        let path = |entry: &str| {
            printable(&self.call.workspace.join(entry).components().collect::<PathBuf>())
        };
        left.into_iter().map(path).collect::<Vec<_>>().join(", ")
    }

    fn has_unmounted(&self) -> bool {
        self.mounts_after().len() < self.mounts_before().len()
    }

    /// Whether a folder had several mounts and has fewer now, but still some.
    fn is_stack_half_unmounted(&self) -> bool {
        let (before, after) = (self.mounts_before(), self.mounts_after());
        let on = |mounts: &[&Mount], mount: &Mount| {
            mounts.iter().filter(|it| it.mount_point == mount.mount_point).count()
        };
        after.iter().any(|mount| on(&after, mount) < on(&before, mount))
    }

    /// Whether one that is left is hidden by another.
    fn is_one_covered(&self) -> bool {
        self.mounts_after().iter().any(|mount| self.seen.host_after.is_covered(mount))
    }

    fn is_one_listed_before_its_parent(&self) -> bool {
        let left = self.mounts_after();
        let comes_later = |(index, mount): (usize, &&Mount)| {
            left[index..].iter().any(|later| later.id == mount.parent)
        };
        left.iter().enumerate().any(comes_later)
    }

    /// Whether a mount is none of the workspace's, but its path begins with the
    /// same letters.
    fn begins_alike(&self, mount: &Mount) -> bool {
        let (path, workspace) = (&mount.mount_point, &self.call.workspace);
        let letters = workspace.as_os_str().as_bytes();
        path.as_os_str().as_bytes().starts_with(letters) && !path.starts_with(workspace)
    }
}

fn finding(code: &str) -> Finding {
    Finding::new(format!("delete-workspace/{code}"))
}

/// A path on one line, whatever bytes are in it.
fn printable(path: &Path) -> String {
    let text = path.to_string_lossy();
    text.chars()
        .flat_map(|c| if c.is_control() { c.escape_default().collect() } else { vec![c] })
        .collect()
}

/// Whether the mount table writes this path otherwise than it is.
fn has_escapes(path: &Path) -> bool {
    path.as_os_str().as_bytes().iter().any(|byte| b" \t\n\\".contains(byte))
}
