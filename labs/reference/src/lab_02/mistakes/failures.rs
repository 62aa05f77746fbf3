//! Steps that fail.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use lab_02_grader::Answers;
use lab_02_process::clone;
use nix::errno::Errno;
use nix::mount::mount;
use nix::sched::CloneFlags;

use crate::catalogue::Mistake;
use crate::lab_02::steps::{
    ALL, NOTHING, PRIVATE, SAFE, execute, failure, mount_proc, prepare, propagate, start,
    start_child, without,
};
use crate::lab_02::{SOLUTION, solution};

/// A path that is not absolute depends on where the caller stands.
pub const RELATIVE_PATH_OF_PROC: Mistake<Answers> = Mistake {
    name: "relative_path_of_proc",
    code: "run/command-never-ran",
    answers: Answers {
        start: |command| {
            let prepare = || {
                propagate(PRIVATE)?;
                mount(Some("proc"), "proc", Some("proc"), SAFE, NOTHING)
            };
            start(ALL, prepare, || execute(command))
        },
        ..SOLUTION
    },
};

/// Log and go on, as the blog does: the command runs on the host's mounts.
pub const ERRORS_ONLY_PRINTED: Mistake<Answers> = Mistake {
    name: "errors_only_printed",
    code: "run/failed-step-ignored",
    answers: Answers {
        start: |command| {
            let prepare = || {
                for result in [propagate(PRIVATE), mount_proc(SAFE)] {
                    if let Err(errno) = result {
                        eprintln!("mount: {errno}");
                    }
                }
                Ok(())
            };
            start(ALL, prepare, || execute(command))
        },
        ..SOLUTION
    },
};

/// "Works without root too": without its namespaces it is no container.
pub const RUNS_WITHOUT_NAMESPACES: Mistake<Answers> = Mistake {
    name: "runs_without_namespaces",
    code: "run/failed-step-ignored",
    answers: Answers {
        start: |command| {
            let plain = |_| clone(CloneFlags::empty(), || failure(execute(command)));
            solution::start(command).or_else(plain)
        },
        ..SOLUTION
    },
};

/// The child says what has failed, and exits with 0.
pub const CHILD_EXITS_WITH_0: Mistake<Answers> = Mistake {
    name: "child_exits_with_0",
    code: "run/failure-is-success",
    answers: Answers {
        start: |command| {
            clone(ALL, || {
                let failed = prepare().err().unwrap_or_else(|| execute(command));
                eprintln!("{failed}");
                0
            })
        },
        ..SOLUTION
    },
};

/// Right codes, and not a word: a user sees 125 and must guess.
pub const NOTHING_SAID: Mistake<Answers> = Mistake {
    name: "nothing_said",
    code: "run/failure-not-told",
    answers: Answers {
        start: |command| {
            clone(ALL, || match prepare() {
                Ok(()) if execute(command) == Errno::ENOENT => 127,
                Ok(()) => 126,
                Err(_) => 125,
            })
        },
        ..SOLUTION
    },
};

/// 1 for everything: a script cannot tell it from the command's own code.
pub const CHILD_EXITS_WITH_1: Mistake<Answers> = Mistake {
    name: "child_exits_with_1",
    code: "run/wrong-failure-code",
    answers: Answers {
        start: |command| {
            clone(ALL, || {
                eprintln!("{}", prepare().err().unwrap_or_else(|| execute(command)));
                1
            })
        },
        ..SOLUTION
    },
};

/// 127 for all that execve can say.
pub const ALWAYS_127: Mistake<Answers> = Mistake {
    name: "always_127",
    code: "run/wrong-failure-code",
    answers: Answers {
        start: |command| {
            start_child(ALL, prepare, || {
                eprintln!("{}", execute(command));
                127
            })
        },
        ..SOLUTION
    },
};

/// 125 is what docker says, but not for a command that is misspelt.
pub const ALWAYS_125: Mistake<Answers> = Mistake {
    name: "always_125",
    code: "run/wrong-failure-code",
    answers: Answers {
        start: |command| {
            clone(ALL, || {
                eprintln!("{}", prepare().err().unwrap_or_else(|| execute(command)));
                125
            })
        },
        ..SOLUTION
    },
};

/// println!, which a command's own output goes to.
pub const TOLD_ON_STDOUT: Mistake<Answers> = Mistake {
    name: "told_on_stdout",
    code: "run/told-on-stdout",
    answers: Answers {
        start: |command| {
            clone(ALL, || match prepare() {
                Ok(()) => {
                    let errno = execute(command);
                    println!("execve: {errno}");
                    if errno == Errno::ENOENT { 127 } else { 126 }
                }
                Err(errno) => {
                    println!("mount: {errno}");
                    125
                }
            })
        },
        ..SOLUTION
    },
};

