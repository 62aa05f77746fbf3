//! From what was seen to what was done.

use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use labkit::describe::Failure;
use labkit::frame::{self, Rule, Rules, Words, error_of, rule};
use labkit::limits::slowness;
use mydocker_kernel::mountinfo::{Mount, MountTable};
use nix::errno::Errno;
use nix::mount::MntFlags;

use crate::facts::{Facts, PARTS};
use crate::paths::{has_escapes, printable};
use crate::scene::{Open, Which};

/// How long a mount that stays busy must be tried again, and how long it may be by our
/// clock: more than is promised, for the machine may be busy too.
const AT_LEAST: Duration = Duration::from_millis(200);
const AT_MOST: Duration = Duration::from_millis(3_000);
/// How long the pauses may be that it asks for, on whatever machine: 2 seconds, and what
/// is left of the last one when these are over.
const PAUSES: Duration = Duration::from_millis(2_100);

/// Which part of a path is a link: the last one, or one before it.
#[derive(PartialEq)]
enum At {
    ItsEnd,
    TheWay,
}

/// What befell the files and mounts of others.
const HARM: &[Rule<Facts>] = &[
    rule("stacked-umounted-once", |it| !it.untouched.volume.1 && it.is_stack_half_unmounted()),
    rule("failed-umount-ignored", |it| {
        !it.untouched.volume.1 && it.open.is_some() && it.has_unmounted()
    }),
    rule("deleted-while-mounted", |it| !it.untouched.volume.1 && it.which == Which::WriteLayer),
    rule("volume-emptied", |it| !it.untouched.volume.1),
    rule("symlink-followed", |it| !it.untouched.letters.1),
    rule("hard-linked-file-changed", |it| !it.untouched.shared.1),
    rule("image-changed", |it| !it.untouched.image.1),
    rule("umount-follows-links", |it| it.has_unmounted_by_a_link(At::ItsEnd)),
    rule("link-on-the-way-followed", |it| it.has_unmounted_by_a_link(At::TheWay)),
    rule("neighbour-unmounted", |it| {
        it.unmounted_elsewhere().iter().any(|mount| !it.begins_alike(mount))
    }),
    rule("string-prefix", |it| !it.unmounted_elsewhere().is_empty()),
];

/// Why mounts are still there, or gone that should be.
const MOUNTS: &[Rule<Facts>] = &[
    rule("lazy-umount", |it| it.is_busy_throughout() && !it.open_mount_is_there()),
    rule("forced-umount", Facts::is_forced),
    rule("umount-flags", |it| it.should_unmount() && it.stopped_by_flags()),
    rule("another-error", |it| {
        it.should_unmount() && it.is_busy_throughout() && it.returned_another_error()
    }),
    rule("errno-not-the-kernels", |it| {
        it.should_unmount() && it.refused.is_some() && it.returned_another_error()
    }),
    rule("error-ignored", |it| it.refused.is_some() && it.is_mounted() && it.seen.returned.is_ok()),
    rule("umounts-to-delete", |it| it.which == Which::WriteLayer && it.has_unmounted()),
    rule("covered-mount-left", |it| it.should_unmount() && it.are_uncovered()),
    rule("stacked-umounted-once", Facts::is_stack_half_unmounted),
    rule("deleted-while-mounted", |it| {
        it.is_mounted() && (!it.deleted().is_empty() || it.deleted_in_root())
    }),
    rule("refused-in-silence", |it| {
        it.is_mounted() && it.which == Which::WriteLayer && it.seen.returned.is_ok()
    }),
    rule("name-not-utf-8", |it| {
        it.should_unmount() && it.mounts_after().iter().any(|it| it.mount_point.to_str().is_none())
    }),
    rule("escapes-not-undone", |it| it.should_unmount() && has_escapes(&it.workspace)),
    rule("link-not-resolved", |it| {
        it.should_unmount() && it.given != it.workspace && !it.has_unmounted()
    }),
    rule("workspace-itself-left", |it| it.should_unmount() && it.is_only_itself_left()),
    rule("failed-umount-ignored", |it| {
        it.should_unmount() && it.seen.returned.is_ok() && it.open.is_some()
    }),
    rule("answer/did-nothing", |it| {
        it.should_unmount() && it.seen.returned.is_ok() && !it.has_unmounted()
    }),
    rule("covered-mount-left", |it| it.should_unmount() && it.is_one_covered()),
    rule("order-of-the-table", |it| {
        it.should_unmount() && it.stopped_busy() && it.is_one_listed_before_its_parent()
    }),
    rule("given-up-too-early", |it| it.should_unmount() && it.stopped_busy() && it.is_too_short()),
    rule("busy-not-retried", |it| {
        it.should_unmount() && it.stopped_busy() && it.open.is_some() && !it.is_too_long()
    }),
    rule("busy-retried-too-long", |it| it.should_unmount() && it.is_too_long()),
    rule("parent-first", |it| it.should_unmount() && it.stopped_busy() && !it.has_unmounted()),
    rule("tries-counted", |it| it.should_unmount() && it.stopped_busy_though_none_is()),
    rule("answer/returned-error", |it| it.should_unmount() && it.seen.returned.is_err()),
];

