//! Paths that cannot be resolved: nobody knows what is there, and that is not "nothing".

use std::fs;
use std::os::unix::fs::symlink;

use labkit::verdict::Finding;
use nix::errno::Errno;

use crate::call::Call;
use crate::scene::Which;
use crate::stage::{Stage, set_mode};

/// One byte more than a name can have. See path_resolution(7).
const TOO_LONG: usize = 256;

/// Whether the function returns an error for them. If it does not, `plain` says first what
/// is wrong with it anyway.
///
/// # Errors
/// It returns none.
pub fn is_an_error(
    stage: &Stage,
    which: Which,
    plain: impl Fn() -> Result<(), Finding>,
) -> Result<(), Finding> {
    let host = stage.host;
    fs::write(host.path("a-file"), "").expect("the scratch directory");
    symlink("round", host.path("round")).expect("the scratch directory");
    let closed = host.path("closed");
    fs::create_dir_all(closed.join("ws1")).expect("the scratch directory");
    set_mode(&closed, 0o000);
    let too_long = "x".repeat(TOO_LONG);
    for (path, errno) in [
        ("a-file/ws1", Errno::ENOTDIR),
        ("round", Errno::ELOOP),
        (&too_long, Errno::ENAMETOOLONG),
        ("closed/ws1", Errno::EACCES),
    ] {
        let mut call = Call::new(stage, which, host.path(path)).unresolved(errno);
        if errno == Errno::EACCES {
            // Nothing is closed to root.
            call = call.without_privileges();
        }
        let facts = call.make()?;
        if !facts.is_harmless() {
            // Another promise says what was unmounted or deleted.
            return Ok(());
        }
        if facts.seen.returned.is_ok() {
            plain()?;
        }
        facts.require_refusal(true)?;
    }
    Ok(())
}
