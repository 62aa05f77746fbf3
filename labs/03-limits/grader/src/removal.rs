//! remove.

use std::fs;
use std::path::{Path, PathBuf};

use labkit::describe::{Failure, result};
use labkit::host::Host;
use labkit::verdict::{Evidence, Finding, require};

use crate::model::{Contents, Lacks, Model, Version};
use crate::{Answers, UNFORESEEN, finding};

pub const FUNCTION: &str = "remove";
pub const NAME: &str = "c1";

/// All that is known of one call on a model.
struct Facts<'a> {
    model: Model<'a>,
    returned: Result<(), Failure>,
    before: Contents,
    after: Contents,
}

fn remove<'a>(answers: &Answers, model: Model<'a>) -> Result<Facts<'a>, Finding> {
    let group = model.group(NAME);
    let before = model.contents();
    let body = || (answers.remove)(&group).map_err(Failure::from);
    let returned = model.call(FUNCTION, body)?.returned;
    Ok(Facts { before, after: model.contents(), returned, model })
}

impl Facts<'_> {
    fn is_ours(&self, path: &Path) -> bool {
        self.model.group(NAME).folders().iter().any(|folder| path.starts_with(folder))
    }

    /// What is left of the group.
    fn left(&self) -> Vec<&PathBuf> {
        self.after.keys().filter(|path| self.is_ours(path)).collect()
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
        require(kept, || self.evidence(), || self.diagnose(), UNFORESEEN)
    }

    fn evidence(&self) -> Vec<Evidence> {
        let group = self.model.group(NAME);
        let call = format!("remove(…), version {}", self.model.version.number());
        let mut evidence = vec![Evidence::differs(call, "Ok", result(&self.returned))];
        for folder in group.folders() {
            if self.after.contains_key(folder) {
                evidence.push(Evidence::differs(format!("ls -d {folder:?}"), "ENOENT", "Ok"));
            }
        }
        for path in self.before.keys().filter(|path| !self.is_ours(path)) {
            if !self.after.contains_key(path) {
                evidence.push(Evidence::differs(format!("ls -d {path:?}"), "Ok", "ENOENT"));
            }
        }
        evidence
    }

    fn diagnose(&self) -> Option<Finding> {
        if self.changed_elsewhere() {
            return None;
        }
        let group = self.model.group(NAME);
        let folders = group.folders();
        let was_there = folders.iter().filter(|folder| self.before.contains_key(**folder)).count();
        let is_there = folders.iter().filter(|folder| self.after.contains_key(**folder)).count();
        let found = match &self.returned {
            Err(_) if self.left().len() > is_there => finding("groups-in-it-left"),
            Err(failure) if is_there == 0 || was_there < folders.len() => {
                finding("gone-is-a-failure").word("error", failure)
            }
            Err(failure) => Finding::new("answer/returned-error").word("error", failure),
            Ok(()) if is_there == 1 && folders.len() == 2 => finding("one-hierarchy-only"),
            Ok(()) if self.left().len() > is_there => finding("groups-in-it-left"),
            Ok(()) if self.before == self.after => Finding::new("answer/did-nothing"),
            Ok(()) => return None,
        };
        Some(found.word("function", FUNCTION))
    }
}

pub fn gone(answers: &Answers, host: &Host) -> Result<(), Finding> {
    Version::BOTH.into_iter().try_for_each(|version| gone_on(answers, host, version))
}

pub fn gone_on(answers: &Answers, host: &Host, version: Version) -> Result<(), Finding> {
    let model = Model::new(host, version, Lacks::Nothing);
    model.make_empty_group(NAME);
    model.make_empty_group("c10");
    remove(answers, model)?.require_gone()
}

pub fn nested(answers: &Answers, host: &Host) -> Result<(), Finding> {
    let harder = |version| {
        let model = Model::new(host, version, Lacks::Nothing);
        model.make_empty_group(NAME);
        // A container in the container, with a limit of one kind.
        let inner = model.group(NAME).memory.join("inner").join("innermost");
        fs::create_dir_all(inner).expect("the scratch folder");
        remove(answers, model)?.require_gone()
    };
    Version::try_in_both(|version| gone_on(answers, host, version), harder)
}

pub fn twice(answers: &Answers, host: &Host) -> Result<(), Finding> {
    let harder = |version| {
        remove(answers, Model::new(host, version, Lacks::Nothing))?.require_gone()?;
        if version == Version::Two {
            return Ok(());
        }
        // As after a kill in the middle.
        for gone_first in [true, false] {
            let model = Model::new(host, version, Lacks::Nothing);
            let group = model.make_empty_group(NAME);
            let gone = if gone_first { group.memory } else { group.pids };
            fs::remove_dir(gone).expect("it is empty");
            remove(answers, model)?.require_gone()?;
        }
        Ok(())
    };
    Version::try_in_both(|version| gone_on(answers, host, version), harder)
}
