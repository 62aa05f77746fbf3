//! What is known of one call: what the kernel shows before and after it.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use labkit::call::Seen;
use labkit::canary::Canary;
use labkit::describe::{Failure, mounts_below, result, tree, walk};
use labkit::frame::Returned;
use labkit::verdict::{Evidence, Finding, Whose};
use mydocker_kernel::mountinfo::{Mount, MountTable};
use nix::errno::Errno;
use nix::mount::MntFlags;

use crate::scene::{Open, Which};
use crate::stage::{MODE_OF_LETTERS, MODE_OF_SHARED, Stage};

/// What a canary has in it.
const FILES_OF_A_CANARY: &str = "photos thesis.txt";

/// So many mounts are shown: more of them say nothing new.
const SHOWN: usize = 30;

/// What a whole workspace consists of.
pub const PARTS: [&str; 5] = [".", "init-layer", "write-layer", "work", "mnt"];

/// The entries of a workspace, each with its tree; `.` is the folder itself.
pub type Entries = BTreeMap<String, String>;

/// All that is known of one call.
pub struct Facts {
    pub which: Which,
    /// The workspace, as the mount table names it.
    pub workspace: PathBuf,
    /// The workspace, as the answer was told.
    pub given: PathBuf,
    /// A file that was open.
    pub open: Option<(PathBuf, Open)>,
    /// Whether an ordinary user made the call.
    pub without_privileges: bool,
    /// The kernel call that failed meanwhile, and what it failed with.
    pub refused: Option<&'static str>,
    pub errno: Errno,
    /// Why the path that it got cannot be resolved.
    pub unresolved: Option<Errno>,
    /// Whether a call before this one was killed when that path led nowhere, while something
    /// was left.
    pub was_lost: bool,
    pub seen: Seen<Returned>,
    pub lasted: Duration,
    /// The pauses that it took, as it asked for them, while a file stayed open.
    pub paused: Duration,
    /// The flags that umount2(2) was given, whenever it was called.
    pub umount_flags: MntFlags,
    pub before: Entries,
    pub after: Entries,
    /// What was in the container's root before and after.
    pub root_before: Vec<String>,
    pub root_after: Vec<String>,
    pub untouched: Untouched,
    /// The directory of all workspaces.
    pub containers: PathBuf,
    /// Directories beside the workspace that were not there before.
    pub orphans: Vec<String>,
    /// Other files there.
    pub litter: Vec<String>,
}

/// Files of others, and whether they are as before.
pub struct Untouched {
    pub volume: (PathBuf, bool),
    pub letters: (PathBuf, bool),
    pub image: (PathBuf, bool),
    /// A file that has another name in each write layer.
    pub shared: (PathBuf, bool),
}

impl Untouched {
    pub fn now(stage: &Stage) -> Untouched {
        let look = |canary: &Canary| (canary.folder.clone(), canary.is_untouched());
        Untouched {
            volume: look(stage.host.precious()),
            letters: look(&stage.letters),
            image: look(&stage.image),
            shared: (stage.shared.clone(), stage.is_shared_untouched()),
        }
    }

    /// Whether all are as before.
    pub fn is_all(&self) -> bool {
        self.touched().is_none()
    }

    /// The first that is not as before.
    fn touched(&self) -> Option<&Path> {
        let all = [&self.volume, &self.letters, &self.image, &self.shared];
        all.into_iter().find(|(_, is_untouched)| !is_untouched).map(|(path, _)| path.as_path())
    }
}

impl Facts {
    /// The mounts at and below the workspace before the call.
    pub fn mounts_before(&self) -> Vec<&Mount> {
        below(&self.seen.host_before, &self.workspace)
    }

    /// Those after the call.
    pub fn mounts_after(&self) -> Vec<&Mount> {
        below(&self.seen.host_after, &self.workspace)
    }

    /// Whether the mount of the file that is open is still there.
    pub fn open_mount_is_there(&self) -> bool {
        let Some((file, _)) = &self.open else { return true };
        let mount = self.seen.host_before.holding(file).expect("every file is in a mount");
        self.seen.host_after.mounts.iter().any(|it| it.id == mount.id)
    }

    /// Entries of the workspace that were there before and are not any more, or
    /// not as they were.
    pub fn deleted(&self) -> Vec<&str> {
        let changed = self.before.iter().filter(|(name, tree)| self.after.get(*name) != Some(tree));
        changed.map(|(name, _)| name.as_str()).collect()
    }

