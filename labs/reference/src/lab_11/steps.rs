//! The steps of an exec, for answers that take all of them but one.

use std::ffi::{CStr, CString};
use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;

use lab_02_process::clone;
use lab_11_grader::{Answers, Namespace};
use nix::errno::Errno;
use nix::fcntl::{OFlag, open, openat};
use nix::sched::CloneFlags;
use nix::sys::prctl;
use nix::sys::signal::Signal;
use nix::sys::stat::{Mode, fstat};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{Pid, chdir, close, execve};

use super::{SOLUTION, solution};
use crate::catalogue::Mistake;

type Opened = io::Result<Vec<Namespace>>;

/// A mistake in open_namespaces.
pub const fn opening(
    name: &'static str,
    code: &'static str,
    open_namespaces: fn(Pid) -> Opened,
) -> Mistake<Answers> {
    Mistake { name, code, answers: Answers { open_namespaces, ..SOLUTION } }
}

/// A mistake in join.
pub const fn joining(
    name: &'static str,
    code: &'static str,
    join: fn(&[Namespace]) -> io::Result<()>,
) -> Mistake<Answers> {
    Mistake { name, code, answers: Answers { join, ..SOLUTION } }
}

/// A mistake in enter.
pub const fn entering(
    name: &'static str,
    code: &'static str,
    enter: fn(Pid, &[CString], &[CString]) -> io::Result<i32>,
) -> Mistake<Answers> {
    Mistake { name, code, answers: Answers { enter, ..SOLUTION } }
}

const FLAGS: OFlag = OFlag::O_RDONLY.union(OFlag::O_CLOEXEC);

/// The directory of a process.
pub fn process(pid: Pid) -> nix::Result<OwnedFd> {
    let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    open(format!("/proc/{pid}").as_str(), flags, Mode::empty()).map_err(ended)
}

/// One of the namespaces of a process.
pub fn namespace(process: &OwnedFd, name: &str) -> nix::Result<OwnedFd> {
    openat(process, format!("ns/{name}").as_str(), FLAGS, Mode::empty()).map_err(ended)
}

/// A file, by its path.
pub fn by_path(path: &str) -> nix::Result<OwnedFd> {
    open(path, FLAGS, Mode::empty())
}

pub fn ended(errno: Errno) -> Errno {
    if errno == Errno::ENOENT { Errno::ESRCH } else { errno }
}

/// Whether a namespace is this process's.
pub fn is_own(name: &str, namespace: &OwnedFd) -> io::Result<bool> {
    let (found, own) = (fstat(namespace)?, fs::metadata(format!("/proc/self/ns/{name}"))?);
    Ok((found.st_dev, found.st_ino) == (own.dev(), own.ino()))
}

/// The namespaces of a process of these kinds.
pub fn open_of(process: &OwnedFd, kinds: &[(&str, CloneFlags)]) -> Opened {
    open_each(kinds, |name| Ok(namespace(process, name)?))
}

/// The namespaces of these kinds, each opened in this way.
pub fn open_each(
    kinds: &[(&str, CloneFlags)],
    open: impl Fn(&str) -> io::Result<OwnedFd>,
) -> Opened {
    let mut namespaces = Vec::new();
    for (name, kind) in kinds {
        let theirs = open(name)?;
        if !is_own(name, &theirs)? {
            namespaces.push((*kind, theirs));
        }
    }
    Ok(namespaces)
}

/// In the order in which an ordinary user may join them.
pub fn user_first(namespaces: &[Namespace]) -> Vec<&Namespace> {
    let mut sorted: Vec<_> = namespaces.iter().collect();
    sorted.sort_by_key(|(kind, _)| *kind != CloneFlags::CLONE_NEWUSER);
    sorted
}

/// All of the solution's enter, with something else in it: what the joiner does, what
/// the command's process does, and how the joiner waits for that.
pub fn enter(
    pid: Pid,
    prepare: impl FnOnce(Vec<Namespace>) -> io::Result<()>,
    execute: impl FnOnce() -> i32,
    wait_for: impl FnOnce(Pid) -> io::Result<i32>,
) -> io::Result<i32> {
    let namespaces = solution::open_namespaces(pid)?;
    wait(start_joiner(|| {
        prepare(namespaces).and_then(|()| wait_for(clone(CloneFlags::empty(), execute)?))
    })?)
}

/// The same, where the joiner does something else.
pub fn enter_preparing(
    pid: Pid,
    command: &[CString],
    environment: &[CString],
    prepare: impl FnOnce(Vec<Namespace>) -> io::Result<()>,
) -> io::Result<i32> {
    enter(pid, prepare, || execute(command, environment), wait)
}

/// The same, where it joins otherwise.
pub fn enter_joining(
    pid: Pid,
    command: &[CString],
    environment: &[CString],
    join: impl FnOnce(&[Namespace]) -> io::Result<()>,
) -> io::Result<i32> {
    enter_preparing(pid, command, environment, |namespaces| prepare_so(namespaces, join))
}

