//! Lab 02: docker run. The task is in README.md.
//!
//! [`lab_02_process::clone`] is given: it starts a child in new namespaces. With it,
//! this file needs no `unsafe`.

use std::ffi::CString;
use std::io;

use nix::sys::wait::WaitStatus;
use nix::unistd::Pid;

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
    todo!("start {command:?}")
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
    todo!("wait for {pid}")
}

/// Says in one number how a process ended, as a shell does in `$?`: its exit code,
/// or 128+n if signal n ended it.
///
/// # Panics
/// If `status` is not the status of a process that has ended.
pub fn exit_code(status: WaitStatus) -> i32 {
    todo!("the exit code of {status:?}")
}