/// Why files are still there, or gone that should not be.
const FILES: &[Rule<Facts>] = &[
    rule("unresolved-is-gone", |it| it.seen.returned.is_ok() && it.unresolved.is_some()),
    rule("link-gone-first", |it| it.was_lost && !it.left_behind().is_empty()),
    rule("deleted-too-much", |it| !it.deleted_too_much().is_empty() || !it.has_parent()),
    rule("string-prefix", |it| it.seen.returned.is_err() && it.mistaken_neighbour().is_some()),
    rule("closed-folder", |it| it.seen.returned.is_err() && it.without_privileges),
    rule("gone-is-a-failure", |it| {
        it.seen.returned.is_err() && (it.something_was_gone() || it.has_nothing_to_unmount())
    }),
    rule("names-with-dots-left", |it| !it.only_with_dots_left().is_empty()),
    rule("link-resolved-once", |it| {
        it.seen.returned.is_err() && it.given.is_symlink() && it.left_behind() == ["."]
    }),
    rule("dangling-link-left", |it| !it.dangling_links_left().is_empty()),
    rule("only-known-parts-deleted", Facts::are_only_strangers_left),
    rule("answer/returned-error", |it| it.seen.returned.is_err()),
    rule("error-ignored", |it| it.refused.is_some()),
    rule("orphan-left", |it| !it.orphans.is_empty()),
    rule("litter-left", |it| !it.litter.is_empty()),
    rule("only-the-link-deleted", |it| {
        it.given.file_name() != it.workspace.file_name() && !it.left_behind().is_empty()
    }),
    rule("not-resumable", |it| !it.left_behind().is_empty() && it.something_was_gone()),
    rule("answer/did-nothing", |it| {
        !it.left_behind().is_empty() && it.deleted().is_empty() && !it.has_unmounted()
    }),
    rule("left-behind", |it| !it.left_behind().is_empty()),
];

impl frame::Facts for Facts {
    fn words(&self) -> Words {
        let mut words = error_of(&self.seen.returned);
        let left = self.mounts_after();
        let odd = left.iter().find(|mount| mount.mount_point.to_str().is_none());
        let mount = odd.or(left.last()).map(|mount| printable(&mount.mount_point));
        words.push(("workspace", printable(&self.workspace)));
        words.push(("mount", mount.unwrap_or_default()));
        words.push(("left", self.paths_left_behind()));
        let parent = (!self.has_parent()).then(|| printable(&self.containers));
        words.push(("gone", parent.unwrap_or_else(|| self.deleted_too_much().join(", "))));
        words.push(("dotted", self.only_with_dots_left()));
        words.push(("dangling", self.dangling_links_left()));
        words.push(("orphan", self.orphans.join(", ")));
        words.push(("litter", self.litter.join(", ")));
        words.push(("expected", format!("{:?}", self.kernels_error())));
        words.push(("flags", self.unasked_flags()));
        words.push(("call", self.refused.unwrap_or_default().to_owned()));
        let why = self.unresolved.map(|errno| Failure::from(errno).to_string());
        words.extend(why.map(|why| ("why", why)));
        // Whoever finds this word finds harm.
        let harmed = self.harmed().or_else(|| self.mistaken_neighbour());
        words.extend(harmed.map(|path| ("harm", printable(&path))));
        words
    }
}

impl Facts {
    /// The rules on its function.
    pub fn rules(&self) -> Rules<Facts> {
        let tables = &[HARM, MOUNTS, FILES];
        Rules { lab: crate::LAB, function: self.which.function(), tables }
    }

    fn is_mounted(&self) -> bool {
        !self.mounts_after().is_empty()
    }

    /// Whether mounts are there that its function should have taken away.
    pub fn should_unmount(&self) -> bool {
        self.is_mounted() && self.which != Which::WriteLayer
    }

    fn is_busy_throughout(&self) -> bool {
        self.open.as_ref().is_some_and(|(_, open)| *open == Open::Throughout)
    }

