//! remove, where nobody is in the group.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use labkit::calls::Calls;
use labkit::deciding::Asked;
use labkit::describe::{Failure, result};
use labkit::frame::{Facts, Returned, Rules, Words, error_of, rule};
use labkit::host::Host;
use labkit::verdict::{Evidence, Finding};
use nix::errno::Errno;
use nix::libc;
use nix::sched::CloneFlags;

use crate::LAB;
use crate::acts::REMOVE;
use crate::contents::Contents;
use crate::group::Group;
use crate::model::{Lacks, Model, Version};

pub const FUNCTION: &str = REMOVE.function;
pub const NAME: &str = "c1";

/// All that is known of one call on a model.
struct Removed {
    version: Version,
    group: Group,
    returned: Returned,
    before: Contents,
    after: Contents,
    /// Whether another program removed directories in the meantime.
    had_help: bool,
}

fn remove(model: &Model) -> Result<Removed, Finding> {
    let group = model.group(NAME);
    let before = model.contents();
    let returned = model.act(&REMOVE, group.clone()).make()?.returned;
    let (version, after, had_help) = (model.version, model.contents(), false);
    Ok(Removed { version, group, returned, before, after, had_help })
}

static GONE: Rules<Removed> = Rules {
    lab: LAB,
    function: FUNCTION,
    tables: &[&[
        rule("other-group-changed", |it| it.changed_elsewhere()),
        rule("groups-in-it-left", |it| it.left_in_it()),
        rule("gone-is-a-failure", |it| {
            let is_gone = it.folders_in(&it.after) == 0;
            it.returned.is_err() && (is_gone || it.was_half_gone() || it.had_help)
        }),
        rule("answer/returned-error", |it| it.returned.is_err()),
        rule("one-hierarchy-only", |it| {
            it.version == Version::One && it.folders_in(&it.after) == 1 && !it.was_half_gone()
        }),
        rule("other-half-left", |it| it.was_half_gone() && it.folders_in(&it.after) > 0),
        rule("answer/did-nothing", |it| it.before == it.after),
    ]],
};

impl Facts for Removed {
    fn words(&self) -> Words {
        let mut words = error_of(&self.returned);
        words.push(("errno", "EACCES".to_owned()));
        words
    }
}

impl Removed {
    fn is_ours(&self, path: &Path) -> bool {
        self.group.folders().iter().any(|folder| path.starts_with(folder))
    }

    /// How many of the group's folders are there.
    fn folders_in(&self, contents: &Contents) -> usize {
        self.group.folders().iter().filter(|folder| contents.contains_key(**folder)).count()
    }

    fn was_half_gone(&self) -> bool {
        self.folders_in(&self.before) < self.group.folders().len()
    }

    /// What is left of the group.
    fn left(&self) -> Vec<&PathBuf> {
        self.after.keys().filter(|path| self.is_ours(path)).collect()
    }

    /// Whether something is left in one of its folders.
    fn left_in_it(&self) -> bool {
        self.left().len() > self.folders_in(&self.after)
    }

    /// What is not as before, and is none of the group's.
    fn changed_elsewhere(&self) -> bool {
        let others = |contents: &Contents| {
            let mut others = contents.clone();
            others.retain(|path, _| !self.is_ours(path));
            others
        };
        others(&self.before) != others(&self.after)
    }

    fn require_gone(&self) -> Result<(), Finding> {
        let kept = self.returned.is_ok() && self.left().is_empty() && !self.changed_elsewhere();
        GONE.judge(self, kept, || self.evidence("Ok", "ENOENT"))
    }

    fn evidence(&self, expected: &str, there: &str) -> Vec<Evidence> {
        let call = format!("remove(…), version {}", self.version.number());
        let mut evidence = vec![Evidence::differs(call, expected, result(&self.returned))];
        for folder in self.group.folders() {
            if self.after.contains_key(folder) {
                evidence.push(Evidence::differs(format!("ls -d {folder:?}"), there, "Ok"));
            }
        }
        for path in self.before.keys().filter(|path| !self.is_ours(path)) {
            if !self.after.contains_key(path) {
                evidence.push(Evidence::differs(format!("ls -d {path:?}"), "Ok", "ENOENT"));
            }
        }
        evidence
    }
}

