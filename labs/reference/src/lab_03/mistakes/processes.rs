//! join and start_limited.

use std::fs;
use std::io::{self, Write};

use lab_03_grader::Answers;
use nix::errno::Errno;
use nix::sys::signal::kill;
use nix::unistd::Pid;

use crate::catalogue::Mistake;
use crate::lab_03::SOLUTION;
use crate::lab_03::solution::{join, set_limits};

/// The blog writes to `tasks`: that moves one thread, and the others stay free.
/// Version 2 has no such file.
pub const TASKS: Mistake<Answers> = Mistake {
    name: "tasks",
    code: "limits/one-thread-only",
    answers: Answers {
        join: |group, pid| {
            fs::write(group.memory.join("tasks"), pid.to_string())?;
            fs::write(group.pids.join("tasks"), pid.to_string())
        },
        ..SOLUTION
    },
};

/// 0 is whoever writes: the runtime limits itself, the container is free.
pub const CALLER_JOINS: Mistake<Answers> = Mistake {
    name: "caller_joins",
    code: "limits/wrong-process",
    answers: Answers { join: |group, _| join(group, std::process::id()), ..SOLUTION },
};

/// Is in one of the two groups, and can start as many processes as it likes.
pub const MEMORY_ONLY: Mistake<Answers> = Mistake {
    name: "joins_memory_only",
    code: "limits/one-hierarchy-only",
    answers: Answers {
        join: |group, pid| fs::write(group.memory.join("cgroup.procs"), pid.to_string()),
        ..SOLUTION
    },
};

/// The container runs, and is in no group.
pub const FAILED_JOIN_PRINTED: Mistake<Answers> = Mistake {
    name: "failed_join_printed",
    code: "limits/failed-join-ignored",
    answers: Answers {
        join: |group, pid| {
            if let Err(error) = join(group, pid) {
                eprintln!("join: {error}");
            }
            Ok(())
        },
        ..SOLUTION
    },
};

/// Ok(()) to see what the tests say.
pub const JOINS_NOTHING: Mistake<Answers> = Mistake {
    name: "joins_nothing",
    code: "answer/did-nothing",
    answers: Answers { join: |_, _| Ok(()), ..SOLUTION },
};

/// The order of the blog's article 07: start the command, then set and apply. What
/// it has started and used until then is free.
pub const BEGUN_FIRST: Mistake<Answers> = Mistake {
    name: "begun_first",
    code: "limits/begun-first",
    answers: Answers {
        start_limited: |group, memory, pids, process| {
            let pid = process.pid();
            process.begin()?;
            set_limits(group, memory, pids)?;
            join(group, pid)
        },
        ..SOLUTION
    },
};

/// It begins as a member, and the limits come while it works already.
pub const LIMITED_LAST: Mistake<Answers> = Mistake {
    name: "limited_last",
    code: "limits/begun-first",
    answers: Answers {
        start_limited: |group, memory, pids, process| {
            join(group, process.pid())?;
            process.begin()?;
            set_limits(group, memory, pids)
        },
        ..SOLUTION
    },
};

/// A group with limits, and nobody in it.
pub const NEVER_JOINED: Mistake<Answers> = Mistake {
    name: "never_joined",
    code: "limits/never-joined",
    answers: Answers {
        start_limited: |group, memory, pids, process| {
            set_limits(group, memory, pids)?;
            process.begin()
        },
        ..SOLUTION
    },
};

/// "Better without limits than not at all", says nobody whose host it is.
pub const FAILED_LIMIT_PRINTED: Mistake<Answers> = Mistake {
    name: "failed_limit_printed",
    code: "limits/begun-without-limits",
    answers: Answers {
        start_limited: |group, memory, pids, process| {
            if let Err(error) = set_limits(group, memory, pids) {
                eprintln!("set limits: {error}");
            }
            join(group, process.pid())?;
            process.begin()
        },
        ..SOLUTION
    },
};

/// All is ready, and the container waits for ever.
pub const NEVER_BEGUN: Mistake<Answers> = Mistake {
    name: "never_begun",
    code: "limits/never-begun",
    answers: Answers {
        start_limited: |group, memory, pids, process| {
            set_limits(group, memory, pids)?;
            join(group, process.pid())
        },
        ..SOLUTION
    },
};

