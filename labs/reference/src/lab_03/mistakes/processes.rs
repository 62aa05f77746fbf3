//! join and start_limited.

use std::fs;
use std::io::{self, Write};

use lab_03_grader::Answers;
use lab_03_grader::group::{Group, Waiting};
use nix::errno::Errno;
use nix::sys::signal::kill;
use nix::unistd::Pid;

use crate::catalogue::Mistake;
use crate::lab_03::SOLUTION;
use crate::lab_03::solution::{join, set_limits};

const fn joining(
    name: &'static str,
    code: &'static str,
    join: fn(&Group, u32) -> io::Result<()>,
) -> Mistake<Answers> {
    Mistake { name, code, answers: Answers { join, ..SOLUTION } }
}

type Start = fn(&Group, Option<u64>, Option<u64>, Waiting) -> io::Result<()>;

const fn starting(
    name: &'static str,
    code: &'static str,
    start_limited: Start,
) -> Mistake<Answers> {
    Mistake { name, code, answers: Answers { start_limited, ..SOLUTION } }
}

/// The blog writes to `tasks`: that moves one thread, and the others stay free.
/// Version 2 has no such file.
pub const TASKS: Mistake<Answers> = joining("tasks", "limits/one-thread-only", |group, pid| {
    fs::write(group.memory.join("tasks"), pid.to_string())?;
    fs::write(group.pids.join("tasks"), pid.to_string())
});

/// 0 is whoever writes: the runtime limits itself, the container is free.
pub const CALLER_JOINS: Mistake<Answers> =
    joining("caller_joins", "limits/wrong-process", |group, _| join(group, std::process::id()));

/// Is in one of the two groups, and can start as many processes as it likes.
pub const MEMORY_ONLY: Mistake<Answers> =
    joining("joins_memory_only", "limits/one-hierarchy-only", |group, pid| {
        fs::write(group.memory.join("cgroup.procs"), pid.to_string())
    });

/// Whether it is there already is sought in the text of the file: 123 is in 1234, too.
pub const SOUGHT_IN_THE_TEXT: Mistake<Answers> =
    joining("sought_in_the_text", "limits/taken-for-another-process", |group, pid| {
        for folder in [&group.memory, &group.pids] {
            let procs = folder.join("cgroup.procs");
            let members = fs::read_to_string(&procs).unwrap_or_default();
            if !members.contains(&pid.to_string()) {
                fs::write(&procs, pid.to_string())?;
            }
        }
        Ok(())
    });

/// The container runs, and is in no group.
pub const FAILED_JOIN_PRINTED: Mistake<Answers> =
    joining("failed_join_printed", "limits/failed-join-ignored", |group, pid| {
        if let Err(error) = join(group, pid) {
            eprintln!("join: {error}");
        }
        Ok(())
    });

/// Ok(()) to see what the tests say.
pub const JOINS_NOTHING: Mistake<Answers> =
    joining("joins_nothing", "answer/did-nothing", |_, _| Ok(()));

/// The order of the blog's article 07: start the command, then set and apply. What
/// it has started and used until then is free.
pub const BEGUN_FIRST: Mistake<Answers> =
    starting("begun_first", "limits/begun-first", |group, memory, pids, process| {
        let pid = process.pid();
        process.begin()?;
        set_limits(group, memory, pids)?;
        join(group, pid)
    });

/// It begins as a member, and the limits come while it works already.
pub const LIMITED_LAST: Mistake<Answers> =
    starting("limited_last", "limits/begun-first", |group, memory, pids, process| {
        join(group, process.pid())?;
        process.begin()?;
        set_limits(group, memory, pids)
    });

/// A group with limits, and nobody in it.
pub const NEVER_JOINED: Mistake<Answers> =
    starting("never_joined", "limits/never-joined", |group, memory, pids, process| {
        set_limits(group, memory, pids)?;
        process.begin()
    });

/// "Better without limits than not at all", says nobody whose host it is.
pub const FAILED_LIMIT_PRINTED: Mistake<Answers> = starting(
    "failed_limit_printed",
    "limits/begun-without-limits",
    |group, memory, pids, process| {
        if let Err(error) = set_limits(group, memory, pids) {
            eprintln!("set limits: {error}");
        }
        join(group, process.pid())?;
        process.begin()
    },
);

/// All is ready, and the container waits for ever.
pub const NEVER_BEGUN: Mistake<Answers> =
    starting("never_begun", "limits/never-begun", |group, memory, pids, process| {
        set_limits(group, memory, pids)?;
        join(group, process.pid())
    });