    /// Whether files of the container's root were deleted through its mount.
    pub fn deleted_in_root(&self) -> bool {
        let is_as_it_was = self.mounts_before().len() == self.mounts_after().len();
        is_as_it_was && self.root_before != self.root_after
    }

    /// Entries that were deleted or changed, and are none of this function's.
    pub fn deleted_too_much(&self) -> Vec<&str> {
        let mut deleted = self.deleted();
        deleted.retain(|entry| !self.which.deletes(entry));
        deleted
    }

    /// Entries that the function is to delete, and that are there.
    pub fn left_behind(&self) -> Vec<&str> {
        let left = self.after.keys().filter(|entry| self.which.deletes(entry));
        left.map(String::as_str).collect()
    }

    /// The same together with their contents, as they are now: paths in the workspace.
    pub fn all_left_behind(&self) -> Vec<PathBuf> {
        let mut all = Vec::new();
        for entry in self.left_behind().into_iter().filter(|entry| *entry != ".") {
            let mut visit = |path: &Path, _: &_| {
                all.extend(path.strip_prefix(&self.workspace).ok().map(Path::to_owned));
            };
            // What cannot be read has no names that could be told.
            let _ = walk(&self.workspace.join(entry), &mut visit);
        }
        all
    }

    /// Whether the image, the volume and other files of the host are as before,
    /// and all that is mounted elsewhere is.
    pub fn is_harmless(&self) -> bool {
        self.harmed().is_none()
    }

    /// What of others is not as before.
    pub fn harmed(&self) -> Option<PathBuf> {
        let elsewhere = self.unmounted_elsewhere();
        let other = elsewhere.iter().find(|mount| !self.begins_alike(mount));
        let unmounted = other.or(elsewhere.first()).map(|mount| mount.mount_point.as_path());
        self.untouched.touched().or(unmounted).map(Path::to_owned)
    }

    /// Whether the directory of all workspaces is there.
    pub fn has_parent(&self) -> bool {
        self.containers.is_dir()
    }

    /// Whether nothing new lies beside the workspace.
    pub fn leaves_nothing_beside(&self) -> bool {
        self.orphans.is_empty() && self.litter.is_empty()
    }

    /// What was unmounted that is no part of the workspace.
    pub fn unmounted_elsewhere(&self) -> Vec<&Mount> {
        let is_elsewhere = |mount: &&Mount| !mount.mount_point.starts_with(&self.workspace);
        let is_gone =
            |mount: &&Mount| self.seen.host_after.mounts.iter().all(|it| it.id != mount.id);
        self.seen.host_before.mounts.iter().filter(is_elsewhere).filter(is_gone).collect()
    }

    /// The promise is kept if the call said Ok, harmed nothing, and `kept`.
    pub fn require(&self, kept: bool) -> Result<(), Finding> {
        self.judge(self.seen.returned.is_ok() && kept, "Ok")
    }

    /// The promise is kept if the call said Err and deleted nothing, and `kept`.
    pub fn require_refusal(&self, kept: bool) -> Result<(), Finding> {
        let refused = self.seen.returned.is_err() && self.deleted().is_empty();
        self.judge(refused && kept, "Err")
    }

    fn judge(&self, kept: bool, expected: &str) -> Result<(), Finding> {
        let evidence = || self.evidence(expected);
        let is_harmless = self.is_harmless() && self.has_parent();
        self.rules().judge(self, kept && is_harmless && !self.is_forced(), evidence)
    }

