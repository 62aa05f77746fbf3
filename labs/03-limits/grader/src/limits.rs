//! set_limits.

use std::path::{Path, PathBuf};

use labkit::describe::result;
use labkit::frame::{Facts, Returned, Rules, Words, error_of, rule};
use labkit::host::Host;
use labkit::sys::can_decide_on_calls;
use labkit::verdict::{Evidence, Finding};
use nix::errno::Errno;

use crate::LAB;
use crate::acts::{Limits, SET_LIMITS};
use crate::contents::{Contents, text};
use crate::group::Group;
use crate::model::{Lacks, Model, Version, Written, close};
use crate::values::{Kind, Value, diagnose};

pub const FUNCTION: &str = SET_LIMITS.function;

/// Limits that are whole pages on every machine.
pub const MEMORY: u64 = 16 << 20;
pub const PIDS: u64 = 20;

/// All that is known of one call.
struct Set {
    version: Version,
    lacks: Lacks,
    limits: Limits,
    /// The file that cannot be written to.
    closed: Option<PathBuf>,
    returned: Returned,
    before: Contents,
    after: Contents,
    writes: Vec<Written>,
    /// The file of a write with nothing in it.
    empty_write: Option<PathBuf>,
}

/// Has the answer limit the group `c1`, of which one file may be `closed`.
fn set(
    model: &Model,
    memory: Option<u64>,
    pids: Option<u64>,
    closed: Option<fn(&Group, Version) -> PathBuf>,
) -> Result<Set, Finding> {
    let group = model.make_group("c1");
    let closed = closed.map(|file| file(&group, model.version));
    closed.iter().for_each(|file| close(file));
    let before = model.contents();
    let limits = Limits { group, memory, pids };
    let returned = model.act(&SET_LIMITS, limits.clone()).make()?.returned;
    let (version, lacks, after) = (model.version, model.lacks, model.contents());
    let (writes, empty_write) = (model.writes(), model.empty_write());
    Ok(Set { version, lacks, limits, closed, returned, before, after, writes, empty_write })
}

/// What befell others, then what went wrong; what was written is another matter.
static RULES: Rules<Set> = Rules {
    lab: LAB,
    function: FUNCTION,
    tables: &[&[
        rule("parent-limited", |it| !it.changed_elsewhere().is_empty()),
        rule("swap-required", |it| it.lacks == Lacks::Swap && it.returned.is_err()),
        rule("memory-only-slowed-down", |it| {
            it.is_untouched(&it.memory_file()) && !it.is_untouched(&it.soft_file())
        }),
        rule("version-2-on-version-1", |it| it.version == Version::One && it.missed_its_file()),
        rule("version-1-on-version-2", |it| it.version == Version::Two && it.missed_its_file()),
        rule("answer/returned-error", |it| it.returned.is_err()),
        rule("missing-controller-ignored", |it| matches!(it.lacks, Lacks::Memory | Lacks::Pids)),
        rule("failed-limit-ignored", |it| it.closed.is_some()),
        rule("written-in-pieces", |it| it.empty_write.is_some()),
        rule("answer/did-nothing", |it| it.limits.memory.is_some() && it.before == it.after),
    ]],
};

impl Facts for Set {
    fn words(&self) -> Words {
        let mut words = error_of(&self.returned);
        let name = |file: &PathBuf| file.file_name().unwrap_or_default().display().to_string();
        let file = self.closed.as_ref().or(self.empty_write.as_ref());
        let soft = || self.version.soft_file().to_owned();
        words.push(("file", file.map_or_else(soft, name)));
        words
    }
}

impl Set {
    fn memory_file(&self) -> PathBuf {
        self.limits.group.memory.join(self.version.memory_file())
    }

    fn soft_file(&self) -> PathBuf {
        self.limits.group.memory.join(self.version.soft_file())
    }

    fn swap_file(&self) -> PathBuf {
        self.limits.group.memory.join(self.version.swap_file())
    }

    fn is_untouched(&self, file: &Path) -> bool {
        text(&self.before, file) == text(&self.after, file)
    }

    /// Whether it stopped for want of a file, or of the right to make one, before
    /// there was a limit of the memory.
    fn missed_its_file(&self) -> bool {
        let errno = self.returned.as_ref().err().and_then(|failure| failure.errno);
        let missed = [Errno::ENOENT, Errno::EACCES].map(|errno| Some(errno as i32));
        missed.contains(&errno) && self.closed.is_none() && self.is_untouched(&self.memory_file())
    }

    /// The files of the group, with what must be in them and what is.
    fn values(&self) -> Vec<Value> {
        let Limits { group, memory, pids } = &self.limits;
        let value = |kind, file: PathBuf, limit| {
            let seen = text(&self.after, &file).to_owned();
            Value { version: self.version, kind, file, limit, seen }
        };
        let mut values = vec![value(Kind::Memory, self.memory_file(), *memory)];
        if self.lacks != Lacks::Swap {
            values.push(value(Kind::Swap, self.swap_file(), *memory));
        }
        values.push(value(Kind::Pids, group.pids.join("pids.max"), *pids));
        values
    }

    fn wrong(&self) -> Vec<Value> {
        let is_wrong = |value: &Value| !value.is_set_by(&value.seen) && !self.was_told(value);
        self.values().into_iter().filter(is_wrong).collect()
    }

