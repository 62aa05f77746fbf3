//! The namespaces of the command.

use std::io;

use lab_02_grader::Answers;
use lab_02_process::clone;
use nix::sched::{CloneFlags, unshare};

use crate::catalogue::Mistake;
use crate::lab_02::steps::{ALL, execute, prepare, start, without};
use crate::lab_02::{SOLUTION, solution};

/// A new PID namespace, so the rest must be new too: the host's mounts become
/// private, and its /proc shows the container.
pub const NO_MOUNT_NAMESPACE: Mistake<Answers> = Mistake {
    name: "no_mount_namespace",
    code: "run/no-mount-namespace",
    answers: Answers { start: |command| without(CloneFlags::CLONE_NEWNS, command), ..SOLUTION },
};

/// The flag forgotten: the command sees and may kill the host's processes.
pub const NO_PID_NAMESPACE: Mistake<Answers> = Mistake {
    name: "no_pid_namespace",
    code: "run/no-pid-namespace",
    answers: Answers { start: |command| without(CloneFlags::CLONE_NEWPID, command), ..SOLUTION },
};

/// unshare is thought to move the process itself, as it does for all others.
pub const UNSHARE_WITHOUT_FORK: Mistake<Answers> = Mistake {
    name: "unshare_without_fork",
    code: "run/unshare-without-fork",
    answers: Answers {
        start: |command| {
            start(
                CloneFlags::empty(),
                || unshare(ALL).and_then(|()| prepare()),
                || execute(command),
            )
        },
        ..SOLUTION
    },
};

/// `unshare --fork`: PID 1 is right, and start returns the pid of the process
/// that waits for it. Who kills that one leaves the container running.
pub const SUPERVISOR_BETWEEN: Mistake<Answers> = Mistake {
    name: "supervisor_between",
    code: "run/process-between",
    answers: Answers {
        start: |command| {
            let container = || -> io::Result<i32> {
                unshare(ALL)?;
                solution::wait(start(CloneFlags::empty(), prepare, || execute(command))?)
            };
            clone(CloneFlags::empty(), || container().unwrap_or(125))
        },
        ..SOLUTION
    },
};

/// `unshare` first and a child afterwards: it is the caller that has moved.
pub const CALLER_UNSHARES: Mistake<Answers> = Mistake {
    name: "caller_unshares",
    code: "run/caller-moved",
    answers: Answers {
        start: |command| {
            unshare(ALL)?;
            start(CloneFlags::empty(), prepare, || execute(command))
        },
        ..SOLUTION
    },
};

/// `hostname container` renames the host.
pub const NO_UTS_NAMESPACE: Mistake<Answers> = Mistake {
    name: "no_uts_namespace",
    code: "run/no-uts-namespace",
    answers: Answers { start: |command| without(CloneFlags::CLONE_NEWUTS, command), ..SOLUTION },
};

/// Shared memory and semaphores by number: the host's database is attached to.
pub const NO_IPC_NAMESPACE: Mistake<Answers> = Mistake {
    name: "no_ipc_namespace",
    code: "run/no-ipc-namespace",
    answers: Answers { start: |command| without(CloneFlags::CLONE_NEWIPC, command), ..SOLUTION },
};

/// The host's ports and its abstract sockets are the container's too.
pub const NO_NETWORK_NAMESPACE: Mistake<Answers> = Mistake {
    name: "no_network_namespace",
    code: "run/no-network-namespace",
    answers: Answers { start: |command| without(CloneFlags::CLONE_NEWNET, command), ..SOLUTION },
};
