//! What would come along from whoever calls us, and is not meant for a container.

use mydocker_kernel::privileges::Privileges;
use mydocker_kernel::{Result, sys};
use nix::errno::Errno;
use nix::sys::stat::{Mode, umask};

/// Leaves umask, groups and keys to the caller: this process and its children have
/// their own from here on.
///
/// # Errors
/// As [`leave_groups`] and [`leave_keyring`].
pub fn leave_behind(privileges: Privileges) -> Result<()> {
    umask(Mode::from_bits_truncate(0o022));
    leave_groups(privileges)?;
    leave_keyring()
}

/// Root of a container is nobody's friend: no groups but root's own. An ordinary
/// user has only one in the container, and the others are nobody's there.
///
/// # Errors
/// EPERM without CAP_SETGID.
pub fn leave_groups(privileges: Privileges) -> Result<()> {
    if privileges == Privileges::User {
        return Ok(());
    }
    match sys::setgroups(&[]) {
        // A user namespace can forbid it. See user_namespaces(7).
        Err(error) if error.errno() == Some(Errno::EPERM) && are_groups_fixed() => {}
        other => other?,
    }
    sys::setresgid(0)
}

/// Whether the groups of a user namespace stay as they are, as in that of an ordinary
/// user. See user_namespaces(7).
pub fn are_groups_fixed() -> bool {
    std::fs::read_to_string("/proc/self/setgroups").is_ok_and(|text| text.trim() == "deny")
}

/// The keys of the session that we were started from stay there: from here on
/// this process and its children have a session keyring of their own.
/// See keyrings(7).
///
/// # Errors
/// EDQUOT: this user has too many keys.
pub fn leave_keyring() -> Result<()> {
    match sys::join_new_session_keyring() {
        // A kernel without keys, or a filter that refuses them to all of us.
        Err(error) if matches!(error.errno(), Some(Errno::ENOSYS | Errno::EPERM)) => Ok(()),
        other => other,
    }
}
