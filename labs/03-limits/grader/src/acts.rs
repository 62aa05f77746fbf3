//! What the student writes, and how it is called. Only this file, and the types
//! that it uses, run in the process of an answer.

use std::io;
use std::path::{Path, PathBuf};

use labkit::act::{Act, Each, Performable, given};
use labkit::describe::Failure;
use labkit::frame::Returned;
use nix::errno::Errno;
use nix::unistd::{read, write};
use serde::{Deserialize, Serialize};

use crate::group::{Group, Waiting};

/// The functions that the student writes. A mistake is the solution with one of
/// them replaced.
pub struct Answers {
    /// See labs/03-limits/src/lib.rs, as for the others.
    pub parse_size: fn(&str) -> io::Result<Option<u64>>,
    /// Makes a group.
    pub create_group: fn(&Path, &str) -> io::Result<Group>,
    /// Sets its limits.
    pub set_limits: fn(&Group, Option<u64>, Option<u64>) -> io::Result<()>,
    /// Moves a process into it.
    pub join: fn(&Group, u32) -> io::Result<()>,
    /// Lets a process begin its work in it.
    pub start_limited: fn(&Group, Option<u64>, Option<u64>, Waiting) -> io::Result<()>,
    /// Removes it.
    pub remove: fn(&Group) -> io::Result<()>,
}

/// All that an answer can be asked to do.
pub static ACTS: &[&dyn Performable<Answers>] =
    &[&PARSE_SIZE, &CREATE_GROUP, &SET_LIMITS, &JOIN, &START_LIMITED, &REMOVE];

/// What parse_size returned; of an error its kind, and what it says.
pub type Size = Result<Option<u64>, (String, String)>;

/// Parses each text.
pub static PARSE_SIZE: Each<Answers, String, Size> = Each {
    name: "parse_size",
    function: "parse_size",
    perform: |answers, text| {
        let told = |error: io::Error| (format!("{:?}", error.kind()), error.to_string());
        (answers.parse_size)(&text).map_err(told)
    },
};

/// Makes a group of this name on the host that shows its groups there.
pub static CREATE_GROUP: Act<Answers, (PathBuf, String), Result<Group, Failure>> = Act {
    name: "create_group",
    function: "create_group",
    perform: |answers, (root, name)| (answers.create_group)(&root, &name).map_err(Failure::from),
};

/// A group, and what it is to be limited to.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Limits {
    /// The group.
    pub group: Group,
    /// Bytes.
    pub memory: Option<u64>,
    /// Processes.
    pub pids: Option<u64>,
}

/// Sets the limits.
pub static SET_LIMITS: Act<Answers, Limits, Returned> = Act {
    name: "set_limits",
    function: "set_limits",
    perform: |answers, Limits { group, memory, pids }| {
        (answers.set_limits)(&group, memory, pids).map_err(Failure::from)
    },
};

/// Moves a process into a group.
pub static JOIN: Act<Answers, (Group, u32), Returned> = Act {
    name: "join",
    function: "join",
    perform: |answers, (group, pid)| (answers.join)(&group, pid).map_err(Failure::from),
};

/// Lets a process begin its work, if it is still there. When it is told to begin,
/// that is said on the first descriptor that the act is given; and it goes on when
/// the second one has come to its end.
pub static START_LIMITED: Act<Answers, (Limits, u32, bool), Returned> = Act {
    name: "start_limited",
    function: "start_limited",
    perform: |answers, (Limits { group, memory, pids }, pid, is_there)| {
        let (say, hold) = (given(0), given(1));
        let waiting = Waiting::new(pid, || {
            write(&say, b".")?;
            read(&hold, &mut [0])?;
            if is_there { Ok(()) } else { Err(Errno::ESRCH.into()) }
        });
        (answers.start_limited)(&group, memory, pids, waiting).map_err(Failure::from)
    },
};

/// Removes a group.
pub static REMOVE: Act<Answers, Group, Returned> = Act {
    name: "remove",
    function: "remove",
    perform: |answers, group| (answers.remove)(&group).map_err(Failure::from),
};
