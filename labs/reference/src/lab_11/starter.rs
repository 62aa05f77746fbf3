//! Lab 11: docker exec. The task is in README.md.
//!
//! [`lab_02_process::clone`] is given: it starts a child. With it, this file needs no
//! `unsafe`. Here, a namespace is a pair: its kind, as setns(2) has it, and a descriptor.

use std::ffi::CString;
use std::io;
use std::os::fd::OwnedFd;

use nix::sched::CloneFlags;
use nix::unistd::Pid;

/// Opens the namespaces of the process `pid` that are not this process's own: each
/// kind at most once, in any order.
///
/// There are seven kinds: user, mount, PID, UTS, IPC, network and cgroup. In
/// `/proc/PID/ns` they are called `user`, `mnt`, `pid`, `uts`, `ipc`, `net` and
/// `cgroup`. Two of these files are the same namespace if their device and inode
/// numbers are the same: see namespaces(7).
///
/// All descriptors belong to one process. `pid` is only a number: if the process ends,
/// another one may have it before your next call. Then the result is an error, never
/// some namespaces of one process and some of the other.
///
/// Nothing is joined. The descriptors are close-on-exec, and no others stay open.
/// After an error, none do.
///
/// # Errors
/// ESRCH if there is no process `pid`. Otherwise those of open(2) and stat(2).
pub fn open_namespaces(pid: Pid) -> io::Result<Vec<(CloneFlags, OwnedFd)>> {
    todo!("open the namespaces of {pid}")
}

/// Makes this process a member of `namespaces`, which come in any order.
///
/// The user namespace, if there is one, is joined first: only there may an ordinary
/// user join the others. The PID namespace affects only children that are born from
/// then on; `join` starts none. If a mount namespace is among them, the root directory and
/// the working directory of this process are the container's root afterwards.
///
/// This process has one thread: with more, setns(2) refuses some kinds.
///
/// # Errors
/// The first error of setns(2), at once: no further namespace is joined. By then the
/// process may be in some of them, and there is no way back out of a user namespace: so
/// call this in a child.
pub fn join(namespaces: &[(CloneFlags, OwnedFd)]) -> io::Result<()> {
    todo!("join {namespaces:?}")
}

/// Runs `command` in the container of the process `pid`, waits for its end, and says in
/// one number how it ended, as a shell does in `$?`: its exit code, or 128+n if signal n
/// ended it. Real-time signals, which nix's `WaitStatus` cannot hold, never end a command
/// here.
///
/// The command
///
/// - is in all namespaces of that process, like any other process of the container. Only
///   a child that is born after [`join`] is a member of a PID namespace;
/// - begins in `/`, the container's root. If the container shares the mount namespace of
///   this process, `/` is the root directory of this process;
/// - gets its words exactly as given, and `environment` (`NAME=value`), and nothing of
///   this process's own. If its name has no `/`, it is looked up in the container, in the
///   `PATH` of `environment`, which has one;
/// - has this process's stdin, stdout and stderr, and no other descriptor.
///
/// In the container, others may look at a process before it becomes the command. So when
/// it is born there, nothing of the host is open in it except 0, 1 and 2: close-on-exec
/// is too late (CVE-2016-9962). And from its birth on, nobody there can look at its program
/// or its memory: it is not dumpable, see PR_SET_DUMPABLE(2const) (CVE-2019-5736).
///
/// `command` has at least one word. This process has one thread, and stays where it is:
/// its namespaces, its directories and its descriptors are as before, and no process is
/// left.
///
/// What fails in a child is written to stderr, and the number is docker's:
///
/// - 125 if a step before the command failed: then the command must not run;
/// - 127 if there is no such command: execve(2) returns ENOENT or ENOTDIR. For a name, it
///   does so in each directory of `PATH`. It also returns ENOENT if only the interpreter
///   of a script is missing;
/// - 126 if the command cannot be executed: execve(2) returns any other error. After
///   ENOEXEC, execvp(3) lets a shell run the file. You may do so, too.
///
/// # Errors
/// Those of [`open_namespaces`], of clone(2) and of waitpid(2).
pub fn enter(pid: Pid, command: &[CString], environment: &[CString]) -> io::Result<i32> {
    todo!("run {command:?} with {environment:?} in the container of {pid}")
}
