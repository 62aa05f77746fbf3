//! What the student writes, and how it is called. Only this file runs in the
//! process of an answer.

use std::ffi::OsString;
use std::io;

use labkit::act::{Each, Performable};
use labkit::describe::Failure;
use serde::{Deserialize, Serialize};

use crate::table::{Change, Mount};

/// The functions that the student writes. A mistake is the solution with one of
/// them replaced.
pub struct Answers {
    /// See labs/01-mount-table/src/lib.rs, as for the others.
    pub unescape: fn(&[u8]) -> OsString,
    /// One line.
    pub parse_line: fn(&[u8]) -> io::Result<Mount>,
    /// What is mounted on what.
    pub tree: fn(&[Mount]) -> Vec<(usize, u32)>,
    /// What has changed.
    pub difference: fn(&[Mount], &[Mount]) -> Vec<Change>,
}

/// All that an answer can be asked to do.
pub static ACTS: &[&dyn Performable<Answers>] = &[&UNESCAPE, &PARSE_LINE, &TREE, &DIFFERENCE];

/// A field, and what is in it.
pub static UNESCAPE: Each<Answers, Vec<u8>, OsString> = Each {
    name: "unescape",
    function: "unescape",
    perform: |answers, field| (answers.unescape)(&field),
};

/// A line, and what is in it.
pub static PARSE_LINE: Each<Answers, Vec<u8>, Result<Mount, Refusal>> = Each {
    name: "parse_line",
    function: "parse_line",
    perform: |answers, line| (answers.parse_line)(&line).map_err(Refusal::from),
};

/// A table, and each mount's depth and id.
pub static TREE: Each<Answers, Vec<Mount>, Vec<(usize, u32)>> =
    Each { name: "tree", function: "tree", perform: |answers, mounts| (answers.tree)(&mounts) };

/// Two readings of a table, and what has changed.
pub static DIFFERENCE: Each<Answers, Readings, Vec<Change>> = Each {
    name: "difference",
    function: "difference",
    perform: |answers, tables| (answers.difference)(&tables.before, &tables.after),
};

/// The error for a line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Refusal {
    /// The error.
    pub failure: Failure,
    /// Whether it is of the kind that was asked for.
    pub is_invalid_data: bool,
}

impl From<io::Error> for Refusal {
    fn from(error: io::Error) -> Refusal {
        let is_invalid_data = error.kind() == io::ErrorKind::InvalidData;
        Refusal { failure: error.into(), is_invalid_data }
    }
}

/// Two readings of a table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Readings {
    /// The first.
    pub before: Vec<Mount>,
    /// The second.
    pub after: Vec<Mount>,
}
