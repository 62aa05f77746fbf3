//! open_namespaces.

use std::io;
use std::mem::forget;

use lab_11_grader::Answers;
use mydocker_kernel::namespaces::NAMESPACES;
use mydocker_kernel::sys::pidfd_open;
use nix::errno::Errno;
use nix::fcntl::{OFlag, openat};
use nix::sched::CloneFlags;
use nix::sys::stat::Mode;

use crate::catalogue::Mistake;
use crate::lab_11::steps::{
    by_path, ended, is_own, namespace, open_each, open_of, opening, process,
};

/// Seven paths with a number in them: each one may be another process's.
pub const ONE_PATH_PER_NAMESPACE: Mistake<Answers> =
    opening("one_path_per_namespace", "exec/number-trusted-twice", |pid| {
        open_each(
            &NAMESPACES,
            |name| Ok(by_path(&format!("/proc/{pid}/ns/{name}")).map_err(ended)?),
        )
    });

/// There is a pidfd, but nobody asks it whether the process is still there.
pub const PIDFD_NEVER_ASKED: Mistake<Answers> =
    opening("pidfd_never_asked", "exec/number-trusted-twice", |pid| {
        let _process = pidfd_open(pid)?;
        open_each(
            &NAMESPACES,
            |name| Ok(by_path(&format!("/proc/{pid}/ns/{name}")).map_err(ended)?),
        )
    });

/// The list of the blog's nsenter.go: there was no other when that was written.
pub const THE_BLOGS_FIVE: Mistake<Answers> =
    opening("the_blogs_five", "exec/namespace-left-out", |pid| {
        let process = process(pid)?;
        let five = [NAMESPACES[4], NAMESPACES[3], NAMESPACES[5], NAMESPACES[2], NAMESPACES[1]];
        open_of(&process, &five)
    });

/// Root's containers have none of their own.
pub const NO_USER_NAMESPACE: Mistake<Answers> =
    opening("no_user_namespace", "exec/namespace-left-out", |pid| {
        let process = process(pid)?;
        open_of(&process, &NAMESPACES[1..])
    });

/// Nothing is compared: to join one's own user namespace is EINVAL.
pub const ALL_SEVEN: Mistake<Answers> = opening("all_seven", "exec/own-namespace-in-it", |pid| {
    let process = process(pid)?;
    let all = NAMESPACES.iter().map(|(name, kind)| Ok((*kind, namespace(&process, name)?)));
    all.collect()
});

/// As open(2) does it, unless it is told otherwise.
pub const NO_CLOSE_ON_EXEC: Mistake<Answers> =
    opening("no_close_on_exec", "exec/inherited-on-exec", |pid| {
        let process = process(pid)?;
        open_each(&NAMESPACES, |name| {
            let path = format!("ns/{name}");
            let opened = openat(&process, path.as_str(), OFlag::O_RDONLY, Mode::empty());
            Ok(opened.map_err(ended)?)
        })
    });

/// The directory of the process stays open: a way into the host's /proc.
pub const DIRECTORY_LEFT_OPEN: Mistake<Answers> =
    opening("directory_left_open", "exec/handle-left-open", |pid| {
        let process = process(pid)?;
        let opened = open_of(&process, &NAMESPACES);
        forget(process);
        opened
    });

/// "This kernel does not have that kind": nor does a process that has ended.
pub const UNREADABLE_ONES_SKIPPED: Mistake<Answers> =
    opening("unreadable_ones_skipped", "exec/failed-open-ignored", |pid| {
        let process = process(pid)?;
        let each = NAMESPACES.iter().flat_map(|kind| open_of(&process, &[*kind]));
        Ok(each.flatten().collect())
    });

/// Only what is missing is skipped: a zombie has a directory, and two of the seven.
pub const MISSING_ONES_SKIPPED: Mistake<Answers> =
    opening("missing_ones_skipped", "exec/failed-open-ignored", |pid| {
        let process = process(pid)?;
        let flags = OFlag::O_RDONLY | OFlag::O_CLOEXEC;
        let mut opened = Vec::new();
        for (name, kind) in NAMESPACES {
            let path = format!("ns/{name}");
            let theirs = match openat(&process, path.as_str(), flags, Mode::empty()) {
                Err(Errno::ENOENT) => continue,
                other => other?,
            };
            if !is_own(name, &theirs)? {
                opened.push((kind, theirs));
            }
        }
        Ok(opened)
    });

/// Too many open files, or no permission: "no such process".
pub const EVERY_ERROR_IS_ESRCH: Mistake<Answers> =
    opening("every_error_is_esrch", "exec/every-error-is-esrch", |pid| {
        let opened = process(pid)
            .map_err(io::Error::from)
            .and_then(|process| open_of(&process, &NAMESPACES));
        opened.map_err(|_| Errno::ESRCH.into())
    });

/// "No such file or directory", says docker exec of a container that has ended.
pub const ENOENT_PASSED_ON: Mistake<Answers> =
    opening("enoent_passed_on", "exec/no-such-process-is-another-error", |pid| {
        let process = by_path(&format!("/proc/{pid}"))?;
        open_of(&process, &NAMESPACES)
    });

/// No process, no namespaces: and so nothing to join, and the command runs on the host.
pub const NOBODY_HAS_NO_NAMESPACES: Mistake<Answers> =
    opening("nobody_has_no_namespaces", "exec/no-such-process-is-success", |pid| {
        match process(pid) {
            Err(Errno::ESRCH) => Ok(Vec::new()),
            Err(errno) => Err(errno.into()),
            Ok(process) => open_of(&process, &NAMESPACES),
        }
    });

/// Two lists that are not in the same order.
pub const KINDS_EXCHANGED: Mistake<Answers> =
    opening("kinds_exchanged", "exec/wrong-kind", |pid| {
        let process = process(pid)?;
        let mut opened = open_of(&process, &NAMESPACES)?;
        for (kind, _) in &mut opened {
            *kind = match *kind {
                CloneFlags::CLONE_NEWUTS => CloneFlags::CLONE_NEWIPC,
                CloneFlags::CLONE_NEWIPC => CloneFlags::CLONE_NEWUTS,
                other => other,
            };
        }
        Ok(opened)
    });
