//! Two faults at once in lab 11.

use lab_11_grader::Answers;
use mydocker_kernel::namespaces::NAMESPACES;
use nix::fcntl::{OFlag, openat};
use nix::sched::setns;
use nix::sys::stat::Mode;
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};
use nix::unistd::fchdir;

use super::steps::{
    by_path, enter, execute, go_inside, join_and_start, leave, open_each, start_joiner, user_first,
    wait_so,
};
use super::{SOLUTION, solution};
use crate::catalogue::Pair;

/// See each one's name.
pub static PAIRS: &[Pair<Answers>] = &[
    Pair {
        name: "enoent_passed_on_and_no_close_on_exec",
        broken: &[
            ("the_descriptors_close_on_exec", "exec/inherited-on-exec"),
            ("no_such_process_is_esrch", "exec/no-such-process-is-another-error"),
        ],
        answers: Answers {
            open_namespaces: |pid| {
                let process = by_path(&format!("/proc/{pid}"))?;
                open_each(&NAMESPACES, |name| {
                    let path = format!("ns/{name}");
                    Ok(openat(&process, path.as_str(), OFlag::O_RDONLY, Mode::empty())?)
                })
            },
            ..SOLUTION
        },
    },
    Pair {
        name: "errors_printed_and_directory_kept",
        broken: &[
            ("the_directories_are_the_containers", "exec/directory-of-the-host"),
            ("a_failed_join_is_told", "exec/failed-join-ignored"),
        ],
        answers: Answers {
            join: |namespaces| {
                let before = by_path(".")?;
                for (kind, namespace) in user_first(namespaces) {
                    if let Err(errno) = setns(namespace, *kind) {
                        eprintln!("setns: {errno}");
                    }
                }
                Ok(fchdir(before)?)
            },
            ..SOLUTION
        },
    },
    Pair {
        name: "looked_at_and_signal_without_128",
        broken: &[
            ("nobody_inside_can_look_at_it", "exec/can-be-looked-at"),
            ("a_signal_is_128_and_its_number", "exec/signal-without-128"),
        ],
        answers: Answers {
            enter: |pid, command, environment| {
                let prepare = |namespaces| leave(namespaces, go_inside);
                let wait_for = |child| wait_so(child, |signal| signal as i32);
                enter(pid, prepare, || execute(command, environment), wait_for)
            },
            ..SOLUTION
        },
    },
    Pair {
        name: "zombie_and_no_container_is_125",
        broken: &[
            ("no_container_is_an_error", "exec/no-such-process-is-a-number"),
            ("nothing_is_left_of_it", "exec/zombie-left"),
        ],
        answers: Answers {
            enter: |pid, command, environment| {
                let Ok(namespaces) = solution::open_namespaces(pid) else { return Ok(125) };
                let joiner = start_joiner(|| join_and_start(namespaces, command, environment))?;
                match waitid(Id::Pid(joiner), WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT)? {
                    WaitStatus::Exited(_, code) => Ok(code),
                    other => panic!("{other:?} is no end"),
                }
            },
            ..SOLUTION
        },
    },
];
