//! Lab 02: docker run. The task is in README.md.
//!
//! [`lab_02_process::clone`] is given: it starts a child in new namespaces, and
//! keeps this file free of `unsafe`.

use std::ffi::CString;
use std::io;

use lab_02_process::clone;
use nix::errno::Errno;
use nix::mount::{MsFlags, mount};
use nix::sched::CloneFlags;
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{Pid, execvp};

const NOTHING: Option<&str> = None;

// Docker's exit codes for a container that has not come to run.
const FAILED: i32 = 125;
const CANNOT_BE_EXECUTED: i32 = 126;
const NOT_FOUND: i32 = 127;

/// Starts `command` as a container and returns its pid, as this process sees it.
/// Does not wait for its end.
///
/// The command
///
/// - has a mount, PID, UTS, IPC and network namespace of its own, and is PID 1 in
///   there: the child itself becomes it (execve), for whoever starts yet another
///   process has PID 2;
/// - has its words as they are given, and the environment of this process; a
///   name without `/` is looked for in `$PATH`;
/// - passes no mount on to the host, and gets none from it: before anything else
///   every mount is made private, those below `/` too. Then a fresh proc, which
///   shows the container's processes, is mounted on `/proc`, without set-user-ID
///   programs, devices and programs (MS_NOSUID, MS_NODEV, MS_NOEXEC). The root
///   directory stays the host's until lab 06.
///
/// `command` has at least one word. This process has one thread, and stays in
/// the namespaces that it is in.
///
/// In the child nobody is there any more to return an error to: it says what has
/// failed on stderr, and its exit code is, as docker's,
///
/// - 125 if a step before the command has failed: the command must not run then;
/// - 127 if there is no such command;
/// - 126 if it is there and cannot be executed.
///
/// # Errors
/// As clone(2): the namespaces are refused.
pub fn start(command: &[CString]) -> io::Result<Pid> {
    let namespaces = CloneFlags::CLONE_NEWNS
        | CloneFlags::CLONE_NEWPID
        | CloneFlags::CLONE_NEWUTS
        | CloneFlags::CLONE_NEWIPC
        | CloneFlags::CLONE_NEWNET;
    clone(namespaces, || {
        if let Err(error) = prepare() {
            // On the host's mounts the command must not run.
            eprintln!("the container is not ready: {error}");
            return FAILED;
        }
        execute(command)
    })
}

// Gives the child the mounts of a container.
fn prepare() -> io::Result<()> {
    // 1. The new mount namespace is a copy, in which every mount is still linked
    //    to the host's: each one, so recursively.
    mount(NOTHING, "/", NOTHING, MsFlags::MS_PRIVATE | MsFlags::MS_REC, NOTHING)?;
    // 2. A proc shows the PID namespace of whoever mounts it: that is PID 1.
    let safe = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    Ok(mount(Some("proc"), "/proc", Some("proc"), safe, NOTHING)?)
}

// Becomes the command; returns only if that fails, the exit code.
fn execute(command: &[CString]) -> i32 {
    // The `p` is for $PATH. The environment goes along by itself.
    let Err(errno) = execvp(&command[0], command);
    eprintln!("{}: {}", command[0].to_string_lossy(), errno.desc());
    match errno {
        Errno::ENOENT => NOT_FOUND,
        _ => CANNOT_BE_EXECUTED,
    }
}

/// Waits until the child `pid` has ended, and returns its [`exit_code`].
///
/// Afterwards nothing is left of that child, no zombie either. Other children
/// are not waited for.
///
/// # Errors
/// As waitpid(2).
pub fn wait(pid: Pid) -> io::Result<i32> {
    // With a pid it waits for this child only, and takes it off the list of
    // processes: until then it is a zombie.
    Ok(exit_code(waitpid(pid, None)?))
}

/// How a process has ended, in one number, as a shell has it in `$?`: its exit
/// code, or 128+n when signal n has ended it.
///
/// # Panics
/// `status` is not that of a process that has ended.
pub fn exit_code(status: WaitStatus) -> i32 {
    match status {
        WaitStatus::Exited(_, code) => code,
        WaitStatus::Signaled(_, signal, _) => 128 + signal as i32,
        other => panic!("{other:?} is no end"),
    }
}
