//! open_namespaces.

use std::io;
use std::mem::forget;

use lab_11_grader::Answers;
use mydocker_kernel::sys::pidfd_open;
use nix::errno::Errno;
use nix::fcntl::{OFlag, openat};
use nix::sched::CloneFlags;
use nix::sys::stat::Mode;

use crate::catalogue::Mistake;
use crate::lab_11::SOLUTION;
use crate::lab_11::steps::{KINDS, by_path, ended, namespace, open_each, process};

/// Seven paths with a number in them: each one may be another process's.
pub const ONE_PATH_PER_NAMESPACE: Mistake<Answers> = Mistake {
    name: "one_path_per_namespace",
    code: "exec/number-trusted-twice",
    answers: Answers {
        open_namespaces: |pid| {
            open_each(&KINDS, |name| Ok(by_path(&format!("/proc/{pid}/ns/{name}")).map_err(ended)?))
        },
        ..SOLUTION
    },
};

/// There is a pidfd, but nobody asks it whether the process is still there.
pub const PIDFD_NEVER_ASKED: Mistake<Answers> = Mistake {
    name: "pidfd_never_asked",
    code: "exec/number-trusted-twice",
    answers: Answers {
        open_namespaces: |pid| {
            let _process = pidfd_open(pid)?;
            open_each(&KINDS, |name| Ok(by_path(&format!("/proc/{pid}/ns/{name}")).map_err(ended)?))
        },
        ..SOLUTION
    },
};

/// The list of the blog's nsenter.go: there was no other when that was written.
pub const THE_BLOGS_FIVE: Mistake<Answers> = Mistake {
    name: "the_blogs_five",
    code: "exec/namespace-left-out",
    answers: Answers {
        open_namespaces: |pid| {
            let process = process(pid)?;
            let five = [KINDS[4], KINDS[3], KINDS[5], KINDS[2], KINDS[1]];
            open_each(&five, |name| Ok(namespace(&process, name)?))
        },
        ..SOLUTION
    },
};

/// Root's containers have none of their own.
pub const NO_USER_NAMESPACE: Mistake<Answers> = Mistake {
    name: "no_user_namespace",
    code: "exec/namespace-left-out",
    answers: Answers {
        open_namespaces: |pid| {
            let process = process(pid)?;
            open_each(&KINDS[1..], |name| Ok(namespace(&process, name)?))
        },
        ..SOLUTION
    },
};

/// Nothing is compared: to join one's own user namespace is EINVAL.
pub const ALL_SEVEN: Mistake<Answers> = Mistake {
    name: "all_seven",
    code: "exec/own-namespace-in-it",
    answers: Answers {
        open_namespaces: |pid| {
            let process = process(pid)?;
            let all = KINDS.iter().map(|(name, kind)| Ok((*kind, namespace(&process, name)?)));
            all.collect()
        },
        ..SOLUTION
    },
};

/// As open(2) does it, unless it is told otherwise.
pub const NO_CLOSE_ON_EXEC: Mistake<Answers> = Mistake {
    name: "no_close_on_exec",
    code: "exec/inherited-on-exec",
    answers: Answers {
        open_namespaces: |pid| {
            let process = process(pid)?;
            open_each(&KINDS, |name| {
                let path = format!("ns/{name}");
                let opened = openat(&process, path.as_str(), OFlag::O_RDONLY, Mode::empty());
                Ok(opened.map_err(ended)?)
            })
        },
        ..SOLUTION
    },
};

/// The directory of the process stays open: a way into the host's /proc.
pub const DIRECTORY_LEFT_OPEN: Mistake<Answers> = Mistake {
    name: "directory_left_open",
    code: "exec/handle-left-open",
    answers: Answers {
        open_namespaces: |pid| {
            let process = process(pid)?;
            let opened = open_each(&KINDS, |name| Ok(namespace(&process, name)?));
            forget(process);
            opened
        },
        ..SOLUTION
    },
};

/// "This kernel does not have that kind": nor does a process that has ended.
pub const UNREADABLE_ONES_SKIPPED: Mistake<Answers> = Mistake {
    name: "unreadable_ones_skipped",
    code: "exec/failed-open-ignored",
    answers: Answers {
        open_namespaces: |pid| {
            let process = process(pid)?;
            let mut opened = Vec::new();
            for kind in KINDS {
                opened.extend(
                    open_each(&[kind], |name| Ok(namespace(&process, name)?)).unwrap_or_default(),
                );
            }
            Ok(opened)
        },
        ..SOLUTION
    },
};

/// Too many open files, or no permission: "no such process".
pub const EVERY_ERROR_IS_ESRCH: Mistake<Answers> = Mistake {
    name: "every_error_is_esrch",
    code: "exec/every-error-is-esrch",
    answers: Answers {
        open_namespaces: |pid| {
            let opened = process(pid)
                .map_err(io::Error::from)
                .and_then(|process| open_each(&KINDS, |name| Ok(namespace(&process, name)?)));
            opened.map_err(|_| Errno::ESRCH.into())
        },
        ..SOLUTION
    },
};

/// "No such file or directory", says docker exec of a container that has ended.
pub const ENOENT_PASSED_ON: Mistake<Answers> = Mistake {
    name: "enoent_passed_on",
    code: "exec/no-such-process-is-another-error",
    answers: Answers {
        open_namespaces: |pid| {
            let process = by_path(&format!("/proc/{pid}"))?;
            open_each(&KINDS, |name| Ok(namespace(&process, name)?))
        },
        ..SOLUTION
    },
};

/// No process, no namespaces: and so nothing to join, and the command runs on the host.
pub const NOBODY_HAS_NO_NAMESPACES: Mistake<Answers> = Mistake {
    name: "nobody_has_no_namespaces",
    code: "exec/no-such-process-is-success",
    answers: Answers {
        open_namespaces: |pid| match process(pid) {
            Err(Errno::ESRCH) => Ok(Vec::new()),
            Err(errno) => Err(errno.into()),
            Ok(process) => open_each(&KINDS, |name| Ok(namespace(&process, name)?)),
        },
        ..SOLUTION
    },
};

/// Two lists that are not in the same order.
pub const KINDS_EXCHANGED: Mistake<Answers> = Mistake {
    name: "kinds_exchanged",
    code: "exec/wrong-kind",
    answers: Answers {
        open_namespaces: |pid| {
            let process = process(pid)?;
            let mut opened = open_each(&KINDS, |name| Ok(namespace(&process, name)?))?;
            for (kind, _) in &mut opened {
                *kind = match *kind {
                    CloneFlags::CLONE_NEWUTS => CloneFlags::CLONE_NEWIPC,
                    CloneFlags::CLONE_NEWIPC => CloneFlags::CLONE_NEWUTS,
                    other => other,
                };
            }
            Ok(opened)
        },
        ..SOLUTION
    },
};
