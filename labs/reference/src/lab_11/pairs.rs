//! Two faults at once in lab 11.

use lab_02_process::clone;
use lab_11_grader::Answers;
use nix::fcntl::{OFlag, openat};
use nix::sched::{CloneFlags, setns};
use nix::sys::stat::Mode;
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid, waitpid};
use nix::unistd::fchdir;

use super::steps::{
    KINDS, by_path, close_all, descriptors, enter, execute, open_each, prepare, wait,
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
                open_each(&KINDS, |name| {
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
                let mut sorted: Vec<_> = namespaces.iter().collect();
                sorted.sort_by_key(|(kind, _)| *kind != CloneFlags::CLONE_NEWUSER);
                for (kind, namespace) in sorted {
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
                let prepare = |namespaces: Vec<_>| {
                    let open = descriptors()?;
                    solution::join(&namespaces)?;
                    drop(namespaces);
                    close_all(&open);
                    Ok(())
                };
                let wait_for = |child| match waitpid(child, None)? {
                    WaitStatus::Signaled(_, signal, _) => Ok(signal as i32),
                    WaitStatus::Exited(_, code) => Ok(code),
                    other => panic!("{other:?} is no end"),
                };
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
                let joiner = clone(CloneFlags::empty(), || {
                    let born = prepare(namespaces).and_then(|()| {
                        wait(clone(CloneFlags::empty(), || execute(command, environment))?)
                    });
                    born.unwrap_or_else(|error| {
                        eprintln!("enter: {error}");
                        125
                    })
                })?;
                match waitid(Id::Pid(joiner), WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT)? {
                    WaitStatus::Exited(_, code) => Ok(code),
                    other => panic!("{other:?} is no end"),
                }
            },
            ..SOLUTION
        },
    },
];