pub fn gone(host: &Host) -> Result<(), Finding> {
    Version::BOTH.into_iter().try_for_each(|version| gone_on(host, version))
}

pub fn gone_on(host: &Host, version: Version) -> Result<(), Finding> {
    let model = Model::new(host, version, Lacks::Nothing);
    model.make_empty_group(NAME);
    model.make_empty_group("c10");
    remove(&model)?.require_gone()
}

pub fn nested(host: &Host) -> Result<(), Finding> {
    let harder = |version| {
        // A container in the container, with a limit of one kind.
        let outer: [fn(Group) -> PathBuf; 2] = [|group| group.memory, |group| group.pids];
        outer.into_iter().try_for_each(|outer| {
            let model = Model::new(host, version, Lacks::Nothing);
            let group = model.make_empty_group(NAME);
            let inner = outer(group).join("inner").join("innermost");
            fs::create_dir_all(inner).expect("the scratch folder");
            remove(&model)?.require_gone()
        })
    };
    Version::try_in_both(|version| gone_on(host, version), harder)
}

pub fn twice(host: &Host) -> Result<(), Finding> {
    let harder = |version| {
        remove(&Model::new(host, version, Lacks::Nothing))?.require_gone()?;
        gone_meanwhile(host, version)?;
        inner_gone_meanwhile(host, version)?;
        if version == Version::Two {
            return Ok(());
        }
        // As after a kill in the middle.
        for gone_first in [true, false] {
            let model = Model::new(host, version, Lacks::Nothing);
            let group = model.make_empty_group(NAME);
            let gone = if gone_first { group.memory } else { group.pids };
            fs::remove_dir(gone).expect("it is empty");
            remove(&model)?.require_gone()?;
        }
        Ok(())
    };
    Version::try_in_both(|version| gone_on(host, version), harder)
}

/// Calls that remove a directory. The second one can also delete a file.
pub const RMDIR: &[Calls] = &[
    #[cfg(target_arch = "x86_64")]
    ("rmdir", &[libc::SYS_rmdir]),
    ("unlinkat", &[libc::SYS_unlinkat]),
];

/// Whether a call removes a directory, not a file.
pub fn removes_directory(asked: &Asked) -> bool {
    #[cfg(target_arch = "x86_64")]
    if asked.number() != libc::SYS_unlinkat {
        return asked.number() == libc::SYS_rmdir;
    }
    asked.argument(2) & libc::AT_REMOVEDIR as u64 != 0
}

/// A group that another program removes while the answer waits: the first rmdir(2) is
/// refused with EBUSY, and by the next one there is nothing left.
fn gone_meanwhile(host: &Host, version: Version) -> Result<(), Finding> {
    let model = Model::new(host, version, Lacks::Nothing);
    let group = model.make_empty_group(NAME);
    let all = group.folders().into_iter().map(Path::to_owned).collect();
    helped(&model, all, "the group")
}

/// The same with the groups inside it. The answer may already have listed them: then it comes
/// to one that it has not yet touched, and that is gone.
fn inner_gone_meanwhile(host: &Host, version: Version) -> Result<(), Finding> {
    let model = Model::new(host, version, Lacks::Nothing);
    let group = model.make_empty_group(NAME);
    let folders = group.folders().into_iter();
    let inner: Vec<PathBuf> =
        folders.flat_map(|folder| INNER.map(|name| folder.join(name))).collect();
    inner.iter().for_each(|folder| fs::create_dir(folder).expect("the scratch folder"));
    helped(&model, inner, "the groups inside it")
}

const INNER: [&str; 3] = ["inner-1", "inner-2", "inner-3"];

