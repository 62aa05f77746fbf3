//! The steps of an exec, for answers that take all of them but one.

use std::ffi::{CStr, CString};
use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;

use lab_02_process::clone;
use lab_11_grader::Namespace;
use nix::errno::Errno;
use nix::fcntl::{OFlag, open, openat};
use nix::sched::CloneFlags;
use nix::sys::prctl;
use nix::sys::stat::{Mode, fstat};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{Pid, close, execve};

use super::solution;

pub const KINDS: [(&str, CloneFlags); 7] = [
    ("user", CloneFlags::CLONE_NEWUSER),
    ("mnt", CloneFlags::CLONE_NEWNS),
    ("pid", CloneFlags::CLONE_NEWPID),
    ("uts", CloneFlags::CLONE_NEWUTS),
    ("ipc", CloneFlags::CLONE_NEWIPC),
    ("net", CloneFlags::CLONE_NEWNET),
    ("cgroup", CloneFlags::CLONE_NEWCGROUP),
];

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

/// The namespaces of these kinds, each opened in this way.
pub fn open_each(
    kinds: &[(&str, CloneFlags)],
    open: impl Fn(&str) -> io::Result<OwnedFd>,
) -> io::Result<Vec<Namespace>> {
    let mut namespaces = Vec::new();
    for (name, kind) in kinds {
        let theirs = open(name)?;
        if !is_own(name, &theirs)? {
            namespaces.push((*kind, theirs));
        }
    }
    Ok(namespaces)
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
    let joiner = clone(CloneFlags::empty(), || {
        let born =
            prepare(namespaces).and_then(|()| wait_for(clone(CloneFlags::empty(), execute)?));
        born.unwrap_or_else(|error| {
            eprintln!("enter: {error}");
            125
        })
    })?;
    wait(joiner)
}

/// The joiner's steps, with another one in place of the joining.
pub fn prepare_so(
    namespaces: Vec<Namespace>,
    join: impl FnOnce(&[Namespace]) -> io::Result<()>,
) -> io::Result<()> {
    prctl::set_dumpable(false)?;
    let open = descriptors()?;
    join(&namespaces)?;
    drop(namespaces);
    close_all(&open);
    Ok(())
}

pub fn prepare(namespaces: Vec<Namespace>) -> io::Result<()> {
    prepare_so(namespaces, solution::join)
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
    Ok(match waitpid(child, None)? {
        WaitStatus::Exited(_, code) => code,
        WaitStatus::Signaled(_, signal, _) => 128 + signal as i32,
        other => panic!("{other:?} is no end"),
    })
}

pub fn execute(command: &[CString], environment: &[CString]) -> i32 {
    failure(command, look_up(command, environment))
}

/// Says why there is no command, and returns the number for it.
pub fn failure(command: &[CString], errno: Errno) -> i32 {
    eprintln!("{:?}: {errno}", command[0]);
    if errno == Errno::ENOENT { 127 } else { 126 }
}

/// Becomes the command, or returns why not.
pub fn look_up(command: &[CString], environment: &[CString]) -> Errno {
    let name = command[0].to_bytes();
    if name.contains(&b'/') {
        return become_it(&command[0], command, environment);
    }
    let path = environment.iter().find_map(|it| it.to_bytes().strip_prefix(b"PATH="));
    let mut seen = Errno::ENOENT;
    for directory in path.unwrap_or_default().split(|byte| *byte == b':') {
        let program = CString::new([directory, b"/", name].concat()).expect("no NUL");
        match become_it(&program, command, environment) {
            Errno::ENOENT => {}
            errno => seen = errno,
        }
    }
    seen
}

pub fn become_it(program: &CStr, command: &[CString], environment: &[CString]) -> Errno {
    let Err(errno) = execve(program, command, environment);
    errno
}
