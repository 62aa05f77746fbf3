//! Right answers of another kind, and wrong ones that no rule foresees.

use std::ffi::{CString, OsString};
use std::fs::read_link;
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::ffi::OsStringExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use lab_02_process::clone;
use lab_11_grader::{Answers, Namespace};
use mydocker_kernel::namespaces::NAMESPACES;
use mydocker_kernel::sys::{self, close_all_but, pidfd_open, pidfd_send_signal};
use nix::errno::Errno;
use nix::sched::{CloneFlags, setns};
use nix::sys::prctl;
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};
use nix::unistd::chdir;

use super::steps::{
    by_path, ended, enter, enter_executing, enter_joining, enter_preparing, execute, go_inside,
    is_own, namespace, open_each, process, wait,
};
use super::{SOLUTION, solution};
use crate::catalogue::Variant;

/// What keeps every promise in other ways than the solution.
pub static RIGHT: &[Variant<Answers>] = &[
    // Paths, and a pidfd that says afterwards whether they were one process's.
    Variant {
        name: "pidfd_asked_afterwards",
        answers: Answers {
            open_namespaces: |pid| {
                let process = pidfd_open(pid).map_err(|errno| match errno {
                    Errno::EINVAL => Errno::ESRCH,
                    other => other,
                })?;
                let opened = open_each(&NAMESPACES, |name| {
                    Ok(by_path(&format!("/proc/{pid}/ns/{name}")).map_err(ended)?)
                })?;
                pidfd_send_signal(process.as_fd(), 0)?;
                Ok(opened)
            },
            ..SOLUTION
        },
    },
    // What /proc calls them is as good as their inode numbers.
    Variant {
        name: "compared_by_name",
        answers: Answers {
            open_namespaces: |pid| {
                let process = process(pid)?;
                let mut opened = Vec::new();
                for (name, kind) in NAMESPACES.into_iter().rev() {
                    let theirs = namespace(&process, name)?;
                    let called = read_link(format!("/proc/self/fd/{}", theirs.as_raw_fd()))?;
                    if called != read_link(format!("/proc/self/ns/{name}"))? {
                        opened.push((kind, theirs));
                    }
                }
                Ok(opened)
            },
            ..SOLUTION
        },
    },
    // All are opened before one is compared.
    Variant {
        name: "all_opened_first",
        answers: Answers {
            open_namespaces: |pid| {
                let process = process(pid)?;
                let mut all = Vec::new();
                for (name, kind) in NAMESPACES {
                    all.push((name, kind, namespace(&process, name)?));
                }
                let mut opened = Vec::new();
                for (name, kind, theirs) in all {
                    if !is_own(name, &theirs)? {
                        opened.push((kind, theirs));
                    }
                }
                Ok(opened)
            },
            ..SOLUTION
        },
    },
    // User, then as they come but the mount namespace, which is the last; and the
    // directory once more.
    Variant {
        name: "mount_namespace_last",
        answers: Answers {
            join: |namespaces| {
                let mut sorted: Vec<&Namespace> = namespaces.iter().collect();
                sorted.sort_by_key(|(kind, _)| match *kind {
                    CloneFlags::CLONE_NEWUSER => 0,
                    CloneFlags::CLONE_NEWNS => 2,
                    _ => 1,
                });
                for (kind, namespace) in sorted {
                    setns(namespace, *kind)?;
                }
                Ok(chdir("/")?)
            },
            ..SOLUTION
        },
    },
    // As mydocker does it: all at once, by the pidfd.
    Variant {
        name: "all_at_once_by_a_pidfd",
        answers: Answers {
            enter: |pid, command, environment| {
                let process = pidfd_open(pid)?;
                let kinds = solution::open_namespaces(pid)?.into_iter().map(|(kind, _)| kind);
                let kinds = kinds.fold(CloneFlags::empty(), CloneFlags::union);
                let joiner = clone(CloneFlags::empty(), || {
                    let joined = close_all_but(&[process.as_raw_fd()])
                        .and_then(|()| sys::set_undumpable())
                        .and_then(|()| sys::setns(process.as_fd(), kinds))
                        .and_then(|()| sys::chdir(Path::new("/")));
                    if let Err(error) = joined {
                        eprintln!("{error}");
                        return 125;
                    }
                    drop(process);
                    let child = clone(CloneFlags::empty(), || execute(command, environment));
                    child.and_then(wait).unwrap_or_else(|error| {
                        eprintln!("{error}");
                        125
                    })
                })?;
                wait(joiner)
            },
            ..SOLUTION
        },
    },
    // waitid(2), and what is open is closed before anything is joined.
    Variant {
        name: "closed_first",
        answers: Answers {
            enter: |pid, command, environment| {
                let prepare = |namespaces: Vec<Namespace>| {
                    let kept: Vec<i32> = namespaces.iter().map(|(_, it)| it.as_raw_fd()).collect();
                    close_all_but(&kept)
                        .map_err(|error| std::io::Error::other(error.to_string()))?;
                    go_inside(&namespaces)?;
                    Ok(prctl::set_dumpable(false)?)
                };
                let wait_for = |child| match waitid(Id::Pid(child), WaitPidFlag::WEXITED)? {
                    WaitStatus::Signaled(_, signal, _) => Ok(128 + signal as i32),
                    WaitStatus::Exited(_, code) => Ok(code),
                    other => panic!("{other:?} is no end"),
                };
                enter(pid, prepare, || execute(command, environment), wait_for)
            },
            ..SOLUTION
        },
    },
    // The namespaces stay open in the command's process until it is the command: they are
    // the container's own.
    Variant {
        name: "namespaces_close_on_exec",
        answers: Answers {
            enter: |pid, command, environment| {
                let prepare = |namespaces: Vec<Namespace>| {
                    prctl::set_dumpable(false)?;
                    let kept: Vec<i32> = namespaces.iter().map(|(_, it)| it.as_raw_fd()).collect();
                    close_all_but(&kept)
                        .map_err(|error| std::io::Error::other(error.to_string()))?;
                    go_inside(&namespaces)?;
                    std::mem::forget(namespaces);
                    Ok(())
                };
                enter_preparing(pid, command, environment, prepare)
            },
            ..SOLUTION
        },
    },
    // The standard library looks the name up and executes it.
    Variant {
        name: "std_command",
        answers: Answers {
            enter: |pid, command, environment| {
                enter_executing(pid, || execute_by_std(command, environment))
            },
            ..SOLUTION
        },
    },
];

