//! How the command is started.

use std::ffi::{CString, OsStr};
use std::os::unix::ffi::OsStrExt;
use std::process::Command;
use std::time::{Duration, Instant};

use lab_02_grader::Answers;
use lab_02_process::clone;
use nix::errno::Errno;
use nix::sched::CloneFlags;
use nix::sys::signal::{SigHandler, SigSet, Signal, signal};
use nix::sys::stat::{Mode, umask};
use nix::unistd::{Pid, close, execv, execvp, execvpe, pause, pipe, read, write};

use crate::catalogue::Mistake;
use crate::lab_02::steps::{ALL, execute, failure, prepare, search, start, start_child};
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
            start_child(ALL, prepare, || match Command::new(program).args(words).status() {
                Ok(status) => status.code().unwrap_or(1),
                Err(error) => failure(Errno::from_raw(error.raw_os_error().unwrap_or_default())),
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

/// A search of its own, in which a path begins with `/` or `.`: `bin/tool` is a name.
pub const SLASH_IN_THE_MIDDLE: Mistake<Answers> = Mistake {
    name: "slash_in_the_middle",
    code: "run/relative-path-searched",
    answers: Answers {
        start: |command| {
            start(ALL, prepare, || {
                let name = command[0].as_bytes();
                if name.starts_with(b"/") || name.starts_with(b".") {
                    return execute(command);
                }
                search(command)
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

/// The child goes into the background once more, as a daemon does: PID 1 has ended
/// before the command is there.
pub const CHILD_FORKS_AND_ENDS: Mistake<Answers> = Mistake {
    name: "child_forks_and_ends",
    code: "run/pid-1-ended",
    answers: Answers {
        start: |command| {
            start_child(ALL, prepare, || {
                // Who is faster, is decided here: it never comes so far as to execute.
                clone(CloneFlags::empty(), || {
                    pause();
                    failure(execute(command))
                })
                .map_or(125, |_| 0)
            })
        },
        ..SOLUTION
    },
};

/// The same, but the command has its time to say that it is there.
pub const CHILD_FORKS_AND_ENDS_LATE: Mistake<Answers> = Mistake {
    name: "child_forks_and_ends_late",
    code: "run/pid-1-ended",
    answers: Answers {
        start: |command| {
            start_child(ALL, prepare, || {
                let forked = clone(CloneFlags::empty(), || failure(execute(command)));
                // At work, not asleep: nothing shows that it is not about to wait.
                let begin = Instant::now();
                while begin.elapsed() < Duration::from_millis(200) {}
                forked.map_or(125, |_| 0)
            })
        },
        ..SOLUTION
    },
};

/// No $PATH, and one exit code for all that goes wrong.
pub const EXECV_AND_ONE_CODE: Mistake<Answers> = Mistake {
    name: "execv_and_one_code",
    code: "run/path-not-searched",
    answers: Answers {
        start: |command| {
            // The other promises have absolute names only.
            let failed =
                |errno| if command[0].as_bytes()[0] == b'/' { failure(errno) } else { 125 };
            start_child(ALL, prepare, || {
                let Err(errno) = execv(&command[0], command);
                failed(errno)
            })
        },
        ..SOLUTION
    },
};

/// The name alone, as a shell shows it; a program that looks for itself by it errs.
pub const NAME_CUT: Mistake<Answers> = Mistake {
    name: "name_cut",
    code: "run/first-word-changed",
    answers: Answers {
        start: |command| {
            start(ALL, prepare, || {
                let name = command[0].to_bytes().rsplit(|byte| *byte == b'/').next();
                let mut words = command.to_vec();
                words[0] = CString::new(name.unwrap_or_default()).unwrap_or_default();
                let Err(errno) = execvp(&command[0], &words);
                errno
            })
        },
        ..SOLUTION
    },
};

/// Signals are held back while all is prepared, and stay so in the command.
pub const SIGNALS_BLOCKED: Mistake<Answers> = Mistake {
    name: "signals_blocked",
    code: "run/command-changed",
    answers: Answers {
        start: |command| {
            let prepare = || {
                SigSet::all().thread_block()?;
                prepare()
            };
            start(ALL, prepare, || execute(command))
        },
        ..SOLUTION
    },
};

/// umask(0) for the child, made by its parent.
pub const UMASK_OF_THE_CALLER: Mistake<Answers> = Mistake {
    name: "umask_of_the_caller",
    code: "run/caller-changed",
    answers: Answers {
        start: |command| {
            let before = umask(Mode::empty());
            let prepare = || {
                umask(before);
                prepare()
            };
            start(ALL, prepare, || execute(command))
        },
        ..SOLUTION
    },
};

/// Variables as text: what is none is left out.
pub const VARIABLES_AS_TEXT: Mistake<Answers> = Mistake {
    name: "variables_as_text",
    code: "run/environment-lost",
    answers: Answers {
        start: |command| {
            let text = std::env::vars_os().filter_map(|(name, value)| {
                let line = format!("{}={}", name.into_string().ok()?, value.into_string().ok()?);
                CString::new(line).ok()
            });
            let variables: Vec<CString> = text.collect();
            start(ALL, prepare, || {
                let Err(errno) = execvpe(&command[0], command, &variables);
                errno
            })
        },
        ..SOLUTION
    },
};

/// What is no text is taken for a broken environment.
pub const VARIABLES_MUST_BE_TEXT: Mistake<Answers> = Mistake {
    name: "variables_must_be_text",
    code: "run/utf8-demanded",
    answers: Answers {
        start: |command| {
            start(ALL, prepare, || {
                let mut variables = Vec::new();
                for (name, value) in std::env::vars_os() {
                    let (Ok(name), Ok(value)) = (name.into_string(), value.into_string()) else {
                        return Errno::EILSEQ;
                    };
                    variables.extend(CString::new(format!("{name}={value}")));
                }
                let Err(errno) = execvpe(&command[0], command, &variables);
                errno
            })
        },
        ..SOLUTION
    },
};

/// env::vars panics at it, here before there is a child.
pub const VARIABLES_MUST_BE_TEXT_BEFORE: Mistake<Answers> = Mistake {
    name: "variables_must_be_text_before",
    code: "run/utf8-demanded",
    answers: Answers {
        start: |command| {
            let variables = std::env::vars().map(|(name, value)| format!("{name}={value}"));
            let variables: Vec<_> = variables.flat_map(CString::new).collect();
            start(ALL, prepare, || {
                let Err(errno) = execvpe(&command[0], command, &variables);
                errno
            })
        },
        ..SOLUTION
    },
};

/// Words as text, of which the child makes C strings again.
pub const ARGUMENTS_AS_TEXT: Mistake<Answers> = Mistake {
    name: "arguments_as_text",
    code: "run/arguments-made-text",
    answers: Answers {
        start: |command| {
            let words = command.iter().map(|word| word.to_string_lossy().into_owned());
            let words = words.map(CString::new).collect::<Result<Vec<_>, _>>()?;
            start(ALL, prepare, || execute(&words))
        },
        ..SOLUTION
    },
};

/// The same, and what is no text is an error.
pub const ARGUMENTS_MUST_BE_TEXT: Mistake<Answers> = Mistake {
    name: "arguments_must_be_text",
    code: "run/utf8-demanded",
    answers: Answers {
        start: |command| {
            for word in command {
                word.to_str().map_err(std::io::Error::other)?;
            }
            solution::start(command)
        },
        ..SOLUTION
    },
};

/// Looks in $PATH itself, and hands on what it has found.
pub const FOUND_PATH_IN_PLACE_OF_THE_NAME: Mistake<Answers> = Mistake {
    name: "found_path_in_place_of_the_name",
    code: "run/first-word-changed",
    answers: Answers {
        start: |command| {
            let name = OsStr::from_bytes(command[0].as_bytes());
            let path = std::env::var_os("PATH").unwrap_or_default();
            let found = std::env::split_paths(&path).map(|folder| folder.join(name));
            let found = found.into_iter().find(|path| path.is_file());
            let mut words = command.to_vec();
            // A name with a `/` is a path already.
            let found = found.filter(|_| !command[0].as_bytes().contains(&b'/'));
            if let Some(found) = found {
                words[0] = CString::new(found.into_os_string().as_bytes())?;
            }
            start(ALL, prepare, || {
                let Err(errno) = execvp(&words[0], &words);
                errno
            })
        },
        ..SOLUTION
    },
};

/// Asks whether there is such a file: in the working directory, not in $PATH.
pub const EXISTS_DECIDES: Mistake<Answers> = Mistake {
    name: "exists_decides",
    code: "run/wrong-failure-code",
    answers: Answers {
        start: |command| {
            start_child(ALL, prepare, || {
                let errno = execute(command);
                eprintln!("{:?}: {errno}", command[0]);
                let name = OsStr::from_bytes(command[0].as_bytes());
                if std::path::Path::new(name).exists() { 126 } else { 127 }
            })
        },
        ..SOLUTION
    },
};

/// ^C is the container's affair: but this process is somebody else's.
pub const CALLER_IGNORES_INTERRUPTS: Mistake<Answers> = Mistake {
    name: "caller_ignores_interrupts",
    code: "run/caller-changed",
    answers: Answers {
        start: |command| {
            let pid = solution::start(command)?;
            // SAFETY: no code of ours runs when it arrives.
            #[allow(unsafe_code)]
            unsafe { signal(Signal::SIGINT, SigHandler::SigIgn) }?;
            Ok(pid)
        },
        ..SOLUTION
    },
};

/// "Files of the host are a way out": but it was asked for that they go along.
pub const FILES_CLOSED: Mistake<Answers> = Mistake {
    name: "files_closed",
    code: "run/command-changed",
    answers: Answers {
        start: |command| {
            let prepare = || {
                prepare()?;
                for number in 3..256 {
                    let _ = close(number);
                }
                Ok(())
            };
            start(ALL, prepare, || execute(command))
        },
        ..SOLUTION
    },
};

/// Waits by a pipe until the child is ready, which does not close it.
pub const READY_WHEN_IT_ENDS: Mistake<Answers> = Mistake {
    name: "ready_when_it_ends",
    code: "run/waits-by-a-pipe",
    answers: Answers {
        start: |command| {
            let (ready, say_ready) = pipe()?;
            let pid = start(ALL, prepare, || execute(command))?;
            drop(say_ready);
            read(&ready, &mut [0])?;
            Ok(pid)
        },
        ..SOLUTION
    },
};

/// Waits for one byte, and leaves the pipe to the command.
pub const READY_AND_LEFT_OPEN: Mistake<Answers> = Mistake {
    name: "ready_and_left_open",
    code: "run/descriptor-passed-on",
    answers: Answers {
        start: |command| {
            let (ready, say_ready) = pipe()?;
            let prepare = || {
                prepare()?;
                write(&say_ready, b"r").map(drop)
            };
            let pid = start(ALL, prepare, || execute(command))?;
            drop(say_ready);
            read(&ready, &mut [0])?;
            Ok(pid)
        },
        ..SOLUTION
    },
};
