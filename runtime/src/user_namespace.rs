//! An ordinary user as root of a user namespace. See user_namespaces(7).

use std::fs;
use std::path::PathBuf;

use mydocker_kernel::privileges::Privileges;
use mydocker_kernel::{OnPath, Result, sys};
use nix::sched::CloneFlags;
use nix::unistd::{Gid, Uid, getegid, geteuid};

/// Makes an ordinary user, or a root who may do no more, root of the user namespace
/// of `process`, a name in /proc,
/// in which nobody else is anybody.
///
/// # Errors
/// As write(2) to the maps.
pub fn map_user(process: &str, (uid, gid): (Uid, Gid)) -> Result<()> {
    for (file, content) in [
        ("uid_map", format!("0 {uid} 1\n")),
        ("setgroups", "deny".to_owned()),
        ("gid_map", format!("0 {gid} 1\n")),
    ] {
        let path = PathBuf::from(format!("/proc/{process}/{file}"));
        fs::write(&path, content).on("write", &path)?;
    }
    Ok(())
}

/// Makes this process, if it is a user's, root of a user namespace of its own: so it
/// can read a folder of the user's that lets nobody in, as a container leaves them.
/// Where that is not allowed, all stays as it is.
///
/// # Errors
/// As [`map_user`].
pub fn become_root_of_own() -> Result<()> {
    if Privileges::known()? != Privileges::User {
        return Ok(());
    }
    let user = (geteuid(), getegid());
    match sys::unshare(CloneFlags::CLONE_NEWUSER) {
        Ok(()) => map_user("self", user),
        Err(_) => Ok(()),
    }
}