/// Executes a command as the standard library does; returns the exit code if that fails.
fn execute_by_std(command: &[CString], environment: &[CString]) -> i32 {
    let text = |it: &CString| OsString::from_vec(it.as_bytes().to_owned());
    let variable = |it: &CString| {
        let mut parts = it.as_bytes().splitn(2, |byte| *byte == b'=');
        [(); 2].map(|()| OsString::from_vec(parts.next().unwrap_or_default().to_owned()))
    };
    let error = Command::new(text(&command[0]))
        .args(command[1..].iter().map(text))
        .env_clear()
        .envs(environment.iter().map(variable).map(|[name, value]| (name, value)))
        .exec();
    eprintln!("{:?}: {error}", command[0]);
    match error.raw_os_error().map(Errno::from_raw) {
        Some(Errno::ENOENT | Errno::ENOTDIR) => 127,
        Some(_) => 126,
        None => 125,
    }
}

/// What breaks promises in ways that no rule foresees.
pub static UNFORESEEN: &[Variant<Answers>] = &[
    Variant {
        name: "enter_adds_one",
        answers: Answers {
            enter: |pid, command, environment| {
                let code = solution::enter(pid, command, environment)?;
                Ok(if (1..100).contains(&code) { code + 1 } else { code })
            },
            ..SOLUTION
        },
    },
    Variant {
        name: "begins_in_tmp",
        answers: Answers {
            enter: |pid, command, environment| {
                let join = |namespaces: &[Namespace]| {
                    solution::join(namespaces)?;
                    Ok(chdir("/tmp")?)
                };
                enter_joining(pid, command, environment, join)
            },
            ..SOLUTION
        },
    },
    Variant {
        name: "one_variable_more",
        answers: Answers {
            enter: |pid, command, environment| {
                let more = [environment, &[CString::from(c"TERM=xterm")]].concat();
                solution::enter(pid, command, &more)
            },
            ..SOLUTION
        },
    },
];