/// "It may be in the group already": whatever join says, it begins.
pub const BEGUN_OUTSIDE: Mistake<Answers> =
    starting("begun_outside", "limits/begun-outside", |group, memory, pids, process| {
        set_limits(group, memory, pids)?;
        if let Err(error) = join(group, process.pid()) {
            eprintln!("join: {error}");
        }
        process.begin()
    });

/// All is done, so all is well.
pub const BEGIN_NOT_LOOKED_AT: Mistake<Answers> = starting(
    "begin_not_looked_at",
    "limits/failed-begin-ignored",
    |group, memory, pids, process| {
        set_limits(group, memory, pids)?;
        join(group, process.pid())?;
        process.begin().ok();
        Ok(())
    },
);

/// The second of two writes is not looked at.
pub const HALF_A_JOIN: Mistake<Answers> =
    joining("half_a_join", "limits/failed-join-ignored", |group, pid| {
        fs::write(group.memory.join("cgroup.procs"), pid.to_string())?;
        if let Err(error) = fs::write(group.pids.join("cgroup.procs"), pid.to_string()) {
            eprintln!("join: {error}");
        }
        Ok(())
    });

/// A process that is gone needs no limits, and nobody hears that it is.
pub const GONE_IS_JOINED: Mistake<Answers> =
    joining("gone_is_joined", "limits/failed-join-ignored", |group, pid| match join(group, pid) {
        Err(error) if error.raw_os_error() == Some(Errno::ESRCH as i32) => Ok(()),
        other => other,
    });

/// "It was there a moment ago": the second half has it no more, and neither has the first.
pub const GONE_IN_BETWEEN: Mistake<Answers> =
    joining("gone_in_between", "limits/failed-join-ignored", |group, pid| {
        let mut members = 0;
        for folder in [&group.memory, &group.pids] {
            match fs::write(folder.join("cgroup.procs"), pid.to_string()) {
                Err(error) if members == 0 || error.raw_os_error() != Some(Errno::ESRCH as i32) => {
                    return Err(error);
                }
                _ => members += 1,
            }
        }
        Ok(())
    });

/// No limits, no group: a limit that is set later holds nobody.
pub const JOINED_ONLY_WITH_LIMITS: Mistake<Answers> =
    starting("joined_only_with_limits", "limits/never-joined", |group, memory, pids, process| {
        if memory.is_some() || pids.is_some() {
            set_limits(group, memory, pids)?;
            join(group, process.pid())?;
        }
        process.begin()
    });

/// A line is its text and its end, and each is written when it is there.
pub const A_LINE_IN_TWO: Mistake<Answers> =
    joining("a_line_in_two", "limits/written-in-pieces", |group, pid| {
        for folder in [&group.memory, &group.pids] {
            let mut file = fs::OpenOptions::new().write(true).open(folder.join("cgroup.procs"))?;
            file.write_all(pid.to_string().as_bytes())?;
            file.write_all(b"\n")?;
        }
        Ok(())
    });

/// Asks by kill(2) first, and finds words of its own for the answer.
pub const OWN_WORDS_FOR_THE_DEAD: Mistake<Answers> =
    joining("own_words_for_the_dead", "limits/another-error-told", |group, pid| {
        match kill(Pid::from_raw(pid as i32), None) {
            Err(Errno::ESRCH) => Err(io::Error::other(format!("process {pid} has ended"))),
            _ => join(group, pid),
        }
    });

/// "No limit of the memory" is taken for "as it is".
pub const MEMORY_AS_IT_IS: Mistake<Answers> =
    starting("memory_as_it_is", "limits/old-limits-stay", |group, memory, pids, process| {
        match memory {
            Some(_) => set_limits(group, memory, pids)?,
            None => {
                let pids = pids.map_or("max".to_owned(), |count| count.to_string());
                fs::write(group.pids.join("pids.max"), pids)?;
            }
        }
        join(group, process.pid())?;
        process.begin()
    });

/// Saves itself the work for a process that is a member, and asks only one half. A call that
/// failed in between leaves the process there for ever.
pub const KNOWN_BY_ITS_MEMORY: Mistake<Answers> =
    joining("known_by_its_memory", "limits/half-taken-for-all", |group, pid| {
        let members = fs::read_to_string(group.memory.join("cgroup.procs")).unwrap_or_default();
        if members.lines().any(|member| member.parse() == Ok(pid)) {
            return Ok(());
        }
        join(group, pid)
    });
