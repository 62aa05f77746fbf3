//! set_limits.

use std::path::{Path, PathBuf};

use labkit::describe::{Failure, result};
use labkit::host::Host;
use labkit::verdict::{Evidence, Finding, require};
use nix::errno::Errno;

use crate::group::Group;
use crate::model::{Contents, Lacks, Model, Version, text};
use crate::{Answers, UNFORESEEN, finding};

pub const FUNCTION: &str = "set_limits";

/// Limits that are whole pages on every machine.
pub const MEMORY: u64 = 16 << 20;
pub const PIDS: u64 = 20;
const PAGE: u64 = 4096;

/// All that is known of one call.
struct Facts<'a> {
    model: Model<'a>,
    group: Group,
    memory: Option<u64>,
    pids: Option<u64>,
    returned: Result<(), Failure>,
    before: Contents,
    after: Contents,
}

fn set<'a>(
    answers: &Answers,
    model: Model<'a>,
    memory: Option<u64>,
    pids: Option<u64>,
) -> Result<Facts<'a>, Finding> {
    let group = model.make_group("c1");
    let before = model.contents();
    let body = || (answers.set_limits)(&group, memory, pids).map_err(Failure::from);
    let returned = model.call(FUNCTION, body)?.returned;
    Ok(Facts { before, after: model.contents(), group, memory, pids, returned, model })
}

impl Facts<'_> {
    fn memory_file(&self) -> PathBuf {
        self.group.memory.join(self.model.version.memory_file())
    }

    fn swap_file(&self) -> PathBuf {
        self.group.memory.join(self.model.version.swap_file())
    }

    /// The files of the group and what must be in them.
    fn expected(&self) -> Vec<(PathBuf, String)> {
        let (no_limit, swap) = match self.model.version {
            Version::One => ("-1", self.memory),
            Version::Two => ("max", self.memory.map(|_| 0)),
        };
        let or = |limit: Option<u64>, none: &str| limit.map_or(none.to_owned(), |n| n.to_string());
        let mut expected = vec![(self.memory_file(), or(self.memory, no_limit))];
        if self.model.lacks != Lacks::Swap {
            expected.push((self.swap_file(), or(swap, no_limit)));
        }
        expected.push((self.group.pids.join("pids.max"), or(self.pids, "max")));
        expected
    }

    /// Those that are otherwise: the file, what must be in it, what is.
    fn wrong(&self) -> Vec<(PathBuf, String, &str)> {
        let expected = self.expected().into_iter();
        let all = expected.map(|(file, value)| {
            let seen = text(&self.after, &file);
            (file, value, seen)
        });
        all.filter(|(_, value, seen)| value != seen).collect()
    }

    /// Files outside of the group that were written, and entries that are new.
    fn changed_elsewhere(&self) -> Vec<&Path> {
        let is_ours = |path: &Path| self.group.folders().iter().any(|it| path.starts_with(it));
        let changed = self.after.iter().filter(|(path, text)| self.before.get(*path) != Some(text));
        changed.map(|(path, _)| path.as_path()).filter(|path| !is_ours(path)).collect()
    }

    fn require_limits(&self) -> Result<(), Finding> {
        let kept = self.returned.is_ok() && self.wrong().is_empty();
        self.judge(kept && self.changed_elsewhere().is_empty(), "Ok")
    }

    fn judge(&self, kept: bool, expected: &str) -> Result<(), Finding> {
        require(kept, || self.evidence(expected), || self.diagnose(), UNFORESEEN)
    }

    fn evidence(&self, expected: &str) -> Vec<Evidence> {
        let call = format!("set_limits(…, {:?}, {:?})", self.memory, self.pids);
        let mut evidence = vec![Evidence::differs(call, expected, result(&self.returned))];
        if self.model.lacks == Lacks::RightToSwap {
            let what = format!("write {:?}", self.swap_file());
            evidence.push(Evidence::differs(what, "Ok", "EACCES (Permission denied)"));
        }
        let cat = |file: &Path| format!("cat {file:?}");
        if expected == "Ok" {
            for (file, value, seen) in self.wrong() {
                evidence.push(Evidence::differs(cat(&file), value, or_dash(seen)));
            }
        }
        for file in self.changed_elsewhere() {
            let (before, after) = (text(&self.before, file), text(&self.after, file));
            evidence.push(Evidence::differs(cat(file), or_dash(before), or_dash(after)));
        }
        evidence
    }

    /// The diagnosis: what befell others, then what went wrong, then each file's
    /// value.
    fn diagnose(&self) -> Option<Finding> {
        let wrong = self.wrong();
        let written = |file: &Path| !text(&self.after, file).is_empty();
        let found = if !self.changed_elsewhere().is_empty() {
            finding("parent-limited")
        } else if let Err(failure) = &self.returned {
            let missed = [Errno::ENOENT, Errno::EACCES].map(|errno| Some(errno as i32));
            let missed_a_file = missed.contains(&failure.errno);
            if missed_a_file && !written(&self.memory_file()) {
                match self.model.version {
                    Version::One => finding("version-2-on-version-1"),
                    Version::Two => finding("version-1-on-version-2"),
                }
            } else if missed_a_file && self.model.lacks == Lacks::Swap {
                finding("swap-required")
            } else {
                Finding::new("answer/returned-error").word("error", failure)
            }
        } else if matches!(self.model.lacks, Lacks::Memory | Lacks::Pids | Lacks::RightToSwap) {
            finding("missing-controller-ignored")
        } else if self.memory.is_some() && self.before == self.after {
            Finding::new("answer/did-nothing")
        } else {
            wrong.iter().find_map(|(file, _, seen)| self.diagnose_value(file, seen))?
        };
        let (file, value, seen) = wrong.first().cloned().unwrap_or_default();
        let name = file.file_name().unwrap_or_default().display().to_string();
        Some(
            found
                .word("function", FUNCTION)
                .word("file", name)
                .word("expected", value)
                .word("seen", or_dash(seen)),
        )
    }

    fn diagnose_value(&self, file: &Path, seen: &str) -> Option<Finding> {
        let is_memory = file == self.memory_file();
        let is_swap = file == self.swap_file();
        let limit = if is_memory || is_swap { self.memory } else { self.pids };
        let pages = self.memory.map(|bytes| bytes / PAGE);
        let code = match (seen.parse::<u64>(), limit) {
            (Err(_), None) if seen == "max" => "max-in-version-1",
            (Err(_), None) if seen.is_empty() && !is_swap => "no-limit-not-written",
            (Err(_), _) if seen.is_empty() && is_swap => "swap-unlimited",
            (Err(_), _) if !seen.is_empty() && seen != "max" && seen != "-1" => {
                "value-not-a-number"
            }
            (Ok(number), Some(_)) if is_memory && Some(number) == pages => "bytes-and-pages",
            (Ok(number), Some(_)) if is_swap && Some(number) == limit => "swap-on-top",
            (Ok(0), Some(_)) if is_swap => "swap-alone-in-version-1",
            (Ok(_), None) => "no-limit-as-a-number",
            _ => return None,
        };
        Some(finding(code))
    }
}

