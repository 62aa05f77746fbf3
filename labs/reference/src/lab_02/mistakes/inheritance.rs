//! What the command has of its caller, and what the caller keeps.

use std::env;
use std::ffi::{CString, OsString};
use std::os::fd::{AsRawFd, IntoRawFd};
use std::os::unix::ffi::OsStrExt;

use lab_02_grader::Answers;
use nix::fcntl::OFlag;
use nix::sys::signal::{SigHandler, Signal, signal};
use nix::sys::stat::{Mode, umask};
use nix::unistd::{close, execvpe, pipe2, read};

use crate::catalogue::Mistake;
use crate::lab_02::steps::{ALL, execute, prepare, start};
use crate::lab_02::{SOLUTION, solution};

/// The command is to have SIGPIPE as a shell would give it: but this is done before clone.
pub const SIGPIPE_OF_THE_CALLER: Mistake<Answers> = Mistake {
    name: "sigpipe_of_the_caller",
    code: "run/caller-changed",
    answers: Answers {
        start: |command| {
            // SAFETY: the default needs no function.
            #[allow(unsafe_code)]
            unsafe { signal(Signal::SIGPIPE, SigHandler::SigDfl) }?;
            solution::start(command)
        },
        ..SOLUTION
    },
};

/// A handler, so that a call returns when the child ends; nobody takes it away again.
pub const CALLER_CATCHES_ITS_CHILDREN: Mistake<Answers> = Mistake {
    name: "caller_catches_its_children",
    code: "run/caller-changed",
    answers: Answers {
        start: |command| {
            extern "C" fn nothing(_: libc::c_int) {}
            // SAFETY: a function that does nothing is safe to be called at any time.
            #[allow(unsafe_code)]
            unsafe { signal(Signal::SIGCHLD, SigHandler::Handler(nothing)) }?;
            solution::start(command)
        },
        ..SOLUTION
    },
};

/// A value may be any bytes, it is thought, but a name is a word.
pub const NAMES_AS_TEXT: Mistake<Answers> = Mistake {
    name: "names_as_text",
    code: "run/environment-lost",
    answers: Answers {
        start: |command| {
            let all = env::vars_os().filter(|(name, _)| name.to_str().is_some());
            let variable = |(name, value): (OsString, OsString)| {
                let bytes = [name.as_bytes(), b"=", value.as_bytes()].concat();
                CString::new(bytes).expect("no NUL in it")
            };
            let environment: Vec<CString> = all.map(variable).collect();
            start(ALL, prepare, || {
                let Err(errno) = execvpe(&command[0], command, &environment);
                errno
            })
        },
        ..SOLUTION
    },
};

/// The umask that a login gives to most users: but this user has another one.
pub const USUAL_UMASK: Mistake<Answers> = Mistake {
    name: "usual_umask",
    code: "run/command-changed",
    answers: Answers {
        start: |command| {
            let prepare = || {
                umask(Mode::S_IWGRP | Mode::S_IWOTH);
                prepare()
            };
            start(ALL, prepare, || execute(command))
        },
        ..SOLUTION
    },
};

/// Both ends are closed where all goes well. The `?` before that passes them by.
pub const PIPE_LEFT_BY_A_FAILURE: Mistake<Answers> = Mistake {
    name: "pipe_left_by_a_failure",
    code: "run/caller-changed",
    answers: Answers {
        start: |command| {
            let (ready, say_ready) = pipe2(OFlag::O_CLOEXEC)?;
            let ends = [ready.as_raw_fd(), say_ready.into_raw_fd()];
            let kept = std::mem::ManuallyDrop::new(ready);
            let pid = solution::start(command)?;
            close(ends[1])?;
            // Until the command is executed, which closes the last one.
            read(&*kept, &mut [0])?;
            close(ends[0])?;
            Ok(pid)
        },
        ..SOLUTION
    },
};
