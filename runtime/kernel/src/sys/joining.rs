//! How a process joins a running container.

use std::os::fd::BorrowedFd;

use nix::errno::Errno;
use nix::sched::CloneFlags;
use nix::unistd::Uid;

use super::{finish, names};
use crate::cause::Cause;
use crate::error::Result;
use crate::explain;

/// Joins these namespaces of the process that a descriptor stands for, all of them or
/// none. Only children become members of the PID namespace. See setns(2).
///
/// # Errors
/// ESRCH when it has ended; EPERM; EINVAL before Linux 5.8.
// ANCHOR: setns
pub fn setns(process: BorrowedFd, namespaces: CloneFlags) -> Result<()> {
    finish(
        nix::sched::setns(process, namespaces),
        || format!("setns(<pidfd>, {})", names(namespaces.iter_names())),
        |errno| match errno {
            Errno::ESRCH => Some(Cause::new("the container has ended meanwhile", "")),
            _ => explain::capability(errno, "CAP_SYS_ADMIN"),
        },
    )
}
// ANCHOR_END: setns

/// Hides from others what /proc shows of this process, including its descriptors and its
/// program, until it executes another one. See PR_SET_DUMPABLE(2const).
///
/// # Errors
/// None that Linux gives.
pub fn set_undumpable() -> Result<()> {
    finish(nix::sys::prctl::set_dumpable(false), || "prctl(PR_SET_DUMPABLE, 0)".into(), |_| None)
}

/// Sets the real, effective and saved user. See setresuid(2).
///
/// # Errors
/// EPERM without CAP_SETUID; EINVAL for a user that this user namespace does not have.
pub fn setresuid(user: u32) -> Result<()> {
    let uid = Uid::from_raw(user);
    finish(
        nix::unistd::setresuid(uid, uid, uid),
        || format!("setresuid({user}, {user}, {user})"),
        |errno| explain::capability(errno, "CAP_SETUID"),
    )
}
