//! Lab 11: docker exec. The task is in README.md.
//!
//! [`lab_02_process::clone`] is given: it starts a child. With it, this file needs no
//! `unsafe`. Here, a namespace is a pair: its kind, as setns(2) has it, and a descriptor.

use std::ffi::{CStr, CString};
use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;

use lab_02_process::clone;
use nix::errno::Errno;
use nix::fcntl::{OFlag, open, openat};
use nix::sched::{CloneFlags, setns};
use nix::sys::prctl;
use nix::sys::stat::{Mode, fstat};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{Pid, chdir, close, execve};

// The kinds of namespaces, as /proc/PID/ns names them.
const KINDS: [(&str, CloneFlags); 7] = [
    ("user", CloneFlags::CLONE_NEWUSER),
    ("mnt", CloneFlags::CLONE_NEWNS),
    ("pid", CloneFlags::CLONE_NEWPID),
    ("uts", CloneFlags::CLONE_NEWUTS),
    ("ipc", CloneFlags::CLONE_NEWIPC),
    ("net", CloneFlags::CLONE_NEWNET),
    ("cgroup", CloneFlags::CLONE_NEWCGROUP),
];

// Docker's numbers for a command that has not come to run.
const FAILED: i32 = 125;
const CANNOT_BE_EXECUTED: i32 = 126;
const NOT_FOUND: i32 = 127;

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
    // 1. The directory is this process's for good: when that has ended, nothing is found
    //    in it any more, whoever has the number then.
    let directory = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    let process = open(format!("/proc/{pid}").as_str(), directory, Mode::empty()).map_err(ended)?;
    let mut namespaces = Vec::new();
    for (name, kind) in KINDS {
        // 2. First open, then compare what is open.
        let path = format!("ns/{name}");
        let flags = OFlag::O_RDONLY | OFlag::O_CLOEXEC;
        let theirs = openat(&process, path.as_str(), flags, Mode::empty()).map_err(ended)?;
        let (found, own) = (fstat(&theirs)?, fs::metadata(format!("/proc/self/{path}"))?);
        if (found.st_dev, found.st_ino) != (own.dev(), own.ino()) {
            namespaces.push((kind, theirs));
        }
    }
    Ok(namespaces)
}

// In the directory of a process that has ended, there is nothing.
fn ended(errno: Errno) -> Errno {
    if errno == Errno::ENOENT { Errno::ESRCH } else { errno }
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
    // The power to join the others may come from the user namespace. setns(2) itself
    // makes the container's root both directories when it joins the mount namespace.
    let is_user = |kind: CloneFlags| kind == CloneFlags::CLONE_NEWUSER;
    let (first, then): (Vec<_>, Vec<_>) = namespaces.iter().partition(|(kind, _)| is_user(*kind));
    for (kind, namespace) in first.into_iter().chain(then) {
        setns(namespace, *kind)?;
    }
    Ok(())
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
    let namespaces = open_namespaces(pid)?;
    // Two children: the first one joins, and this process stays where it is. The second
    // one is born in the container.
    let joiner = clone(CloneFlags::empty(), || {
        let born = prepare(namespaces).and_then(|()| {
            let child = clone(CloneFlags::empty(), || execute(command, environment))?;
            wait(child)
        });
        born.unwrap_or_else(|error| {
            eprintln!("the container cannot be entered: {error}");
            FAILED
        })
    })?;
    wait(joiner)
}

// Joins, and leaves what is the host's behind.
fn prepare(namespaces: Vec<(CloneFlags, OwnedFd)>) -> io::Result<()> {
    // 1. Nobody looks at this process, nor at its child before that is the command.
    prctl::set_dumpable(false)?;
    // 2. What is open, as long as /proc is the host's. One is that of the list itself.
    let mut open = Vec::new();
    for entry in fs::read_dir("/proc/self/fd")? {
        open.extend(entry?.file_name().to_str().and_then(|name| name.parse::<i32>().ok()));
    }
    // 3. Joining leads to the container's root only if there is a mount namespace to join.
    join(&namespaces)?;
    chdir("/")?;
    // 4. The namespaces close themselves; the others are nobody's here.
    drop(namespaces);
    for number in open.into_iter().filter(|number| *number > 2) {
        let _ = close(number);
    }
    Ok(())
}

// Waits for a child, and says how it has ended as a shell does.
fn wait(child: Pid) -> io::Result<i32> {
    match waitpid(child, None)? {
        WaitStatus::Exited(_, code) => Ok(code),
        WaitStatus::Signaled(_, signal, _) => Ok(128 + signal as i32),
        other => panic!("{other:?} is no end"),
    }
}

// Becomes the command; returns only if that fails, the number for it.
fn execute(command: &[CString], environment: &[CString]) -> i32 {
    let errno = match command[0].to_bytes().contains(&b'/') {
        true => try_to_execute(&command[0], command, environment),
        false => look_up(command, environment),
    };
    eprintln!("{}: {}", command[0].to_string_lossy(), errno.desc());
    if is_missing(errno) { NOT_FOUND } else { CANNOT_BE_EXECUTED }
}

// Whether there is nothing of that name. There is nothing below a file either.
fn is_missing(errno: Errno) -> bool {
    matches!(errno, Errno::ENOENT | Errno::ENOTDIR)
}

// Looks a name up in the PATH that the command gets. execvpe(3) would take this process's.
fn look_up(command: &[CString], environment: &[CString]) -> Errno {
    let path = environment.iter().find_map(|it| it.to_bytes().strip_prefix(b"PATH="));
    let mut seen = Errno::ENOENT;
    for directory in path.unwrap_or_default().split(|byte| *byte == b':') {
        let program = [directory, b"/", command[0].to_bytes()].concat();
        let program = CString::new(program).expect("made of two that have no NUL");
        let errno = try_to_execute(&program, command, environment);
        if !is_missing(errno) {
            seen = errno;
        }
    }
    seen
}

fn try_to_execute(program: &CStr, command: &[CString], environment: &[CString]) -> Errno {
    let Err(errno) = execve(program, command, environment);
    errno
}