/// "IPC is hardly used": where it is refused, the rest will do.
pub const WITHOUT_WHAT_IS_REFUSED: Mistake<Answers> = Mistake {
    name: "without_what_is_refused",
    code: "run/runs-without-a-namespace",
    answers: Answers {
        start: |command| {
            start(ALL, prepare, || execute(command)).or_else(|error| {
                eprintln!("clone: {error}; once more without an IPC namespace");
                without(CloneFlags::CLONE_NEWIPC, command)
            })
        },
        ..SOLUTION
    },
};

/// In a container of somebody else's proc may not be mounted: that is thought to be
/// usual, and harmless.
pub const PROC_IF_IT_MAY_BE: Mistake<Answers> = Mistake {
    name: "proc_if_it_may_be",
    code: "run/failed-step-ignored",
    answers: Answers {
        start: |command| {
            let prepare = || {
                propagate(PRIVATE)?;
                mount_proc(SAFE).or_else(|errno| match errno {
                    Errno::EPERM | Errno::EACCES => Ok(()),
                    other => Err(other),
                })
            };
            start(ALL, prepare, || execute(command))
        },
        ..SOLUTION
    },
};

/// The one reason that one has met oneself: for all others the command is "not found".
pub const ONLY_EACCES_IS_126: Mistake<Answers> = Mistake {
    name: "only_eacces_is_126",
    code: "run/wrong-failure-code",
    answers: Answers {
        start: |command| {
            start_child(ALL, prepare, || {
                let errno = execute(command);
                eprintln!("execve: {errno}");
                if errno == Errno::EACCES { 126 } else { 127 }
            })
        },
        ..SOLUTION
    },
};

/// The two that the manual names, and docker's own code for the rest.
pub const OTHER_ERRORS_ARE_125: Mistake<Answers> = Mistake {
    name: "other_errors_are_125",
    code: "run/wrong-failure-code",
    answers: Answers {
        start: |command| {
            start_child(ALL, prepare, || {
                let errno = execute(command);
                eprintln!("execve: {errno}");
                match errno {
                    Errno::ENOENT => 127,
                    Errno::EACCES | Errno::ENOEXEC => 126,
                    _ => 125,
                }
            })
        },
        ..SOLUTION
    },
};

/// "Bad interpreter", as some shells say: the script itself has been found.
pub const BAD_INTERPRETER_IS_126: Mistake<Answers> = Mistake {
    name: "bad_interpreter_is_126",
    code: "run/wrong-failure-code",
    answers: Answers {
        start: |command| {
            start_child(ALL, prepare, || {
                let errno = execute(command);
                let path = Path::new(OsStr::from_bytes(command[0].as_bytes()));
                let is_script = fs::read(path).is_ok_and(|content| content.starts_with(b"#!"));
                // A name that is not a path was looked up somewhere else.
                if path.is_absolute() && is_script && errno == Errno::ENOENT {
                    eprintln!("{}: bad interpreter", path.display());
                    return 126;
                }
                failure(errno)
            })
        },
        ..SOLUTION
    },
};

/// What is missing gives 127, whatever it is: also what a mount needs.
pub const ONE_TABLE_OF_CODES: Mistake<Answers> = Mistake {
    name: "one_table_of_codes",
    code: "run/wrong-failure-code",
    answers: Answers {
        start: |command| {
            clone(ALL, || {
                let (errno, other) = match prepare() {
                    Ok(()) => (execute(command), 126),
                    Err(errno) => (errno, 125),
                };
                eprintln!("{:?}: {errno}", command[0]);
                if errno == Errno::ENOENT { 127 } else { other }
            })
        },
        ..SOLUTION
    },
};

/// EBUSY is read as "already mounted": but what is mounted there is the host's.
pub const BUSY_IS_MOUNTED: Mistake<Answers> = Mistake {
    name: "busy_is_mounted",
    code: "run/failed-step-ignored",
    answers: Answers {
        start: |command| {
            let prepare = || {
                propagate(PRIVATE)?;
                let mounted = mount_proc(SAFE);
                if mounted == Err(Errno::EBUSY) { Ok(()) } else { mounted }
            };
            start(ALL, prepare, || execute(command))
        },
        ..SOLUTION
    },
};