/// "It may be in the group already": whatever join says, it begins.
pub const BEGUN_OUTSIDE: Mistake<Answers> = Mistake {
    name: "begun_outside",
    code: "limits/begun-outside",
    answers: Answers {
        start_limited: |group, memory, pids, process| {
            set_limits(group, memory, pids)?;
            if let Err(error) = join(group, process.pid()) {
                eprintln!("join: {error}");
            }
            process.begin()
        },
        ..SOLUTION
    },
};

/// All is done, so all is well.
pub const BEGIN_NOT_LOOKED_AT: Mistake<Answers> = Mistake {
    name: "begin_not_looked_at",
    code: "limits/failed-begin-ignored",
    answers: Answers {
        start_limited: |group, memory, pids, process| {
            set_limits(group, memory, pids)?;
            join(group, process.pid())?;
            process.begin().ok();
            Ok(())
        },
        ..SOLUTION
    },
};

/// The second of two writes is not looked at.
pub const HALF_A_JOIN: Mistake<Answers> = Mistake {
    name: "half_a_join",
    code: "limits/failed-join-ignored",
    answers: Answers {
        join: |group, pid| {
            fs::write(group.memory.join("cgroup.procs"), pid.to_string())?;
            if let Err(error) = fs::write(group.pids.join("cgroup.procs"), pid.to_string()) {
                eprintln!("join: {error}");
            }
            Ok(())
        },
        ..SOLUTION
    },
};

/// A process that is gone needs no limits, and nobody hears that it is.
pub const GONE_IS_JOINED: Mistake<Answers> = Mistake {
    name: "gone_is_joined",
    code: "limits/failed-join-ignored",
    answers: Answers {
        join: |group, pid| match join(group, pid) {
            Err(error) if error.raw_os_error() == Some(Errno::ESRCH as i32) => Ok(()),
            other => other,
        },
        ..SOLUTION
    },
};

/// No limits, no group: a limit that is set later holds nobody.
pub const JOINED_ONLY_WITH_LIMITS: Mistake<Answers> = Mistake {
    name: "joined_only_with_limits",
    code: "limits/never-joined",
    answers: Answers {
        start_limited: |group, memory, pids, process| {
            if memory.is_some() || pids.is_some() {
                set_limits(group, memory, pids)?;
                join(group, process.pid())?;
            }
            process.begin()
        },
        ..SOLUTION
    },
};

/// A line is its text and its end, and each is written when it is there.
pub const A_LINE_IN_TWO: Mistake<Answers> = Mistake {
    name: "a_line_in_two",
    code: "limits/written-in-pieces",
    answers: Answers {
        join: |group, pid| {
            for folder in [&group.memory, &group.pids] {
                let mut file =
                    fs::OpenOptions::new().write(true).open(folder.join("cgroup.procs"))?;
                file.write_all(pid.to_string().as_bytes())?;
                file.write_all(b"\n")?;
            }
            Ok(())
        },
        ..SOLUTION
    },
};

/// Asks by kill(2) first, and finds words of its own for the answer.
pub const OWN_WORDS_FOR_THE_DEAD: Mistake<Answers> = Mistake {
    name: "own_words_for_the_dead",
    code: "limits/another-error-told",
    answers: Answers {
        join: |group, pid| match kill(Pid::from_raw(pid as i32), None) {
            Err(Errno::ESRCH) => Err(io::Error::other(format!("process {pid} has ended"))),
            _ => join(group, pid),
        },
        ..SOLUTION
    },
};

/// "No limit of the memory" is taken for "as it is".
pub const MEMORY_AS_IT_IS: Mistake<Answers> = Mistake {
    name: "memory_as_it_is",
    code: "limits/old-limits-stay",
    answers: Answers {
        start_limited: |group, memory, pids, process| {
            match memory {
                Some(_) => set_limits(group, memory, pids)?,
                None => {
                    let pids = pids.map_or("max".to_owned(), |count| count.to_string());
                    fs::write(group.pids.join("pids.max"), pids)?;
                }
            }
            join(group, process.pid())?;
            process.begin()
        },
        ..SOLUTION
    },
};
