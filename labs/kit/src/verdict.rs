//! What a grader says about one promise.

use std::collections::BTreeMap;
use std::fmt::Display;

use mydocker_kernel::mountinfo::Change;
use serde::{Deserialize, Serialize};

use crate::describe;
use crate::limits::{Excess, TIME, slowness};
use crate::need::Lacking;

/// Whether a promise is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "verdict", rename_all = "kebab-case")]
pub enum Verdict {
    /// It is.
    Kept,
    /// It is not: what is wrong.
    Broken(Finding),
    /// It cannot be found out here, with what is missing. Never a silent pass.
    NotGradable(Lacking),
}

impl Verdict {
    /// The code of what is wrong.
    pub fn code(&self) -> Option<&str> {
        match self {
            Verdict::Broken(finding) => Some(&finding.code),
            Verdict::Kept | Verdict::NotGradable(_) => None,
        }
    }

    /// Whether the function is as it was in the starter.
    pub fn is_not_written(&self) -> bool {
        self.code() == Some(NOT_WRITTEN)
    }
}

/// The code for a function that is still `todo!()`.
pub const NOT_WRITTEN: &str = "answer/not-written";
/// The code for a function that has panicked; its words are `words` and `place`.
pub const PANICKED: &str = "answer/panicked";
/// The code for a function that did not end in time.
pub const HUNG: &str = "answer/hung";

/// What is wrong with an answer: a diagnosis and the evidence for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// The diagnosis, `pivot-root/old-root-still-mounted`; its texts are in lab.toml. If no
    /// rule foresaw it, it is `LAB/unforeseen`.
    pub code: String,
    /// What `%{name}` in the texts stands for.
    pub words: BTreeMap<String, String>,
    /// What the witness saw.
    pub evidence: Vec<Evidence>,
    /// What the answer has printed.
    pub printed: String,
}

/// One thing that was seen. Graders write it in English; a Chinese report has the
/// Chinese from evidence.zh.txt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Evidence {
    /// Something that should have been one way but was another.
    Differs {
        /// What was looked at, `readlink("/proc/PID/root")`.
        what: String,
        /// What the promise says.
        expected: String,
        /// What it was.
        seen: String,
    },
    /// How a mount table has changed, one line per change.
    MountTable {
        /// Whose: `the host's`, or `the container's`.
        whose: Whose,
        /// MOUNTED, UMOUNTED, MOVED and REMOUNTED lines; none: no change.
        changes: Vec<String>,
    },
    /// A mount table or a file tree, drawn.
    Tree {
        /// What of.
        what: String,
        /// The picture, several lines.
        drawing: String,
    },
}

/// Whose mount table it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Whose {
    /// The namespace that the answer was started from.
    Host,
    /// The answer's own namespace.
    Container,
}

impl Finding {
    /// A finding with this code.
    pub fn new(code: impl Into<String>) -> Finding {
        Finding {
            code: code.into(),
            words: BTreeMap::new(),
            evidence: Vec::new(),
            printed: String::new(),
        }
    }

    /// What is wrong with an answer that takes too much.
    pub fn of_excess(excess: Excess) -> Finding {
        match excess {
            Excess::Time => Finding::new(HUNG).word("seconds", (TIME * slowness()).as_secs()),
            Excess::Processes => Finding::new("answer/too-many-processes"),
            Excess::Memory => Finding::new("answer/too-much-memory"),
        }
    }

    /// Says what `%{name}` in the texts stands for.
    pub fn word(mut self, name: &str, value: impl Display) -> Finding {
        self.words.insert(name.to_owned(), value.to_string());
        self
    }

    /// Adds evidence to the existing evidence. What was as it should be is not evidence.
    pub fn with(mut self, evidence: impl IntoIterator<Item = Evidence>) -> Finding {
        self.evidence.extend(evidence.into_iter().filter(Evidence::says_something));
        self
    }

    /// The same with this code, if the function has panicked: where it is known of what.
    pub fn if_panicked(self, code: String) -> Finding {
        if self.code == PANICKED { Finding { code, ..self } } else { self }
    }

    /// Says what the answer printed, if that is not yet known.
    pub fn or_printed(mut self, printed: String) -> Finding {
        if self.printed.is_empty() {
            self.printed = printed;
        }
        self
    }
}

impl Evidence {
    /// `what` should have been `expected`, and was `seen`.
    pub fn differs(what: impl Display, expected: impl Display, seen: impl Display) -> Evidence {
        Evidence::Differs {
            what: what.to_string(),
            expected: expected.to_string(),
            seen: seen.to_string(),
        }
    }

    /// Whether anything was other than promised.
    fn says_something(&self) -> bool {
        match self {
            Evidence::Differs { expected, seen, .. } => expected != seen,
            Evidence::MountTable { whose: Whose::Host, changes } => !changes.is_empty(),
            Evidence::MountTable { .. } | Evidence::Tree { .. } => true,
        }
    }

    /// How a mount table has changed.
    pub fn changes(whose: Whose, changes: &[Change]) -> Evidence {
        Evidence::MountTable { whose, changes: describe::changes(changes) }
    }
}

/// Says that a promise is kept, or why not: the diagnosis that fits, or `unforeseen`,
/// always with the evidence.
///
/// # Errors
/// The promise is not kept.
pub fn require(
    kept: bool,
    evidence: impl FnOnce() -> Vec<Evidence>,
    diagnosis: impl FnOnce() -> Option<Finding>,
    unforeseen: &str,
) -> Result<(), Finding> {
    if kept {
        return Ok(());
    }
    Err(diagnosis().unwrap_or_else(|| Finding::new(unforeseen)).with(evidence()))
}