    /// Whether something else was unmounted by the path of one of its mounts. In what covers
    /// that mount, a part of the path is a link now.
    fn has_unmounted_by_a_link(&self, at: At) -> bool {
        let elsewhere = self.unmounted_elsewhere();
        let leads_there = |path: &Path| {
            let real = path.canonicalize();
            real.is_ok_and(|real| elsewhere.iter().any(|gone| gone.mount_point == real))
        };
        self.mounts_before().iter().any(|mount| {
            let path = &mount.mount_point;
            path.is_symlink() == (at == At::ItsEnd) && leads_there(path)
        })
    }

    fn stopped_busy(&self) -> bool {
        let failure = self.seen.returned.as_ref().err();
        failure.is_some_and(|failure| failure.errno == Some(Errno::EBUSY as i32))
    }

    /// Whether it stopped so after it had unmounted something, while no file was open.
    fn stopped_busy_though_none_is(&self) -> bool {
        let is_undisturbed = self.open.is_none() && self.refused.is_none();
        self.stopped_busy() && self.has_unmounted() && is_undisturbed
    }

    /// Whether all that it is to unmount was gone from the beginning, or is gone when it returns
    /// what the kernel says of what is not there.
    fn has_nothing_to_unmount(&self) -> bool {
        let is_gone = |failure: &Failure| failure.is(Errno::EINVAL) || failure.is(Errno::ENOENT);
        let has_said_so = self.seen.returned.as_ref().is_err_and(is_gone);
        let was_gone = self.mounts_before().is_empty() || has_said_so;
        self.which == Which::MountPoint && !self.is_mounted() && was_gone
    }

    /// Whether a mount was to go by force.
    pub fn is_forced(&self) -> bool {
        self.umount_flags.contains(MntFlags::MNT_FORCE)
    }

    /// Whether its error is what the kernel says of other flags than are of use: EAGAIN
    /// wherever MNT_EXPIRE has only marked a mount, EINVAL whenever they cannot be given.
    fn stopped_by_flags(&self) -> bool {
        let (expire, all) = (MntFlags::MNT_EXPIRE, MntFlags::all());
        let with_expire = MntFlags::MNT_FORCE | MntFlags::MNT_DETACH;
        let cannot_be_given = !all.contains(self.umount_flags)
            || self.umount_flags.contains(expire) && self.umount_flags.intersects(with_expire);
        let has_returned = |errno| self.seen.returned.as_ref().is_err_and(|it| it.is(errno));
        self.umount_flags.contains(expire) && has_returned(Errno::EAGAIN)
            || cannot_be_given && has_returned(Errno::EINVAL)
    }

    /// The flags that umount2(2) was given and that nobody needs here, by their names.
    pub fn unasked_flags(&self) -> String {
        let unasked = self.umount_flags.difference(MntFlags::UMOUNT_NOFOLLOW);
        let named = unasked.iter_names().map(|(name, _)| name.to_owned());
        let rest = unasked.difference(MntFlags::all()).bits();
        let rest = (rest != 0).then(|| format!("{rest:#x}"));
        named.chain(rest).collect::<Vec<_>>().join(" | ")
    }

    /// What the kernel says of a mount that stays: EBUSY, or what calls fail with.
    pub fn kernels_error(&self) -> Errno {
        if self.refused.is_some() { self.errno } else { Errno::EBUSY }
    }

    /// Whether it has returned another error than that.
    pub fn returned_another_error(&self) -> bool {
        self.seen.returned.as_ref().is_err_and(|failure| !failure.is(self.kernels_error()))
    }

    /// Whether it has tried longer than promised.
    pub fn is_too_long(&self) -> bool {
        self.is_busy_throughout() && (self.paused > PAUSES || self.lasted > AT_MOST * slowness())
    }

    /// Whether it has given up before it was promised to.
    pub fn is_too_short(&self) -> bool {
        self.is_busy_throughout() && self.lasted < AT_LEAST
    }

    fn is_only_itself_left(&self) -> bool {
        self.mounts_after().iter().all(|mount| mount.mount_point == self.workspace)
    }

    /// Whether all parts of a workspace are gone, and other entries are left in it.
    fn are_only_strangers_left(&self) -> bool {
        let left = self.left_behind();
        left.contains(&".")
            && left.len() > 1
            && left.iter().all(|it| *it == "." || !PARTS.contains(it))
    }

