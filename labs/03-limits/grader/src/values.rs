//! What set_limits has written into one of the files.

use std::path::PathBuf;

use labkit::frame::{Facts, Rules, Words, rule};
use labkit::verdict::Finding;

use crate::LAB;
use crate::acts::SET_LIMITS;
use crate::model::Version;
use crate::understood::understood;

/// What a file limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The memory of all processes.
    Memory,
    /// In version 1 together with the memory, in version 2 beside it.
    Swap,
    /// How many processes there are.
    Pids,
}

impl Kind {
    /// What is written where there is no limit.
    pub fn no_limit(self, version: Version) -> &'static str {
        match (version, self) {
            (Version::One, Kind::Memory | Kind::Swap) => "-1",
            _ => "max",
        }
    }
}

/// A file, and what it has.
pub struct Value {
    /// The version that the file belongs to.
    pub version: Version,
    /// What it limits.
    pub kind: Kind,
    /// Where it is.
    pub file: PathBuf,
    /// What was asked for: of memory for swap, too.
    pub limit: Option<u64>,
    /// What was written; empty: nothing.
    pub seen: String,
}

impl Value {
    /// The limit that must be set.
    fn wanted(&self) -> Option<u64> {
        match (self.version, self.kind) {
            (Version::Two, Kind::Swap) => self.limit.map(|_| 0),
            _ => self.limit,
        }
    }

    /// The best text to write for that.
    pub fn expected(&self) -> String {
        let no_limit = self.kind.no_limit(self.version);
        self.wanted().map_or(no_limit.to_owned(), |number| number.to_string())
    }

    /// Whether writing this text sets it.
    pub fn is_set_by(&self, text: &str) -> bool {
        !text.is_empty() && understood(self.version, self.kind, text) == Ok(self.wanted())
    }

    fn number(&self) -> Option<u64> {
        understood(self.version, self.kind, &self.seen).ok().flatten()
    }

    /// Whether it is this part of the limit.
    fn is_part(&self, unit: u64) -> bool {
        self.limit.is_some_and(|limit| self.number() == Some(limit / unit))
    }

    /// Whether this was written into a file of this version.
    fn is(&self, version: Version, kind: Kind) -> bool {
        self.version == version && self.kind == kind
    }
}

static RULES: Rules<Value> = Rules {
    lab: LAB,
    function: SET_LIMITS.function,
    tables: &[&[
        rule("zero-taken-for-no-limit", |it| {
            let no_limit = ["", it.kind.no_limit(it.version)];
            it.limit == Some(0) && no_limit.contains(&it.seen.as_str())
        }),
        rule("swap-unlimited", |it| {
            it.seen.is_empty() && it.kind == Kind::Swap && it.limit.is_some()
        }),
        rule("no-limit-not-written", |it| it.seen.is_empty() && it.limit.is_none()),
        rule("max-in-version-1", |it| it.seen == "max" && it.expected() == "-1"),
        rule("minus-one-is-no-word", |it| it.seen == "-1" && it.expected() == "max"),
        rule("value-not-a-number", |it| {
            !["", "max", "-1"].contains(&it.seen.as_str())
                && understood(it.version, it.kind, &it.seen).is_err()
        }),
        rule("bytes-and-pages", |it| it.kind == Kind::Memory && it.is_part(4096)),
        rule("not-in-bytes", |it| {
            it.kind == Kind::Memory && [1 << 10, 1 << 20, 1000].iter().any(|unit| it.is_part(*unit))
        }),
        rule("off-by-one", |it| {
            let apart = it.limit.zip(it.number()).map(|(limit, number)| limit.abs_diff(number));
            it.expected().parse().ok() == it.limit && apart == Some(1)
        }),
        rule("swap-on-top", |it| it.is(Version::Two, Kind::Swap) && it.is_part(1)),
        rule("swap-alone-in-version-1", |it| {
            it.is(Version::One, Kind::Swap) && it.limit.is_some() && it.number() == Some(0)
        }),
        rule("more-with-swap", |it| {
            it.is(Version::One, Kind::Swap) && it.limit.is_some() && it.number() > it.limit
        }),
        rule("swap-forbidden-without-limit", |it| {
            it.kind == Kind::Swap && it.limit.is_none() && it.number() == Some(0)
        }),
        rule("no-limit-as-a-number", |it| it.limit.is_none() && it.number().is_some()),
    ]],
};

impl Facts for Value {
    fn words(&self) -> Words {
        let name = self.file.file_name().unwrap_or_default().display();
        let seen = if self.seen.is_empty() { "-" } else { &self.seen };
        vec![("file", name.to_string()), ("expected", self.expected()), ("seen", seen.to_owned())]
    }
}

/// What is wrong with values that are: the first for which a rule is known.
pub fn diagnose(wrong: &[Value]) -> Finding {
    let known = wrong.iter().find_map(|value| RULES.diagnose(value));
    known.unwrap_or_else(|| RULES.finding("unforeseen", &wrong[0]))
}
