//! How the command is started.

use std::ffi::{CString, OsStr};
use std::os::unix::ffi::OsStrExt;
use std::process::Command;

use lab_02_grader::Answers;
use lab_02_process::clone;
use nix::errno::Errno;
use nix::unistd::{Pid, execv, execvp, execvpe};

use crate::catalogue::Mistake;
use crate::lab_02::steps::{ALL, execute, failure, prepare, start};
use crate::lab_02::{SOLUTION, solution};

/// std::process::Command where execve was meant: the command has PID 2, and
/// nobody forwards a signal to it.
pub const SPAWNED_INSTEAD_OF_EXECUTED: Mistake<Answers> = Mistake {
    name: "spawned_instead_of_executed",
    code: "run/spawned-not-executed",
    answers: Answers {
        start: |command| {
            let mut words = command.iter().map(|word| OsStr::from_bytes(word.as_bytes()));
            let program = words.next().unwrap_or_default();
            clone(ALL, || match prepare() {
                Err(errno) => {
                    eprintln!("mount: {errno}");
                    125
                }
                Ok(()) => match Command::new(program).args(words).status() {
                    Ok(status) => status.code().unwrap_or(1),
                    Err(error) => {
                        failure(Errno::from_raw(error.raw_os_error().unwrap_or_default()))
                    }
                },
            })
        },
        ..SOLUTION
    },
};

/// The command as one line for a shell: blanks and empty words are lost, and
/// what a user typed is executed.
pub const JOINED_FOR_A_SHELL: Mistake<Answers> = Mistake {
    name: "joined_for_a_shell",
    code: "run/arguments-joined",
    answers: Answers {
        start: |command| {
            let words: Vec<_> = command.iter().map(|word| word.to_string_lossy()).collect();
            let line = CString::new(format!("exec {}", words.join(" ")))?;
            start(ALL, prepare, || execute(&[c"sh".into(), c"-c".into(), line]))
        },
        ..SOLUTION
    },
};

/// strings.Split(command, " "), as in the blog.
pub const JOINED_AND_SPLIT: Mistake<Answers> = Mistake {
    name: "joined_and_split",
    code: "run/arguments-joined",
    answers: Answers {
        start: |command| {
            let words: Vec<_> = command.iter().map(|word| word.to_string_lossy()).collect();
            let line = words.join(" ");
            let words = line.split_whitespace().map(CString::new);
            let words = words.collect::<Result<Vec<_>, _>>()?;
            start(ALL, prepare, || execute(&words))
        },
        ..SOLUTION
    },
};

/// execve's list begins with the name of the program once more.
pub const NAME_LEFT_OUT_OF_THE_LIST: Mistake<Answers> = Mistake {
    name: "name_left_out_of_the_list",
    code: "run/first-argument-lost",
    answers: Answers {
        start: |command| {
            start(ALL, prepare, || {
                let Err(errno) = execvp(&command[0], &command[1..]);
                errno
            })
        },
        ..SOLUTION
    },
};

/// `sh` is not found, `/bin/sh` is.
pub const EXECV_WITHOUT_PATH: Mistake<Answers> = Mistake {
    name: "execv_without_path",
    code: "run/path-not-searched",
    answers: Answers {
        start: |command| {
            start(ALL, prepare, || {
                let Err(errno) = execv(&command[0], command);
                errno
            })
        },
        ..SOLUTION
    },
};

/// An empty list is taken for "as it is": no $PATH, no $HOME, no $TERM.
pub const EMPTY_ENVIRONMENT: Mistake<Answers> = Mistake {
    name: "empty_environment",
    code: "run/environment-lost",
    answers: Answers {
        start: |command| {
            start(ALL, prepare, || {
                let nothing: [CString; 0] = [];
                let Err(errno) = execvpe(&command[0], command, &nothing);
                errno
            })
        },
        ..SOLUTION
    },
};

/// The parent waits where it should go on: no terminal, no limits, no `-d`.
pub const START_WAITS: Mistake<Answers> = Mistake {
    name: "start_waits",
    code: "run/start-waits",
    answers: Answers {
        start: |command| {
            let pid = solution::start(command)?;
            solution::wait(pid)?;
            Ok(pid)
        },
        ..SOLUTION
    },
};

/// The pid of somebody, so that it compiles.
pub const STARTS_NOTHING: Mistake<Answers> = Mistake {
    name: "starts_nothing",
    code: "answer/did-nothing",
    answers: Answers { start: |_| Ok(Pid::this()), ..SOLUTION },
};
