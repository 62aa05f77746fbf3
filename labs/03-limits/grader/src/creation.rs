//! create_group.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use labkit::describe::Failure;
use labkit::host::Host;
use labkit::verdict::{Evidence, Finding, require};
use nix::errno::Errno;
use nix::sched::CloneFlags;

use crate::group::Group;
use crate::kernel;
use crate::model::{Contents, Lacks, Model, SUBTREE_CONTROL, Version, text};
use crate::{Answers, UNFORESEEN, finding};

const FUNCTION: &str = "create_group";
const NAME: &str = "c1";

/// All that is known of one call.
struct Facts<'a> {
    model: Model<'a>,
    returned: Result<Group, Failure>,
    before: Contents,
    after: Contents,
}

/// Calls the function on a model of a host.
fn create<'a>(answers: &Answers, model: Model<'a>) -> Result<Facts<'a>, Finding> {
    let before = model.contents();
    let body = || (answers.create_group)(&model.top, NAME).map_err(Failure::from);
    let returned = model.call(FUNCTION, body)?.returned;
    Ok(Facts { before, after: model.contents(), returned, model })
}

impl Facts<'_> {
    /// Where the group must be.
    fn group(&self) -> Group {
        self.model.group(NAME)
    }

    fn made(&self) -> BTreeSet<&Path> {
        let is_new = |path: &&PathBuf| !self.before.contains_key(*path);
        self.after.keys().filter(is_new).map(PathBuf::as_path).collect()
    }

    fn removed(&self) -> BTreeSet<&Path> {
        let is_gone = |path: &&PathBuf| !self.after.contains_key(*path);
        self.before.keys().filter(is_gone).map(PathBuf::as_path).collect()
    }

    fn hands_on(&self) -> &str {
        text(&self.after, &self.model.top.join(SUBTREE_CONTROL))
    }

    fn made_below(&self, name: &str) -> bool {
        self.made().iter().any(|path| path.starts_with(self.model.top.join(name)))
    }

    /// Whether a call said that a path is not there.
    fn missed_a_path(&self) -> bool {
        let failure = self.returned.as_ref().err();
        failure.is_some_and(|failure| failure.errno == Some(Errno::ENOENT as i32))
    }

    fn require_group(&self) -> Result<(), Finding> {
        let group = self.group();
        let is_made = self.made() == group.folders().into_iter().collect();
        let can_limit = self.model.version == Version::One || !self.hands_on().is_empty();
        let is_told = self.returned == Ok(group);
        self.judge(is_told && is_made && can_limit && self.removed().is_empty(), "Ok")
    }

    fn require_refusal(&self) -> Result<(), Finding> {
        let nothing_changed = self.made().is_empty() && self.removed().is_empty();
        self.judge(self.returned.is_err() && nothing_changed, "Err")
    }

    fn judge(&self, kept: bool, expected: &str) -> Result<(), Finding> {
        require(kept, || self.evidence(expected), || self.diagnose(), UNFORESEEN)
    }

    fn evidence(&self, expected: &str) -> Vec<Evidence> {
        let group = self.group();
        let (outcome, folders) = match expected {
            "Ok" => (told(&Ok(group.clone())), listing(&group.folders())),
            _ => ("Err".to_owned(), listing(&[])),
        };
        let made: Vec<&Path> = self.made().into_iter().collect();
        let removed: Vec<&Path> = self.removed().into_iter().collect();
        let call = format!("create_group({:?}, {NAME:?})", self.model.top);
        let mut evidence = vec![
            Evidence::differs(call, outcome, told(&self.returned)),
            Evidence::differs("mkdir", folders, listing(&made)),
        ];
        if !removed.is_empty() {
            evidence.push(Evidence::differs("rmdir", "-", listing(&removed)));
        }
        if self.model.version == Version::Two && expected == "Ok" && self.hands_on().is_empty() {
            let file = self.model.top.join(SUBTREE_CONTROL);
            evidence.push(Evidence::differs(format!("cat {file:?}"), "+memory +pids", "-"));
        }
        evidence
    }

    /// The diagnosis: what befell others, then the wrong version, then what is
    /// there and should not be, then what is lacking.
    fn diagnose(&self) -> Option<Finding> {
        let version = self.model.version;
        let made = self.made();
        let code = if !self.removed().is_empty() {
            "group-of-another-removed"
        } else if self.went_the_other_versions_way() {
            match version {
                Version::One if self.made_below("unified") => "hybrid-taken-for-version-2",
                Version::One => "version-2-on-version-1",
                Version::Two => "version-1-on-version-2",
            }
        } else if let Err(failure) = &self.returned {
            if !made.is_empty() {
                "half-a-group-left"
            } else {
                return Some(
                    Finding::new("answer/returned-error")
                        .word("function", FUNCTION)
                        .word("error", failure),
                );
            }
        } else if ["memory", "pids"].iter().any(|name| made.contains(&*self.model.top.join(name))) {
            "controller-made-up"
        } else if self.before.contains_key(&self.group().pids) {
            "group-of-another-taken"
        } else if self.model.lacks != Lacks::Nothing {
            "missing-controller-ignored"
        } else if made.is_empty() {
            return Some(Finding::new("answer/did-nothing").word("function", FUNCTION));
        } else if version == Version::Two && self.hands_on().is_empty() {
            "controllers-not-handed-on"
        } else if made.len() == 1 && version == Version::One {
            "one-hierarchy-only"
        } else if made == self.group().folders().into_iter().collect() {
            "other-folders-told"
        } else {
            return None;
        };
        let listed = |paths: &BTreeSet<&Path>| listing(&paths.iter().copied().collect::<Vec<_>>());
        Some(
            finding(code)
                .word("function", FUNCTION)
                .word("made", listed(&made))
                .word("removed", listed(&self.removed())),
        )
    }

    fn went_the_other_versions_way(&self) -> bool {
        let missed = self.missed_a_path() && self.made().is_empty();
        let expects_a_group = self.model.lacks == Lacks::Nothing;
        let made_elsewhere = match self.model.version {
            Version::One => {
                [NAME, SUBTREE_CONTROL, "unified"].iter().any(|name| self.made_below(name))
            }
            Version::Two => self.made_below("memory") || self.made_below("pids"),
        };
        made_elsewhere || missed && expects_a_group
    }
}

