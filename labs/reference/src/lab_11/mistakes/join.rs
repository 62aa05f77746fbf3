//! join.

use lab_11_grader::Answers;
use nix::sched::{CloneFlags, setns, unshare};
use nix::unistd::fchdir;

use crate::catalogue::Mistake;
use crate::lab_11::steps::by_path;
use crate::lab_11::{SOLUTION, solution};

/// As they come: root never notices.
pub const IN_THE_GIVEN_ORDER: Mistake<Answers> = Mistake {
    name: "in_the_given_order",
    code: "exec/user-namespace-not-first",
    answers: Answers {
        join: |namespaces| {
            for (kind, namespace) in namespaces {
                setns(namespace, *kind)?;
            }
            Ok(())
        },
        ..SOLUTION
    },
};

/// "In the user namespace I might be nobody": so that comes last.
pub const USER_NAMESPACE_LAST: Mistake<Answers> = Mistake {
    name: "user_namespace_last",
    code: "exec/user-namespace-not-first",
    answers: Answers {
        join: |namespaces| {
            let is_user = |kind: CloneFlags| kind == CloneFlags::CLONE_NEWUSER;
            let (last, first): (Vec<_>, Vec<_>) =
                namespaces.iter().partition(|(kind, _)| is_user(*kind));
            for (kind, namespace) in first.into_iter().chain(last) {
                setns(namespace, *kind)?;
            }
            Ok(())
        },
        ..SOLUTION
    },
};

/// Without it, root is root.
pub const USER_NAMESPACE_NEVER: Mistake<Answers> = Mistake {
    name: "user_namespace_never",
    code: "exec/user-namespace-not-first",
    answers: Answers {
        join: |namespaces| {
            for (kind, namespace) in namespaces {
                if *kind != CloneFlags::CLONE_NEWUSER {
                    setns(namespace, *kind)?;
                }
            }
            Ok(())
        },
        ..SOLUTION
    },
};

/// As the blog's C part does it: fprintf, and on to the next.
pub const ERRORS_ONLY_PRINTED: Mistake<Answers> = Mistake {
    name: "errors_only_printed",
    code: "exec/failed-join-ignored",
    answers: Answers {
        join: |namespaces| {
            let mut sorted: Vec<_> = namespaces.iter().collect();
            sorted.sort_by_key(|(kind, _)| *kind != CloneFlags::CLONE_NEWUSER);
            for (kind, namespace) in sorted {
                if let Err(errno) = setns(namespace, *kind) {
                    eprintln!("setns: {errno}");
                }
            }
            Ok(())
        },
        ..SOLUTION
    },
};

/// The error is told, at the end.
pub const ON_TO_THE_END: Mistake<Answers> = Mistake {
    name: "on_to_the_end",
    code: "exec/joined-on-after-an-error",
    answers: Answers {
        join: |namespaces| {
            let mut sorted: Vec<_> = namespaces.iter().collect();
            sorted.sort_by_key(|(kind, _)| *kind != CloneFlags::CLONE_NEWUSER);
            let mut told = Ok(());
            for (kind, namespace) in sorted {
                told = told.and(setns(namespace, *kind));
            }
            Ok(told?)
        },
        ..SOLUTION
    },
};

/// "It has no effect on this process anyway."
pub const WITHOUT_THE_PID_NAMESPACE: Mistake<Answers> = Mistake {
    name: "without_the_pid_namespace",
    code: "exec/namespace-not-joined",
    answers: Answers {
        join: |namespaces| {
            let mut sorted: Vec<_> = namespaces.iter().collect();
            sorted.sort_by_key(|(kind, _)| *kind != CloneFlags::CLONE_NEWUSER);
            sorted.retain(|(kind, _)| *kind != CloneFlags::CLONE_NEWPID);
            for (kind, namespace) in sorted {
                setns(namespace, *kind)?;
            }
            Ok(())
        },
        ..SOLUTION
    },
};

/// unshare for setns: new namespaces, in which nobody is.
pub const NEW_ONES_OF_THE_SAME_KINDS: Mistake<Answers> = Mistake {
    name: "new_ones_of_the_same_kinds",
    code: "exec/new-namespaces",
    answers: Answers {
        join: |namespaces| {
            let kinds = namespaces.iter().map(|(kind, _)| *kind);
            Ok(unshare(kinds.fold(CloneFlags::empty(), CloneFlags::union))?)
        },
        ..SOLUTION
    },
};

/// The working directory is as it was before, and so a directory of the host: `../..`
/// leads to its root. See CVE-2024-21626.
pub const BACK_TO_THE_OLD_DIRECTORY: Mistake<Answers> = Mistake {
    name: "back_to_the_old_directory",
    code: "exec/directory-of-the-host",
    answers: Answers {
        join: |namespaces| {
            let before = by_path(".")?;
            solution::join(namespaces)?;
            Ok(fchdir(before)?)
        },
        ..SOLUTION
    },
};
