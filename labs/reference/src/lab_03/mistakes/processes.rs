//! join and start_limited.

use std::fs;

use lab_03_grader::Answers;

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
