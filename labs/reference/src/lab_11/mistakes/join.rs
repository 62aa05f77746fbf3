//! join.

use lab_11_grader::{Answers, Namespace};
use nix::errno::Errno;
use nix::sched::{CloneFlags, setns, unshare};
use nix::unistd::fchdir;

use crate::catalogue::Mistake;
use crate::lab_11::solution;
use crate::lab_11::steps::{by_path, joining, user_first};

/// As they come: root never notices.
pub const IN_THE_GIVEN_ORDER: Mistake<Answers> =
    joining("in_the_given_order", "exec/user-namespace-not-first", |namespaces| {
        for (kind, namespace) in namespaces {
            setns(namespace, *kind)?;
        }
        Ok(())
    });

/// "In the user namespace I might be nobody": so that comes last.
pub const USER_NAMESPACE_LAST: Mistake<Answers> =
    joining("user_namespace_last", "exec/user-namespace-not-first", |namespaces| {
        for (kind, namespace) in user_first(namespaces).into_iter().rev() {
            setns(namespace, *kind)?;
        }
        Ok(())
    });

/// As nsenter(1) does it, so that root keeps its powers for the others. What an ordinary
/// user is refused is tried once more, after the user namespace.
pub const REFUSED_ONES_ONCE_MORE: Mistake<Answers> =
    joining("refused_ones_once_more", "exec/others-before-the-user-namespace", |namespaces| {
        let is_user = |it: &&Namespace| it.0 == CloneFlags::CLONE_NEWUSER;
        let (user, others): (Vec<_>, Vec<_>) = namespaces.iter().partition(is_user);
        let mut refused = Vec::new();
        for (kind, namespace) in others {
            match setns(namespace, *kind) {
                Err(Errno::EPERM) => refused.push((kind, namespace)),
                joined => joined?,
            }
        }
        let rest = user.into_iter().map(|(kind, namespace)| (kind, namespace)).chain(refused);
        for (kind, namespace) in rest {
            setns(namespace, *kind)?;
        }
        Ok(())
    });

/// Without it, root is root.
pub const USER_NAMESPACE_NEVER: Mistake<Answers> =
    joining("user_namespace_never", "exec/user-namespace-not-first", |namespaces| {
        for (kind, namespace) in namespaces {
            if *kind != CloneFlags::CLONE_NEWUSER {
                setns(namespace, *kind)?;
            }
        }
        Ok(())
    });

/// As the blog's C part does it: fprintf, and on to the next.
pub const ERRORS_ONLY_PRINTED: Mistake<Answers> =
    joining("errors_only_printed", "exec/failed-join-ignored", |namespaces| {
        for (kind, namespace) in user_first(namespaces) {
            if let Err(errno) = setns(namespace, *kind) {
                eprintln!("setns: {errno}");
            }
        }
        Ok(())
    });

/// EINVAL: "I am in it already."
pub const EINVAL_IS_NO_ERROR: Mistake<Answers> =
    joining("einval_is_no_error", "exec/failed-join-ignored", |namespaces| {
        for (kind, namespace) in user_first(namespaces) {
            match setns(namespace, *kind) {
                Err(Errno::EINVAL) => {}
                joined => joined?,
            }
        }
        Ok(())
    });

/// The same of the user namespace alone, for which setns(2) has more reasons.
pub const EINVAL_OF_THE_USER_NAMESPACE: Mistake<Answers> =
    joining("einval_of_the_user_namespace", "exec/failed-join-ignored", |namespaces| {
        for (kind, namespace) in user_first(namespaces) {
            match setns(namespace, *kind) {
                Err(Errno::EINVAL) if *kind == CloneFlags::CLONE_NEWUSER => {}
                joined => joined?,
            }
        }
        Ok(())
    });

/// The error is told, at the end.
pub const ON_TO_THE_END: Mistake<Answers> =
    joining("on_to_the_end", "exec/joined-on-after-an-error", |namespaces| {
        let mut told = Ok(());
        for (kind, namespace) in user_first(namespaces) {
            told = told.and(setns(namespace, *kind));
        }
        Ok(told?)
    });

/// "It has no effect on this process anyway."
pub const WITHOUT_THE_PID_NAMESPACE: Mistake<Answers> =
    joining("without_the_pid_namespace", "exec/namespace-not-joined", |namespaces| {
        for (kind, namespace) in user_first(namespaces) {
            if *kind != CloneFlags::CLONE_NEWPID {
                setns(namespace, *kind)?;
            }
        }
        Ok(())
    });

/// unshare for setns: new namespaces, in which nobody is.
pub const NEW_ONES_OF_THE_SAME_KINDS: Mistake<Answers> =
    joining("new_ones_of_the_same_kinds", "exec/new-namespaces", |namespaces| {
        let kinds = namespaces.iter().map(|(kind, _)| *kind);
        Ok(unshare(kinds.fold(CloneFlags::empty(), CloneFlags::union))?)
    });

/// The working directory is as it was before, and so a directory of the host: `../..`
/// leads to its root. See CVE-2024-21626.
pub const BACK_TO_THE_OLD_DIRECTORY: Mistake<Answers> =
    joining("back_to_the_old_directory", "exec/directory-of-the-host", |namespaces| {
        let before = by_path(".")?;
        solution::join(namespaces)?;
        Ok(fchdir(before)?)
    });