fn or_dash(text: &str) -> &str {
    if text.is_empty() { "-" } else { text }
}

pub fn plain_on(answers: &Answers, host: &Host, version: Version) -> Result<(), Finding> {
    let model = Model::new(host, version, Lacks::Nothing);
    set(answers, model, Some(MEMORY), Some(PIDS))?.require_limits()
}

pub fn version_1(answers: &Answers, host: &Host) -> Result<(), Finding> {
    plain_on(answers, host, Version::One)
}

pub fn version_2(answers: &Answers, host: &Host) -> Result<(), Finding> {
    plain_on(answers, host, Version::Two)
}

/// The plain cases of both versions.
pub fn plain(answers: &Answers, host: &Host) -> Result<(), Finding> {
    Version::BOTH.into_iter().try_for_each(|version| plain_on(answers, host, version))
}

pub fn no_limit(answers: &Answers, host: &Host) -> Result<(), Finding> {
    let harder = |version| {
        for (memory, pids) in [(None, Some(PIDS)), (Some(MEMORY), None), (None, None)] {
            let model = Model::new(host, version, Lacks::Nothing);
            set(answers, model, memory, pids)?.require_limits()?;
        }
        Ok(())
    };
    Version::try_in_both(|version| plain_on(answers, host, version), harder)
}

pub fn without_swap(answers: &Answers, host: &Host) -> Result<(), Finding> {
    let harder = |version| {
        let model = Model::new(host, version, Lacks::Swap);
        set(answers, model, Some(MEMORY), Some(PIDS))?.require_limits()
    };
    Version::try_in_both(|version| plain_on(answers, host, version), harder)
}

pub fn cannot_be_set(answers: &Answers, host: &Host) -> Result<(), Finding> {
    let harder = |version| {
        for lacks in [Lacks::Memory, Lacks::Pids, Lacks::RightToSwap] {
            let model = Model::new(host, version, lacks);
            let facts = set(answers, model, Some(MEMORY), Some(PIDS))?;
            facts.judge(facts.returned.is_err(), "Err")?;
        }
        Ok(())
    };
    Version::try_in_both(|version| plain_on(answers, host, version), harder)
}
