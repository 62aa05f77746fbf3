//! Errors in an answer's own words: without an errno, but perhaps of some kind.

use labkit::describe::{Failure, result};
use labkit::frame::{Returned, Words};
use nix::errno::Errno;

/// Whether this error was returned, or one of the same kind. One of no particular kind may
/// say it in words.
pub fn says(returned: &Returned, errno: Errno) -> bool {
    let is_it =
        |failure: &Failure| failure.is(errno) || failure.errno.is_none() && failure.kind == "Other";
    returned.as_ref().is_err_and(is_it)
}

/// What was returned. Callers go by the kind of an error, so it is shown, too.
pub fn shown(returned: &Returned) -> String {
    match returned {
        Err(Failure { errno: None, kind, text }) => format!("ErrorKind::{kind}: {text}"),
        returned => result(returned),
    }
}

/// The same for a text, if it is an error.
pub fn error_of(returned: &Returned) -> Words {
    returned.as_ref().err().map(|_| ("error", shown(returned))).into_iter().collect()
}
