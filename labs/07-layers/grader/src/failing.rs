//! What a function says while one of its calls to the kernel fails.

use labkit::call::{Call, Seen};
use labkit::calls::{CALLS, Calls, GETXATTR};
use labkit::failing;
use labkit::verdict::{Evidence, Finding};
use nix::errno::Errno;
use nix::libc;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::LAB;
use crate::what_was_there::Changed;

/// What they fail with. It never means that nothing is there.
const ERRNO: Errno = Errno::EIO;

/// Those that a function of this lab may make.
fn calls() -> Vec<Calls> {
    CALLS.iter().chain(MORE).copied().collect()
}

/// What fails.
#[derive(Debug, Clone, Copy)]
pub enum Failing {
    /// One of the calls, from 1.
    Nth(usize),
    /// Every call of this name and number, where one alone cannot be made to.
    Every(&'static str, i64),
}

/// An answer's program is started with their help.
pub const EVERY: [Failing; 2] =
    [Failing::Every("read", libc::SYS_read), Failing::Every("write", libc::SYS_write)];

impl Failing {
    /// Makes it so for a call of the answer.
    pub fn during<'h, I: Serialize, O: DeserializeOwned>(
        self,
        call: Call<'h, I, O>,
    ) -> Call<'h, I, O> {
        match self {
            Failing::Nth(nth) => call.failing(nth, &calls(), ERRNO),
            Failing::Every(_, number) => call.refusing(&[number], ERRNO),
        }
    }

    /// A name for a directory.
    pub fn name(self) -> String {
        match self {
            Failing::Nth(nth) => format!("failing-{nth}"),
            Failing::Every(name, _) => format!("failing-{name}"),
        }
    }

    /// What has failed, if it has come to that.
    pub fn told<T>(self, seen: &Seen<T>) -> Option<String> {
        match self {
            Failing::Nth(_) => seen.failed.map(|failed| failed.to_string()),
            Failing::Every(name, _) => Some(format!("{name}(2)")),
        }
    }
}

/// Those that look at files, beside the kit's.
const MORE: &[Calls] = &[
    (
        "lstat",
        &[
            libc::SYS_statx,
            libc::SYS_newfstatat,
            #[cfg(target_arch = "x86_64")]
            libc::SYS_lstat,
            #[cfg(target_arch = "x86_64")]
            libc::SYS_stat,
        ],
    ),
    ("getdents64", &[libc::SYS_getdents64]),
    GETXATTR,
    ("setxattr", &[libc::SYS_setxattr, libc::SYS_lsetxattr, libc::SYS_fsetxattr]),
    ("removexattr", &[libc::SYS_removexattr, libc::SYS_lremovexattr, libc::SYS_fremovexattr]),
];

/// What came of a function while a call failed.
pub struct Attempt {
    /// The call, if so many were made.
    pub failed: Option<String>,
    /// Whether an error was returned, or what was made is right: then it was done
    /// without that call.
    pub is_told_or_right: bool,
    /// What was there before and is not as it was, if an error was returned.
    pub changed: Option<Changed>,
    /// What was made.
    pub drawn: Evidence,
}

/// Has each call of `function` fail in turn. If one is not told, or something of others is
/// not as it was, `plain` says what is wrong with the function anyway.
///
/// # Errors
/// A call was not told, something has changed, or those of the two.
pub fn each_is_told(
    function: &'static str,
    plain: impl Fn() -> Result<(), Finding>,
    mut attempt: impl FnMut(Failing) -> Result<Attempt, Finding>,
) -> Result<(), Finding> {
    let mut each = |failing: Failing| {
        let Attempt { failed, is_told_or_right, changed, drawn } = attempt(failing)?;
        let Some(failed) = failed else { return Ok(false) };
        let what = format!("{function}(…) while {failed} fails with {ERRNO:?}");
        if let Some(changed) = changed {
            plain()?;
            return Err(changed.finding(function, &what));
        }
        if !is_told_or_right {
            plain()?;
            return Err(Finding::new(format!("{LAB}/failed-call-not-told"))
                .word("function", function)
                .with([Evidence::differs(what, "Err", "Ok"), drawn]));
        }
        Ok(true)
    };
    EVERY.into_iter().try_for_each(|failing| each(failing).map(drop))?;
    failing::each(|nth| each(Failing::Nth(nth)))
}