    fn evidence(&self, expected: &str) -> Vec<Evidence> {
        let workspace = &self.workspace;
        let deletes = |entry: &String| expected == "Ok" && self.which.deletes(entry);
        let must_stay = self.before.keys().filter(|entry| !deletes(entry));
        let mut call = format!("{}({:?})", self.which.function(), self.given);
        if let Some(failed) = self.seen.failed {
            call += &format!(" while {failed} fails with {:?}", self.errno);
        } else if let Some(name) = self.refused {
            call += &format!(" while {name}(2) fails with {:?}", self.errno);
        }
        // What is left was not deleted because of the call that failed.
        let is_untold = self.refused.is_some() && self.seen.returned.is_ok();
        let promised = match expected {
            _ if is_untold => "Err".to_owned(),
            "Err" if self.should_unmount() && self.returned_another_error() => {
                Failure::from(self.kernels_error()).to_string()
            }
            _ => expected.to_owned(),
        };
        let mut evidence = Vec::new();
        let letters = &self.untouched.letters.0;
        for (what, promised, seen) in [
            (call, promised, result(&self.seen.returned)),
            (format!("ls -a {workspace:?}"), listing(must_stay), listing(self.after.keys())),
            ls(&self.untouched.volume.0),
            ls(&self.untouched.image.0),
            ls(letters),
            stat(letters, MODE_OF_LETTERS),
            stat(&self.untouched.shared.0, MODE_OF_SHARED),
        ] {
            if !seen.starts_with(&promised) {
                evidence.push(Evidence::differs(what, promised, seen));
            }
        }
        if !self.has_parent() {
            evidence.push(Evidence::differs(
                format!("ls -d {:?}", self.containers),
                "Ok",
                "ENOENT",
            ));
        }
        let strangers = [&self.orphans[..], &self.litter[..]].concat();
        if !strangers.is_empty() {
            let what = format!("ls {:?}, names that are new", self.containers);
            evidence.push(Evidence::differs(what, "-", strangers.join(" ")));
        }
        let flags = self.unasked_flags();
        if !flags.is_empty() {
            evidence.push(Evidence::differs("the flags of umount2(2)", "UMOUNT_NOFOLLOW", flags));
        }
        if self.is_too_long() || self.is_too_short() {
            let seen = if self.is_too_long() { "longer" } else { "shorter" };
            evidence.push(Evidence::differs("how long it tried", "0.2 to 2 s", seen));
        }
        let changes = self.seen.host_changes();
        evidence.push(Evidence::changes(Whose::Host, &changes[..changes.len().min(SHOWN)]));
        let left = self.mounts_after().len();
        if expected == "Ok" && left > SHOWN {
            let what = format!("grep -c {workspace:?} /proc/self/mountinfo");
            evidence.push(Evidence::differs(what, "0", left.to_string()));
        }
        if left > 0 {
            // All are the container's: none of them is left out of the drawing.
            let hosts = MountTable { mounts: Vec::new() };
            evidence.push(Evidence::Tree {
                what: "/proc/self/mountinfo".to_owned(),
                drawing: shortened(mounts_below(&self.seen.host_after, &hosts, workspace)),
            });
        }
        evidence
    }
}

/// The first lines of a drawing, and how many more it has.
fn shortened(drawing: String) -> String {
    let more = drawing.lines().count().saturating_sub(SHOWN);
    if more == 0 {
        return drawing;
    }
    let shown: Vec<&str> = drawing.lines().take(SHOWN).collect();
    format!("{}\n… +{more}", shown.join("\n"))
}

fn listing<'a>(entries: impl Iterator<Item = &'a String>) -> String {
    let names: Vec<&str> = entries.map(String::as_str).collect();
    if names.is_empty() { "ENOENT".to_owned() } else { names.join(" ") }
}

/// A canary's folder, what must be in it, and what is.
fn ls(canary: &Path) -> (String, String, String) {
    let mut names = names(canary);
    names.sort();
    let seen = match canary.exists() {
        true if names.is_empty() => "-".to_owned(),
        _ => listing(names.iter()),
    };
    (format!("ls {canary:?}"), FILES_OF_A_CANARY.to_owned(), seen)
}

/// The mode of a file, what it must be, and what it is.
fn stat(path: &Path, mode: u32) -> (String, String, String) {
    let seen = path.metadata().map_or(0, |metadata| metadata.mode() & 0o7777);
    (format!("stat -c %a {path:?}"), format!("{mode:o}"), format!("{seen:o}"))
}

/// The mounts at and below a folder, in the order of the table.
fn below<'a>(table: &'a MountTable, folder: &Path) -> Vec<&'a Mount> {
    table.mounts.iter().filter(|mount| mount.mount_point.starts_with(folder)).collect()
}

/// The entries of a workspace; what is mounted on `mnt` is none of them.
pub fn entries(workspace: &Path) -> Entries {
    let mut entries = Entries::new();
    if workspace.is_dir() {
        entries.insert(".".to_owned(), String::new());
    }
    for name in names(workspace) {
        let tree = if name == "mnt" { Ok(String::new()) } else { tree(&workspace.join(&name)) };
        entries.insert(name, tree.unwrap_or_default());
    }
    entries
}

/// The names in a folder; none if it is not there.
pub fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}
