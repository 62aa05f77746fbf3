//! Lab 02: docker run. The task is in README.md.
//!
//! [`lab_02_process::clone`] is given: it starts a child in new namespaces. With it,
//! this file needs no `unsafe`.

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

/// Starts `command` as a container and returns its PID as this process sees it.
/// Does not wait for the command to end; it may wait until the command is executed.
///
/// The command
///
/// - has its own mount, PID, UTS, IPC and network namespaces, and is PID 1 in them.
///   The child itself becomes the command (execve): if it started another process
///   instead, that one would have PID 2;
/// - gets its arguments exactly as given, and this process's environment. If its
///   name has no `/`, it is looked up in `$PATH`;
/// - neither passes mounts on to the host nor receives any. Before any other
///   mount, every mount is made private, including those below `/`. Then a fresh proc
///   is mounted on `/proc`, so that it shows the container's processes. It allows no
///   set-user-ID programs, no devices and no execution (MS_NOSUID, MS_NODEV,
///   MS_NOEXEC). The root directory stays the host's until lab 06.
///
/// It inherits everything else from this process: the user, the working directory,
/// the umask and the open files. It has no other open files. This process blocks no signal,
/// and so does the command. SIGPIPE, which a Rust program ignores, may be ignored or not.
///
/// `command` has at least one word. This process has one thread. `start` leaves this
/// process unchanged: its namespaces, directories, umask, signals and open files stay
/// as they were.
///
/// The child has nobody to return an error to. It writes to stderr what failed, and
/// exits with docker's codes:
///
/// - 125 if a step before the command failed, whatever the reason: then the command
///   must not run;
/// - 127 if there is no such command: execve(2) returns ENOENT. It also does so if only
///   the interpreter of a script is missing;
/// - 126 if the command cannot be executed: execve(2) returns any other error. For
///   ENOTDIR, 127 is right too. If the file is not a program (ENOEXEC), execvp(3) may try
///   a shell.
///
/// # Errors
/// Those of clone(2), if one of the namespaces is refused: then nothing is started.
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
/// Nothing is left of the child afterwards, not even a zombie. Does not wait for
/// any other child. A child that is stopped has not ended. Real-time signals, which
/// [`WaitStatus`] cannot hold, never end a child here.
///
/// # Errors
/// Those of waitpid(2).
pub fn wait(pid: Pid) -> io::Result<i32> {
    // With a pid it waits for this child only, and takes it off the list of
    // processes: until then it is a zombie.
    Ok(exit_code(waitpid(pid, None)?))
}

/// Says in one number how a process ended, as a shell does in `$?`: its exit code,
/// or 128+n if signal n ended it.
///
/// # Panics
/// If `status` is not the status of a process that has ended.
pub fn exit_code(status: WaitStatus) -> i32 {
    match status {
        WaitStatus::Exited(_, code) => code,
        WaitStatus::Signaled(_, signal, _) => 128 + signal as i32,
        other => panic!("{other:?} is no end"),
    }
}
