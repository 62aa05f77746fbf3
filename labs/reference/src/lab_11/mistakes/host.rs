//! enter: what comes along of the host.

use std::fs::File;
use std::io;
use std::mem::forget;
use std::ops::Range;
use std::os::fd::BorrowedFd;

use lab_11_grader::{Answers, Namespace};
use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::sys::prctl;
use nix::unistd::{dup2_stdin, fchdir};

use crate::catalogue::Mistake;
use crate::lab_11::solution;
use crate::lab_11::steps::{
    by_path, close_all, descriptors, enter, enter_executing, enter_joining, enter_preparing,
    entering, execute, go_inside, leave, prepare, wait,
};

/// All that the caller has open is the container's. See CVE-2024-21626.
pub const DESCRIPTORS_INHERITED: Mistake<Answers> = entering(
    "descriptors_inherited",
    "exec/descriptor-in-the-command",
    |pid, command, environment| {
        let prepare = |namespaces: Vec<_>| {
            prctl::set_dumpable(false)?;
            go_inside(&namespaces)
        };
        enter_preparing(pid, command, environment, prepare)
    },
);

/// The joiner's steps, but only what has these numbers is closed.
fn prepare_closing(namespaces: Vec<Namespace>, numbers: Range<i32>) -> io::Result<()> {
    prctl::set_dumpable(false)?;
    go_inside(&namespaces)?;
    drop(namespaces);
    close_all(&Vec::from_iter(numbers));
    Ok(())
}

/// Nobody has more than that open, has he?
pub const DESCRIPTORS_UP_TO_31_CLOSED: Mistake<Answers> = entering(
    "descriptors_up_to_31_closed",
    "exec/descriptor-in-the-command",
    |pid, command, environment| {
        let prepare = |namespaces| prepare_closing(namespaces, 3..32);
        enter_preparing(pid, command, environment, prepare)
    },
);

/// As many as fit into one byte.
pub const DESCRIPTORS_UP_TO_255_CLOSED: Mistake<Answers> = entering(
    "descriptors_up_to_255_closed",
    "exec/descriptor-in-the-command",
    |pid, command, environment| {
        let prepare = |namespaces| prepare_closing(namespaces, 3..256);
        enter_preparing(pid, command, environment, prepare)
    },
);

/// They are closed when the command begins, and there until then. See CVE-2016-9962.
pub const CLOSE_ON_EXEC_ONLY: Mistake<Answers> =
    entering("close_on_exec_only", "exec/open-until-exec", |pid, command, environment| {
        let prepare = |namespaces: Vec<_>| {
            prctl::set_dumpable(false)?;
            for number in descriptors()? {
                mark(number);
            }
            go_inside(&namespaces)
        };
        enter_preparing(pid, command, environment, prepare)
    });

#[allow(unsafe_code)]
fn mark(number: i32) {
    // SAFETY: it is only borrowed for the call, which fails if it is not open.
    let descriptor = unsafe { BorrowedFd::borrow_raw(number) };
    let _ = fcntl(descriptor, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC));
}

/// The new process closes them itself: it is in the container by then.
pub const CLOSED_AFTER_THE_BIRTH: Mistake<Answers> =
    entering("closed_after_the_birth", "exec/open-until-exec", |pid, command, environment| {
        let open = descriptors()?;
        let prepare = |namespaces: Vec<_>| {
            prctl::set_dumpable(false)?;
            go_inside(&namespaces)
        };
        let execute = || {
            close_all(&open);
            execute(command, environment)
        };
        enter(pid, prepare, execute, wait)
    });

/// Root of the container reads the program's file and its memory. See CVE-2019-5736.
pub const LOOKED_AT: Mistake<Answers> =
    entering("looked_at", "exec/can-be-looked-at", |pid, command, environment| {
        let prepare = |namespaces| leave(namespaces, go_inside);
        enter_preparing(pid, command, environment, prepare)
    });

/// The new process makes itself not dumpable. By then, it is in the container.
pub const CLOSED_TO_OTHERS_AFTER_THE_BIRTH: Mistake<Answers> = entering(
    "closed_to_others_after_the_birth",
    "exec/born-dumpable",
    |pid, command, environment| {
        let prepare = |namespaces| leave(namespaces, go_inside);
        let execute = || {
            if let Err(errno) = prctl::set_dumpable(false) {
                eprintln!("prctl: {errno}");
                return 125;
            }
            execute(command, environment)
        };
        enter(pid, prepare, execute, wait)
    },
);

/// The command is to begin where its caller stands: on the host.
pub const DIRECTORY_KEPT: Mistake<Answers> =
    entering("directory_kept", "exec/directory-of-the-host", |pid, command, environment| {
        let before = by_path(".")?;
        let join = |namespaces: &[_]| {
            go_inside(namespaces)?;
            Ok(fchdir(&before)?)
        };
        enter_joining(pid, command, environment, join)
    });

/// A way back in: a container that ends never goes as long as they are open.
pub const NAMESPACES_LEFT_OPEN: Mistake<Answers> = entering(
    "namespaces_left_open",
    "exec/callers-descriptors-changed",
    |pid, command, environment| {
        forget(solution::open_namespaces(pid)?);
        solution::enter(pid, command, environment)
    },
);

/// "All descriptors": the first three are some, too. What the command opens first
/// becomes its stdin.
pub const STDIN_CLOSED: Mistake<Answers> =
    entering("stdin_closed", "exec/other-streams", |pid, command, environment| {
        let prepare = |namespaces: Vec<_>| {
            prepare(namespaces)?;
            close_all(&[0]);
            Ok(())
        };
        enter_preparing(pid, command, environment, prepare)
    });

/// Something to read, so that the command does not wait for the terminal.
pub const STDIN_IS_A_FILE: Mistake<Answers> =
    entering("stdin_is_a_file", "exec/other-streams", |pid, command, environment| {
        let execute = || {
            let _ = File::open("/etc/passwd").map(|file| dup2_stdin(&file));
            execute(command, environment)
        };
        enter_executing(pid, execute)
    });

/// Nothing to read, as of a container in the background.
pub const STDIN_IS_NULL: Mistake<Answers> =
    entering("stdin_is_null", "exec/other-streams", |pid, command, environment| {
        let prepare = |namespaces| {
            dup2_stdin(File::open("/dev/null")?)?;
            prepare(namespaces)
        };
        enter_preparing(pid, command, environment, prepare)
    });

/// The list is read from a /proc in which this process does not occur.
pub const LISTED_AFTER_JOINING: Mistake<Answers> =
    entering("listed_after_joining", "exec/command-did-not-run", |pid, command, environment| {
        let prepare = |namespaces: Vec<_>| {
            prctl::set_dumpable(false)?;
            go_inside(&namespaces)?;
            drop(namespaces);
            close_all(&descriptors()?);
            Ok(())
        };
        enter_preparing(pid, command, environment, prepare)
    });
