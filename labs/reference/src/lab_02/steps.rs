//! The steps of a start, for answers that take all of them but one.

use std::env;
use std::ffi::{CString, OsStr};
use std::io;
use std::os::unix::ffi::OsStrExt;

use lab_02_process::clone;
use nix::errno::Errno;
use nix::mount::{MsFlags, mount};
use nix::sched::CloneFlags;
use nix::unistd::{Pid, execv, execvp};

pub const NOTHING: Option<&str> = None;
pub const PRIVATE: MsFlags = MsFlags::MS_PRIVATE.union(MsFlags::MS_REC);
pub const SAFE: MsFlags = MsFlags::MS_NOSUID.union(MsFlags::MS_NODEV).union(MsFlags::MS_NOEXEC);
pub const ALL: CloneFlags = CloneFlags::CLONE_NEWNS
    .union(CloneFlags::CLONE_NEWPID)
    .union(CloneFlags::CLONE_NEWUTS)
    .union(CloneFlags::CLONE_NEWIPC)
    .union(CloneFlags::CLONE_NEWNET);

/// All of the solution's start, with something else in it.
pub fn start(
    namespaces: CloneFlags,
    prepare: impl FnOnce() -> nix::Result<()>,
    execute: impl FnOnce() -> Errno,
) -> io::Result<Pid> {
    start_child(namespaces, prepare, || failure(execute()))
}

/// The same with something else that the child does when it is prepared. It ends with
/// the code that `rest` returns.
pub fn start_child(
    namespaces: CloneFlags,
    prepare: impl FnOnce() -> nix::Result<()>,
    rest: impl FnOnce() -> i32,
) -> io::Result<Pid> {
    clone(namespaces, || match prepare() {
        Ok(()) => rest(),
        Err(errno) => {
            eprintln!("mount: {errno}");
            125
        }
    })
}

/// All of the solution's start, with one namespace left out.
pub fn without(namespace: CloneFlags, command: &[CString]) -> io::Result<Pid> {
    start(ALL.difference(namespace), prepare, || execute(command))
}

/// Says what could not be executed, and returns the exit code for it.
pub fn failure(errno: Errno) -> i32 {
    eprintln!("execve: {errno}");
    if errno == Errno::ENOENT { 127 } else { 126 }
}

/// Gives the child the mounts of a container.
pub fn prepare() -> nix::Result<()> {
    propagate(PRIVATE)?;
    mount_proc(SAFE)
}

pub fn propagate(flags: MsFlags) -> nix::Result<()> {
    mount(NOTHING, "/", NOTHING, flags, NOTHING)
}

pub fn mount_proc(flags: MsFlags) -> nix::Result<()> {
    mount(Some("proc"), "/proc", Some("proc"), flags, NOTHING)
}

pub fn execute(command: &[CString]) -> Errno {
    let Err(errno) = execvp(&command[0], command);
    errno
}

/// Looks for the command in `$PATH`, without the C library.
pub fn search(command: &[CString]) -> Errno {
    let path = env::var_os("PATH").unwrap_or_default();
    let mut failed = Errno::ENOENT;
    for folder in env::split_paths(&path) {
        let file = folder.join(OsStr::from_bytes(command[0].as_bytes()));
        let file = CString::new(file.as_os_str().as_bytes()).expect("no NUL in it");
        match execv(&file, command) {
            Err(Errno::ENOENT | Errno::ENOTDIR) => {}
            // There may be another one in the next.
            Err(Errno::EACCES) => failed = Errno::EACCES,
            Err(errno) => return errno,
        }
    }
    failed
}
