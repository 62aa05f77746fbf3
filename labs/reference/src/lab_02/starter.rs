//! Lab 02: docker run. The task is in README.md.
//!
//! [`lab_02_process::clone`] is given: it starts a child in new namespaces, and
//! keeps this file free of `unsafe`.

use std::ffi::CString;
use std::io;

use nix::sys::wait::WaitStatus;
use nix::unistd::Pid;

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
    todo!("start {command:?}")
}

/// Waits until the child `pid` has ended, and returns its [`exit_code`].
///
/// Afterwards nothing is left of that child, no zombie either. Other children
/// are not waited for.
///
/// # Errors
/// As waitpid(2).
pub fn wait(pid: Pid) -> io::Result<i32> {
    todo!("wait for {pid}")
}

/// How a process has ended, in one number, as a shell has it in `$?`: its exit
/// code, or 128+n when signal n has ended it.
///
/// # Panics
/// `status` is not that of a process that has ended.
pub fn exit_code(status: WaitStatus) -> i32 {
    todo!("the exit code of {status:?}")
}
