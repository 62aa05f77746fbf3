//! The one error type: what failed, why, and what to do about it.

use std::fmt;

use nix::errno::Errno;
use serde::{Deserialize, Serialize};

use crate::cause::Cause;
use crate::printable::printable;
use crate::process_limits;

/// The exit code for a failure of `mydocker` itself, as docker's.
pub const FAILED: u8 = 125;
/// The exit code when the command exists but cannot be executed, as docker's.
pub const NOT_EXECUTABLE: u8 = 126;
/// The exit code when the command is not found, as docker's.
pub const NOT_FOUND: u8 = 127;

/// Everything of ours that can fail returns this.
pub type Result<T> = std::result::Result<T, Error>;

/// A failure in the words that a reader needs.
///
/// It is serialisable because the container's side of a start sends its error
/// to the parent, which alone talks to the user.
#[derive(Debug, Serialize, Deserialize)]
pub struct Error {
    what: String,
    why: Option<String>,
    advice: Option<String>,
    errno: Option<i32>,
    exit_code: u8,
}

impl Error {
    /// An error that says `what` failed or is wrong, on what.
    pub fn new(what: impl Into<String>) -> Error {
        Error { what: what.into(), why: None, advice: None, errno: None, exit_code: FAILED }
    }

    /// A system call that failed: `call` as strace would write it.
    pub fn call(call: impl fmt::Display, errno: Errno) -> Error {
        Error {
            errno: Some(errno as i32),
            ..Error::new(format!("{call} => {errno:?} ({})", errno.desc()))
                .explained(process_limits::cause(errno))
        }
    }

    /// Adds why it failed, as far as the state shows it.
    pub fn because(self, why: impl Into<String>) -> Error {
        Error { why: Some(why.into()), ..self }
    }

    /// Adds what the user can do about it.
    pub fn advise(self, advice: impl Into<String>) -> Error {
        Error { advice: Some(advice.into()), ..self }
    }

    /// Adds the cause that was found in the state, if one was.
    pub fn explained(self, cause: Option<Cause>) -> Error {
        match cause {
            None => self,
            Some(Cause { why, advice }) => {
                Error { why: Some(why), advice: advice.or(self.advice), ..self }
            }
        }
    }

    /// Puts in front of it what happened before.
    pub fn after(self, before: impl fmt::Display) -> Error {
        Error { what: format!("{before}{}", self.what), ..self }
    }

    /// Adds a second failure, for instance of the clean-up after the first.
    pub fn followed_by(self, second: &Error) -> Error {
        Error { what: format!("{}\n  and: {}", self.what, second.what), ..self }
    }

    /// Sets the exit code of the process that reports this error.
    pub fn exits_with(self, exit_code: u8) -> Error {
        Error { exit_code, ..self }
    }

    /// The exit code for the process that reports this error.
    pub fn exit_code(&self) -> u8 {
        self.exit_code
    }

    /// The errno of the system call that failed, if it was one.
    pub fn errno(&self) -> Option<Errno> {
        self.errno.map(Errno::from_raw)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = self.what.clone();
        for (label, more) in [("why: ", &self.why), ("do:  ", &self.advice)] {
            if let Some(more) = more {
                text += &format!("\n  {label}{more}");
            }
        }
        // The lines are ours; what is in them can be anybody's.
        let lines: Vec<String> = text.split('\n').map(printable).collect();
        f.write_str(&lines.join("\n"))
    }
}

impl std::error::Error for Error {}