    /// Whether the last write(2) was right. What is in a plain file can differ from that:
    /// `0` over `-1` is `01`.
    fn was_told(&self, value: &Value) -> bool {
        let last = self.writes.iter().rfind(|written| written.file == value.file);
        last.is_some_and(|written| value.is_set_by(written.text.trim()))
    }

    /// Files outside of the group that were written, and entries that are new.
    fn changed_elsewhere(&self) -> Vec<&Path> {
        let folders = self.limits.group.folders();
        let is_ours = |path: &Path| folders.iter().any(|folder| path.starts_with(folder));
        let changed = self.after.iter().filter(|(path, text)| self.before.get(*path) != Some(text));
        changed.map(|(path, _)| path.as_path()).filter(|path| !is_ours(path)).collect()
    }

    fn require_limits(&self) -> Result<(), Finding> {
        let kept = self.returned.is_ok()
            && self.changed_elsewhere().is_empty()
            && self.empty_write.is_none();
        let wrong = self.wrong();
        if kept && !wrong.is_empty() && RULES.diagnose(self).is_none() {
            return Err(diagnose(&wrong).with(self.evidence("Ok")));
        }
        self.judge(kept && wrong.is_empty(), "Ok")
    }

    fn require_failure(&self) -> Result<(), Finding> {
        self.judge(self.returned.is_err(), "Err")
    }

    fn judge(&self, kept: bool, expected: &str) -> Result<(), Finding> {
        RULES.judge(self, kept, || self.evidence(expected))
    }

    fn evidence(&self, expected: &str) -> Vec<Evidence> {
        let Limits { memory, pids, .. } = &self.limits;
        let call = format!("set_limits(…, {memory:?}, {pids:?})");
        let mut evidence = vec![Evidence::differs(call, expected, result(&self.returned))];
        if let Some(file) = &self.closed {
            let what = format!("write {file:?}");
            evidence.push(Evidence::differs(what, "Ok", "EACCES (Permission denied)"));
        }
        let cat = |file: &Path| format!("cat {file:?}");
        let or_dash = |text: &str| if text.is_empty() { "-".to_owned() } else { text.to_owned() };
        if expected == "Ok" {
            for value in self.wrong() {
                let seen = or_dash(&value.seen);
                evidence.push(Evidence::differs(cat(&value.file), value.expected(), seen));
            }
        }
        if let Some(file) = &self.empty_write {
            let limit = self.values().into_iter().find(|value| value.file == *file);
            let expected = limit.map_or_else(|| "-".to_owned(), |value| value.expected());
            evidence.push(Evidence::differs(format!("write {file:?}"), expected, r"\n"));
        }
        for file in self.changed_elsewhere() {
            let (before, after) = (text(&self.before, file), text(&self.after, file));
            evidence.push(Evidence::differs(cat(file), or_dash(before), or_dash(after)));
        }
        evidence
    }
}

pub fn plain_on(host: &Host, version: Version) -> Result<(), Finding> {
    let model = Model::new(host, version, Lacks::Nothing);
    set(&model, Some(MEMORY), Some(PIDS), None)?.require_limits()
}

pub fn version_1(host: &Host) -> Result<(), Finding> {
    plain_on(host, Version::One)
}

pub fn version_2(host: &Host) -> Result<(), Finding> {
    plain_on(host, Version::Two)
}

/// The plain cases of both versions.
pub fn plain(host: &Host) -> Result<(), Finding> {
    Version::BOTH.into_iter().try_for_each(|version| plain_on(host, version))
}

pub fn no_limit(host: &Host) -> Result<(), Finding> {
    let harder = |version| {
        let no_limit = [(None, Some(PIDS)), (Some(MEMORY), None), (None, None)];
        // 0 is a limit like any other. Where single writes are not seen, it cannot be told
        // from what it is written over: `0` over `-1` is `01`.
        let is_seen = |limits: &(Option<u64>, _)| {
            limits.0 != Some(0) || version == Version::Two || can_decide_on_calls()
        };
        let none_at_all = [(Some(MEMORY), Some(0)), (Some(0), Some(PIDS))].into_iter();
        no_limit.into_iter().chain(none_at_all.filter(is_seen)).try_for_each(|(memory, pids)| {
            let model = Model::new(host, version, Lacks::Nothing);
            set(&model, memory, pids, None)?.require_limits()
        })
    };
    Version::try_in_both(|version| plain_on(host, version), harder)
}

pub fn without_swap(host: &Host) -> Result<(), Finding> {
    let harder = |version| {
        let model = Model::new(host, version, Lacks::Swap);
        set(&model, Some(MEMORY), Some(PIDS), None)?.require_limits()
    };
    Version::try_in_both(|version| plain_on(host, version), harder)
}

pub fn cannot_be_set(host: &Host) -> Result<(), Finding> {
    /// The files that may refuse a write, each by itself.
    const FILES: [fn(&Group, Version) -> PathBuf; 3] = [
        |group, version| group.memory.join(version.swap_file()),
        |group, version| group.memory.join(version.memory_file()),
        |group, _| group.pids.join("pids.max"),
    ];
    let harder = |version| {
        for lacks in [Lacks::Memory, Lacks::Pids] {
            let model = Model::new(host, version, lacks);
            set(&model, Some(MEMORY), Some(PIDS), None)?.require_failure()?;
        }
        FILES.into_iter().try_for_each(|file| {
            let model = Model::new(host, version, Lacks::Nothing);
            set(&model, Some(MEMORY), Some(PIDS), Some(file))?.require_failure()
        })
    };
    Version::try_in_both(|version| plain_on(host, version), harder)
}