fn told(returned: &Result<Group, Failure>) -> String {
    match returned {
        Ok(group) => format!("memory: {:?}, pids: {:?}", group.memory, group.pids),
        Err(failure) => failure.to_string(),
    }
}

fn listing(paths: &[&Path]) -> String {
    match paths {
        [] => "-".to_owned(),
        _ => paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(" "),
    }
}

pub fn version_1(answers: &Answers, host: &Host) -> Result<(), Finding> {
    plain(answers, host, Version::One)
}

pub fn version_2(answers: &Answers, host: &Host) -> Result<(), Finding> {
    plain(answers, host, Version::Two)
}

fn plain(answers: &Answers, host: &Host, version: Version) -> Result<(), Finding> {
    create(answers, Model::new(host, version, Lacks::Nothing))?.require_group()
}

pub fn taken(answers: &Answers, host: &Host) -> Result<(), Finding> {
    let harder = |version| {
        let model = Model::new(host, version, Lacks::Nothing);
        // In version 1 a name can be free in one hierarchy and taken in the other.
        fs::create_dir(model.group(NAME).pids).expect("the scratch folder");
        create(answers, model)?.require_refusal()
    };
    Version::try_in_both(|version| plain(answers, host, version), harder)
}

pub fn missing_controller(answers: &Answers, host: &Host) -> Result<(), Finding> {
    let harder = |version| {
        [Lacks::Memory, Lacks::Pids].into_iter().try_for_each(|lacks| {
            create(answers, Model::new(host, version, lacks))?.require_refusal()
        })
    };
    Version::try_in_both(|version| plain(answers, host, version), harder)
}

pub fn by_the_kernel(answers: &Answers, host: &Host) -> Result<(), Finding> {
    plain(answers, host, kernel::version())?;
    let group = kernel::group(NAME);
    let files = [kernel::memory_file(&group), group.pids.join("pids.max")];
    kernel::hand_nothing_on();
    let body = || (answers.create_group)(Path::new(kernel::PLACE), NAME).map_err(Failure::from);
    let returned = host.call(FUNCTION, CloneFlags::empty(), body)?.returned;
    let exists = |file: &PathBuf| file.exists();
    let evidence = || {
        let ls = |file: &PathBuf| {
            let name = file.file_name().unwrap_or_default().display();
            let seen = file.metadata().map(drop).map_err(|error: io::Error| Failure::from(error));
            Evidence::differs(format!("stat {name}"), "Ok", labkit::describe::result(&seen))
        };
        files.iter().filter(|file| !exists(file)).map(ls).collect()
    };
    let diagnosis = || match &returned {
        Err(failure) => Some(
            Finding::new("answer/returned-error").word("function", FUNCTION).word("error", failure),
        ),
        Ok(_) => Some(finding("controllers-not-handed-on")),
    };
    let kept = returned.as_ref() == Ok(&group) && files.iter().all(exists);
    require(kept, evidence, diagnosis, UNFORESEEN)?;
    // Another machine's kernel may be of the other version.
    plain(answers, host, kernel::version().other())
}
