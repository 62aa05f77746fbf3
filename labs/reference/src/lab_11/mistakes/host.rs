//! enter: what comes along of the host.

use std::fs::File;
use std::mem::forget;
use std::os::fd::BorrowedFd;

use lab_11_grader::Answers;
use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::sys::prctl;
use nix::unistd::{dup2_stdin, fchdir};

use crate::catalogue::Mistake;
use crate::lab_11::steps::{
    by_path, close_all, descriptors, enter, execute, prepare, prepare_so, wait,
};
use crate::lab_11::{SOLUTION, solution};

/// All that the caller has open is the container's. See CVE-2024-21626.
pub const DESCRIPTORS_INHERITED: Mistake<Answers> = Mistake {
    name: "descriptors_inherited",
    code: "exec/descriptor-in-the-command",
    answers: Answers {
        enter: |pid, command, environment| {
            let prepare = |namespaces: Vec<_>| {
                prctl::set_dumpable(false)?;
                solution::join(&namespaces)
            };
            enter(pid, prepare, || execute(command, environment), wait)
        },
        ..SOLUTION
    },
};

/// Nobody has more than that open, has he?
pub const DESCRIPTORS_UP_TO_31_CLOSED: Mistake<Answers> = Mistake {
    name: "descriptors_up_to_31_closed",
    code: "exec/descriptor-in-the-command",
    answers: Answers {
        enter: |pid, command, environment| {
            let prepare = |namespaces: Vec<_>| {
                prctl::set_dumpable(false)?;
                solution::join(&namespaces)?;
                drop(namespaces);
                close_all(&Vec::from_iter(3..32));
                Ok(())
            };
            enter(pid, prepare, || execute(command, environment), wait)
        },
        ..SOLUTION
    },
};

/// They are closed when the command begins, and there until then. See CVE-2016-9962.
pub const CLOSE_ON_EXEC_ONLY: Mistake<Answers> = Mistake {
    name: "close_on_exec_only",
    code: "exec/open-until-exec",
    answers: Answers {
        enter: |pid, command, environment| {
            let prepare = |namespaces: Vec<_>| {
                prctl::set_dumpable(false)?;
                for number in descriptors()? {
                    mark(number);
                }
                solution::join(&namespaces)
            };
            enter(pid, prepare, || execute(command, environment), wait)
        },
        ..SOLUTION
    },
};

#[allow(unsafe_code)]
fn mark(number: i32) {
    // SAFETY: it is only borrowed for the call, which fails if it is not open.
    let descriptor = unsafe { BorrowedFd::borrow_raw(number) };
    let _ = fcntl(descriptor, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC));
}

/// The new process closes them itself: it is in the container by then.
pub const CLOSED_AFTER_THE_BIRTH: Mistake<Answers> = Mistake {
    name: "closed_after_the_birth",
    code: "exec/open-until-exec",
    answers: Answers {
        enter: |pid, command, environment| {
            let open = descriptors()?;
            let prepare = |namespaces: Vec<_>| {
                prctl::set_dumpable(false)?;
                solution::join(&namespaces)
            };
            let execute = || {
                close_all(&open);
                execute(command, environment)
            };
            enter(pid, prepare, execute, wait)
        },
        ..SOLUTION
    },
};

/// Root of the container reads the program's file and its memory. See CVE-2019-5736.
pub const LOOKED_AT: Mistake<Answers> = Mistake {
    name: "looked_at",
    code: "exec/can-be-looked-at",
    answers: Answers {
        enter: |pid, command, environment| {
            let prepare = |namespaces: Vec<_>| {
                let open = descriptors()?;
                solution::join(&namespaces)?;
                drop(namespaces);
                close_all(&open);
                Ok(())
            };
            enter(pid, prepare, || execute(command, environment), wait)
        },
        ..SOLUTION
    },
};

/// The command is to begin where its caller stands: on the host.
pub const DIRECTORY_KEPT: Mistake<Answers> = Mistake {
    name: "directory_kept",
    code: "exec/directory-of-the-host",
    answers: Answers {
        enter: |pid, command, environment| {
            let before = by_path(".")?;
            let join = |namespaces: &[_]| {
                solution::join(namespaces)?;
                Ok(fchdir(&before)?)
            };
            let prepare = |namespaces| prepare_so(namespaces, join);
            enter(pid, prepare, || execute(command, environment), wait)
        },
        ..SOLUTION
    },
};

/// A way back in: a container that ends never goes as long as they are open.
pub const NAMESPACES_LEFT_OPEN: Mistake<Answers> = Mistake {
    name: "namespaces_left_open",
    code: "exec/callers-descriptors-changed",
    answers: Answers {
        enter: |pid, command, environment| {
            forget(solution::open_namespaces(pid)?);
            enter(pid, prepare, || execute(command, environment), wait)
        },
        ..SOLUTION
    },
};

/// "All descriptors": the first three are some, too. What the command opens first
/// becomes its stdin.
pub const STDIN_CLOSED: Mistake<Answers> = Mistake {
    name: "stdin_closed",
    code: "exec/other-streams",
    answers: Answers {
        enter: |pid, command, environment| {
            let prepare = |namespaces: Vec<_>| {
                prepare(namespaces)?;
                close_all(&[0]);
                Ok(())
            };
            enter(pid, prepare, || execute(command, environment), wait)
        },
        ..SOLUTION
    },
};

/// Something to read, so that the command does not wait for the terminal.
pub const STDIN_IS_A_FILE: Mistake<Answers> = Mistake {
    name: "stdin_is_a_file",
    code: "exec/other-streams",
    answers: Answers {
        enter: |pid, command, environment| {
            let execute = || {
                let _ = File::open("/etc/passwd").map(|file| dup2_stdin(&file));
                execute(command, environment)
            };
            enter(pid, prepare, execute, wait)
        },
        ..SOLUTION
    },
};

/// The list is read from a /proc in which this process does not occur.
pub const LISTED_AFTER_JOINING: Mistake<Answers> = Mistake {
    name: "listed_after_joining",
    code: "exec/command-did-not-run",
    answers: Answers {
        enter: |pid, command, environment| {
            let prepare = |namespaces: Vec<_>| {
                prctl::set_dumpable(false)?;
                solution::join(&namespaces)?;
                drop(namespaces);
                close_all(&descriptors()?);
                Ok(())
            };
            enter(pid, prepare, || execute(command, environment), wait)
        },
        ..SOLUTION
    },
};
