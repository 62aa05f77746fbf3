//! Two faults at once in lab 02.

use lab_02_grader::Answers;
use nix::mount::MsFlags;
use nix::sched::{CloneFlags, unshare};
use nix::sys::wait::{Id, WaitPidFlag, waitid};
use nix::unistd::execvp;

use super::SOLUTION;
use super::steps::{ALL, PRIVATE, SAFE, execute, mount_proc, prepare, propagate, start};
use crate::catalogue::Pair;

/// `/` alone, which leaks every mount below it.
const NOT_RECURSIVE: MsFlags = MsFlags::MS_PRIVATE;

/// See each one's name.
pub static PAIRS: &[Pair<Answers>] = &[
    Pair {
        name: "no_network_namespace_and_errors_dropped",
        broken: &[
            ("every_namespace_is_new", "run/no-network-namespace"),
            ("a_failed_step_stops_the_start", "run/failed-step-ignored"),
        ],
        answers: Answers {
            start: |command| {
                let prepare = || {
                    let _ = prepare();
                    let _ = mount_proc(SAFE);
                    Ok(())
                };
                start(ALL.difference(CloneFlags::CLONE_NEWNET), prepare, || execute(command))
            },
            ..SOLUTION
        },
    },
    Pair {
        name: "not_recursive_and_unwrapped",
        broken: &[
            ("every_mount_is_private", "run/private-not-recursive"),
            ("the_hosts_mounts_stay", "run/private-not-recursive"),
            ("a_missing_command_ends_with_127", "run/wrong-failure-code"),
            ("a_command_that_cannot_be_executed_ends_with_126", "run/wrong-failure-code"),
        ],
        answers: Answers {
            start: |command| {
                let prepare = || propagate(NOT_RECURSIVE).and_then(|()| mount_proc(SAFE));
                start(ALL, prepare, || match execvp(&command[0], command).unwrap() {})
            },
            ..SOLUTION
        },
    },
    Pair {
        name: "not_recursive_and_without_flags",
        broken: &[
            ("every_mount_is_private", "run/private-not-recursive"),
            ("the_hosts_mounts_stay", "run/private-not-recursive"),
            ("proc_is_harmless", "run/proc-without-flags"),
        ],
        answers: Answers {
            start: |command| {
                let prepare =
                    || propagate(NOT_RECURSIVE).and_then(|()| mount_proc(MsFlags::empty()));
                start(ALL, prepare, || execute(command))
            },
            ..SOLUTION
        },
    },
    Pair {
        name: "caller_moved_and_mounts_proc",
        broken: &[
            ("proc_shows_the_container", "run/proc-before-pid-namespace"),
            ("the_caller_stays_where_it_is", "run/caller-moved"),
        ],
        answers: Answers {
            start: |command| {
                unshare(CloneFlags::CLONE_NEWNS)?;
                prepare()?;
                start(ALL, || propagate(PRIVATE), || execute(command))
            },
            ..SOLUTION
        },
    },
    Pair {
        name: "zombie_and_no_status",
        broken: &[
            ("wait_returns_the_exit_code", "run/exit-status-lost"),
            ("wait_returns_128_and_the_signal", "run/exit-status-lost"),
            ("nothing_is_left_of_the_child", "run/zombie-left"),
        ],
        answers: Answers {
            wait: |pid| {
                waitid(Id::Pid(pid), WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT)?;
                Ok(0)
            },
            ..SOLUTION
        },
    },
];