    /// What is left in directories in which nothing is left but names that begin with a dot.
    fn only_with_dots_left(&self) -> String {
        let all = self.all_left_behind();
        let text =
            |path: &PathBuf| path.file_name().and_then(|name| Some(name.to_str()?.to_owned()));
        let has_dot = |path: &PathBuf| text(path).is_some_and(|name| name.starts_with('.'));
        let beside = |path: &PathBuf| {
            let parent = path.parent().map(Path::to_owned);
            all.iter().filter(move |it| it.parent() == parent.as_deref())
        };
        let left = all.iter().filter(|path| beside(path).all(has_dot));
        left.map(|path| printable(path)).collect::<Vec<_>>().join(", ")
    }

    /// Links that lead nowhere, where one was passed over: it is a layer, or nothing else is
    /// left in its directory, which could not be removed then.
    fn dangling_links_left(&self) -> String {
        let is_not_empty = |failure: &Failure| failure.is(Errno::ENOTEMPTY);
        let has_stopped = self.seen.returned.as_ref().is_err_and(is_not_empty);
        if self.seen.returned.is_err() && (!has_stopped || self.deleted().is_empty()) {
            return String::new();
        }
        let all = self.all_left_behind();
        // What is not text may be left for its name.
        let is_dangling = |path: &&PathBuf| {
            let link = self.workspace.join(path);
            path.to_str().is_some() && link.is_symlink() && !link.exists()
        };
        let is_layer = |path: &Path| ["write-layer", "work"].iter().any(|it| path == Path::new(it));
        let is_alone = |path: &Path| {
            all.iter().filter(|it| it.parent() == path.parent()).all(|it| is_dangling(&it))
        };
        let links = all.iter().filter(is_dangling).filter(|it| is_layer(it) || is_alone(it));
        links.map(|path| printable(path)).collect::<Vec<_>>().join(", ")
    }

    fn something_was_gone(&self) -> bool {
        PARTS.iter().any(|part| !self.before.contains_key(*part))
    }

    /// A mount of a neighbour's that can only have been taken for the workspace's.
    fn mistaken_neighbour(&self) -> Option<PathBuf> {
        let mut mounts = self.seen.host_before.mounts.iter();
        let alike = mounts.find(|mount| self.begins_alike(mount));
        let is_mistaken = self.seen.returned.is_err() && self.mounts_before().is_empty();
        alike.filter(|_| is_mistaken).map(|mount| mount.mount_point.clone())
    }

    /// What is left, without the folder itself if there is anything in it.
    fn paths_left_behind(&self) -> String {
        let mut left = self.left_behind();
        if left.len() > 1 {
            left.retain(|entry| *entry != ".");
        }
        // "." has no component: it is the workspace.
        let path =
            |entry: &str| printable(&self.workspace.join(entry).components().collect::<PathBuf>());
        left.into_iter().map(path).collect::<Vec<_>>().join(", ")
    }

    pub fn has_unmounted(&self) -> bool {
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

    /// Whether those that are left, on several directories, were all covered before by
    /// what is gone.
    fn are_uncovered(&self) -> bool {
        let (before, left) = (&self.seen.host_before, self.mounts_after());
        let is_below = |mount: &Mount, cover: &Mount| {
            mount.id != cover.id && mount.mount_point.starts_with(&cover.mount_point)
        };
        let is_gone = |mount: &Mount| left.iter().all(|it| it.id != mount.id);
        let covers: Vec<&Mount> =
            self.mounts_before().into_iter().filter(|it| is_gone(it)).collect();
        let is_covered_by = |mount: &Mount, cover: &Mount| {
            is_below(mount, cover) && !has_parent(before, mount, cover)
        };
        let was_covered = |mount: &&Mount| covers.iter().any(|cover| is_covered_by(mount, cover));
        left.iter().any(|mount| mount.mount_point != left[0].mount_point)
            && left.iter().all(was_covered)
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

    /// Whether a mount is none of the workspace's, but its path begins with the same
    /// letters, or seems to: as text, all bytes that are not UTF-8 look alike.
    pub fn begins_alike(&self, mount: &Mount) -> bool {
        let (path, workspace) = (&mount.mount_point, &self.workspace);
        let letters = workspace.as_os_str().as_bytes();
        let text = workspace.to_string_lossy();
        let is_alike = path.as_os_str().as_bytes().starts_with(letters)
            || path.to_string_lossy().starts_with(&*text);
        is_alike && !path.starts_with(workspace)
    }
}

/// Whether a mount lies in another one, by however many between them.
fn has_parent(table: &MountTable, mount: &Mount, other: &Mount) -> bool {
    let parent = table.mounts.iter().find(|it| it.id == mount.parent && it.id != mount.id);
    parent.is_some_and(|it| it.id == other.id || has_parent(table, it, other))
}