/// Has the answer remove the group, and another program remove `folders` while it waits.
fn helped(model: &Model, folders: Vec<PathBuf>, what: &str) -> Result<(), Finding> {
    let (version, group, before) = (model.version, model.group(NAME), model.contents());
    let mut is_first = true;
    let call = model.host.act(&REMOVE, group.clone()).in_new(CloneFlags::CLONE_NEWUSER);
    let call = call.deciding(RMDIR, move |asked| {
        if !removes_directory(asked) || !is_first {
            return None;
        }
        is_first = false;
        folders.iter().for_each(|folder| fs::remove_dir(folder).expect("it is empty"));
        Some(Errno::EBUSY)
    });
    let returned = call.make()?.returned;
    let after = model.contents();
    let removed = Removed { version, group, returned, before, after, had_help: true };
    // Whoever gives up at EBUSY breaks other promises.
    let is_wrong = removed.returned.as_ref().is_err_and(|failure| failure.is(Errno::ENOENT));
    GONE.judge(&removed, !is_wrong, || {
        let version = version.number();
        let call = format!("remove(…), version {version}, others remove {what} after EBUSY");
        vec![Evidence::differs(call, "Ok", result(&removed.returned))]
    })
}

/// A group whose files can be deleted, which the kernel's cannot.
pub fn files(host: &Host) -> Result<(), Finding> {
    static RULES: Rules<Removed> = Rules {
        lab: LAB,
        function: FUNCTION,
        tables: &[&[rule("files-deleted-singly", |it| it.left().len() < it.ours_before())]],
    };
    let harder = |version| {
        let model = Model::new(host, version, Lacks::Nothing);
        model.make_open_group(NAME);
        let removed = remove(&model)?;
        RULES.judge(&removed, removed.left().len() == removed.ours_before(), || {
            let gone = removed.before.keys().filter(|path| !removed.after.contains_key(*path));
            let gone = gone.filter(|path| removed.before[*path].is_some()).take(2);
            gone.map(|path| Evidence::differs(format!("ls {path:?}"), "Ok", "ENOENT")).collect()
        })
    };
    Version::try_in_both(|version| gone_on(host, version), harder)
}

impl Removed {
    fn ours_before(&self) -> usize {
        self.before.keys().filter(|path| self.is_ours(path)).count()
    }
}

/// A group in a folder from which nothing can be removed, and one in which nobody may look.
pub fn refused(host: &Host) -> Result<(), Finding> {
    static RULES: Rules<Removed> = Rules {
        lab: LAB,
        function: FUNCTION,
        tables: &[&[
            rule("failed-removal-ignored", |it| it.returned.is_ok()),
            rule("another-error-told", |it| it.returned.is_err()),
        ]],
    };
    let harder = |version| {
        let closed: [fn(Group) -> PathBuf; 2] = [|group| group.pids, |group| group.memory];
        closed.into_iter().try_for_each(|closed| {
            let model = Model::new(host, version, Lacks::Nothing);
            let group = model.make_empty_group(NAME);
            let parent = closed(group).parent().expect("it has one").to_owned();
            let open_to = |mode| {
                let mode = Permissions::from_mode(mode);
                fs::set_permissions(&parent, mode).expect("the witness's own");
            };
            open_to(0o555);
            let removed = remove(&model);
            open_to(0o755);
            let removed = removed?;
            let is_told = |failure: &Failure| failure.is(Errno::EACCES);
            RULES.judge(&removed, removed.returned.as_ref().is_err_and(is_told), || {
                removed.evidence("EACCES (Permission denied)", "-")
            })
        })?;
        // A directory that cannot be read may still be removed: whoever tries needs no error.
        closed.into_iter().try_for_each(|closed| {
            let model = Model::new(host, version, Lacks::Nothing);
            let folder = closed(model.make_empty_group(NAME));
            let open_to = |mode| fs::set_permissions(&folder, Permissions::from_mode(mode));
            let before = model.contents();
            open_to(0).expect("the witness's own");
            let call = model.act(&REMOVE, model.group(NAME)).make();
            let _ = open_to(0o755);
            let (returned, after) = (call?.returned, model.contents());
            let group = model.group(NAME);
            let removed = Removed { version, group, returned, before, after, had_help: false };
            let is_told = removed.returned.is_err() || removed.left().is_empty();
            RULES.judge(&removed, is_told, || {
                removed.evidence("EACCES (Permission denied)", "ENOENT")
            })
        })
    };
    Version::try_in_both(|version| gone_on(host, version), harder)
}
