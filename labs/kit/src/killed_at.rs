//! A process that is killed in the middle of its work. See ptrace(2).

use std::collections::BTreeSet;

use nix::errno::Errno;
use nix::sys::ptrace;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

/// Begins to trace a process that waits in a call.
///
/// # Errors
/// As ptrace(2).
pub fn trace(process: Pid) -> nix::Result<()> {
    ptrace::seize(process, OPTIONS)?;
    ptrace::interrupt(process)?;
    waitpid(process, None).map(drop)
}

const OPTIONS: ptrace::Options = ptrace::Options::PTRACE_O_TRACESYSGOOD
    .union(ptrace::Options::PTRACE_O_EXITKILL)
    .union(ptrace::Options::PTRACE_O_TRACEFORK)
    .union(ptrace::Options::PTRACE_O_TRACEVFORK)
    .union(ptrace::Options::PTRACE_O_TRACECLONE);

/// Lets a traced process that is stopped run until it, or a process that it has started, is
/// about to make the `nth` call that changes something, and kills them there.
/// Returns how the child ended, if before.
pub fn run_until(child: Pid, nth: usize) -> nix::Result<Option<WaitStatus>> {
    ptrace::syscall(child, None)?;
    let mut traced = BTreeSet::from([child]);
    let mut made = 0;
    loop {
        let status = waitpid(None, Some(WaitPidFlag::__WALL))?;
        let Some(stopped) = status.pid() else { continue };
        let signal = match status {
            WaitStatus::PtraceSyscall(_) => {
                let call = call_to_be_made(&ptrace::syscall_info(stopped)?);
                made += usize::from(call.is_some_and(|call| CHANGING_CALLS.contains(&call)));
                if made == nth {
                    return end(&traced).map(|()| None);
                }
                None
            }
            WaitStatus::Exited(..) | WaitStatus::Signaled(..) if stopped == child => {
                return Ok(Some(status));
            }
            WaitStatus::Exited(..) | WaitStatus::Signaled(..) => {
                traced.remove(&stopped);
                continue;
            }
            // The first stop of a new process, and that of an exec.
            WaitStatus::Stopped(_, Signal::SIGSTOP | Signal::SIGTRAP) => None,
            WaitStatus::Stopped(_, other) => Some(other),
            _ => None,
        };
        traced.insert(stopped);
        match ptrace::syscall(stopped, signal) {
            // Another one has killed it.
            Ok(()) | Err(Errno::ESRCH) => {}
            Err(errno) => return Err(errno),
        }
    }
}

/// Kills all and waits for the end of each.
fn end(traced: &BTreeSet<Pid>) -> nix::Result<()> {
    for process in traced {
        let _ = kill(*process, Signal::SIGKILL);
    }
    // A tracer is told of each end, also of processes that are not its children.
    let mut left = traced.clone();
    while !left.is_empty() {
        match waitpid(None, Some(WaitPidFlag::__WALL)) {
            Ok(WaitStatus::Exited(ended, _) | WaitStatus::Signaled(ended, ..)) => {
                left.remove(&ended);
            }
            Ok(_) => {}
            Err(Errno::ECHILD) => return Ok(()),
            Err(errno) => return Err(errno),
        }
    }
    Ok(())
}

/// The number of the call before which the process is stopped; nothing after one.
#[allow(unsafe_code)]
fn call_to_be_made(info: &libc::ptrace_syscall_info) -> Option<i64> {
    match info.op {
        // SAFETY: for this `op` the kernel has filled `entry`.
        libc::PTRACE_SYSCALL_INFO_ENTRY => Some(unsafe { info.u.entry.nr as i64 }),
        _ => None,
    }
}

/// The calls that change files or mounts.
const CHANGING_CALLS: &[i64] = &[
    libc::SYS_openat,
    libc::SYS_write,
    libc::SYS_mkdirat,
    libc::SYS_unlinkat,
    libc::SYS_linkat,
    libc::SYS_symlinkat,
    libc::SYS_renameat2,
    libc::SYS_renameat,
    libc::SYS_mknodat,
    libc::SYS_fchmodat,
    libc::SYS_fchownat,
    libc::SYS_ftruncate,
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_move_mount,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_mkdir,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_rmdir,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_unlink,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_link,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_symlink,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_rename,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_mknod,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_chmod,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_open,
];