/// The same, where the new process does something else.
pub fn enter_executing(pid: Pid, execute: impl FnOnce() -> i32) -> io::Result<i32> {
    enter(pid, prepare, execute, wait)
}

/// The same, where the joiner waits otherwise.
pub fn enter_waiting(
    pid: Pid,
    command: &[CString],
    environment: &[CString],
    wait_for: impl FnOnce(Pid) -> io::Result<i32>,
) -> io::Result<i32> {
    enter(pid, prepare, || execute(command, environment), wait_for)
}

/// The process that joins: it says why it cannot.
pub fn start_joiner(join_and_start: impl FnOnce() -> io::Result<i32>) -> io::Result<Pid> {
    clone(CloneFlags::empty(), || {
        join_and_start().unwrap_or_else(|error| {
            eprintln!("enter: {error}");
            125
        })
    })
}

/// All that it does.
pub fn join_and_start(
    namespaces: Vec<Namespace>,
    command: &[CString],
    environment: &[CString],
) -> io::Result<i32> {
    prepare(namespaces)?;
    wait(clone(CloneFlags::empty(), || execute(command, environment))?)
}

/// The joiner's steps, with another one in place of the joining.
pub fn prepare_so(
    namespaces: Vec<Namespace>,
    join: impl FnOnce(&[Namespace]) -> io::Result<()>,
) -> io::Result<()> {
    prctl::set_dumpable(false)?;
    leave(namespaces, join)
}

/// Joins, and closes all that is the host's.
pub fn leave(
    namespaces: Vec<Namespace>,
    join: impl FnOnce(&[Namespace]) -> io::Result<()>,
) -> io::Result<()> {
    let open = descriptors()?;
    join(&namespaces)?;
    drop(namespaces);
    close_all(&open);
    Ok(())
}

pub fn prepare(namespaces: Vec<Namespace>) -> io::Result<()> {
    prepare_so(namespaces, go_inside)
}

/// Joins, and changes to the root directory, whether joining leads there or not.
pub fn go_inside(namespaces: &[Namespace]) -> io::Result<()> {
    solution::join(namespaces)?;
    Ok(chdir("/")?)
}

/// What is open above 2, and what the list itself was read from.
pub fn descriptors() -> io::Result<Vec<i32>> {
    let entries = fs::read_dir("/proc/self/fd")?.collect::<io::Result<Vec<_>>>()?;
    let numbers = entries.iter().filter_map(|it| it.file_name().to_str()?.parse().ok());
    Ok(numbers.filter(|number| *number > 2).collect())
}

pub fn close_all(numbers: &[i32]) {
    for number in numbers {
        let _ = close(*number);
    }
}

pub fn wait(child: Pid) -> io::Result<i32> {
    wait_so(child, |signal| 128 + signal as i32)
}

/// Waits, and makes a number of a signal that has ended the child.
pub fn wait_so(child: Pid, number: fn(Signal) -> i32) -> io::Result<i32> {
    Ok(match waitpid(child, None)? {
        WaitStatus::Exited(_, code) => code,
        WaitStatus::Signaled(_, signal, _) => number(signal),
        other => panic!("{other:?} is no end"),
    })
}

pub fn execute(command: &[CString], environment: &[CString]) -> i32 {
    failure(command, look_up(command, environment))
}

/// What execve(2) says of a command that does not exist.
pub const MISSING: &[Errno] = &[Errno::ENOENT, Errno::ENOTDIR];

/// Says why there is no command, and returns the number for it.
pub fn failure(command: &[CString], errno: Errno) -> i32 {
    eprintln!("{:?}: {errno}", command[0]);
    if MISSING.contains(&errno) { 127 } else { 126 }
}

/// Becomes the command, or returns why not.
pub fn look_up(command: &[CString], environment: &[CString]) -> Errno {
    let become_it = |program: &CStr| become_it(program, command, environment);
    look_up_so(MISSING, command, environment, become_it)
}

/// The same with `execute` in place of execve(2). It gets each path that may be the
/// command's, and returns why that was not executed. An error of `missing` means that there
/// is nothing at that path.
pub fn look_up_so(
    missing: &[Errno],
    command: &[CString],
    environment: &[CString],
    execute: impl Fn(&CStr) -> Errno,
) -> Errno {
    let name = command[0].to_bytes();
    if name.contains(&b'/') {
        return execute(&command[0]);
    }
    let path = environment.iter().find_map(|it| it.to_bytes().strip_prefix(b"PATH="));
    let mut seen = Errno::ENOENT;
    for directory in path.unwrap_or_default().split(|byte| *byte == b':') {
        let program = CString::new([directory, b"/", name].concat()).expect("no NUL");
        let errno = execute(&program);
        if !missing.contains(&errno) {
            seen = errno;
        }
    }
    seen
}

pub fn become_it(program: &CStr, command: &[CString], environment: &[CString]) -> Errno {
    let Err(errno) = execve(program, command, environment);
    errno
}
