//! A process that is killed in the middle of its work. See ptrace(2).

use nix::sys::ptrace;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::Pid;

/// Lets a stopped child run until it is about to make the `nth` call that
/// changes something, and kills it there. Returns how it ended, if before.
pub fn run_until(child: Pid, nth: usize) -> nix::Result<Option<WaitStatus>> {
    waitpid(child, None)?;
    ptrace::setoptions(
        child,
        ptrace::Options::PTRACE_O_TRACESYSGOOD | ptrace::Options::PTRACE_O_EXITKILL,
    )?;
    let mut made = 0;
    let mut signal = None;
    loop {
        ptrace::syscall(child, signal)?;
        signal = None;
        match waitpid(child, None)? {
            WaitStatus::PtraceSyscall(_) => {
                let call = call_to_be_made(&ptrace::syscall_info(child)?);
                if !call.is_some_and(|call| CHANGING_CALLS.contains(&call)) {
                    continue;
                }
                made += 1;
                if made == nth {
                    kill(child, Signal::SIGKILL)?;
                    waitpid(child, None)?;
                    return Ok(None);
                }
            }
            WaitStatus::Stopped(_, Signal::SIGSTOP | Signal::SIGTRAP) => {}
            WaitStatus::Stopped(_, other) => signal = Some(other),
            ended @ (WaitStatus::Exited(..) | WaitStatus::Signaled(..)) => return Ok(Some(ended)),
            _ => {}
        }
    }
}

/// The number of the call before which the process stands; nothing after one.
#[allow(unsafe_code)]
fn call_to_be_made(info: &libc::ptrace_syscall_info) -> Option<i64> {
    // SAFETY: for this `op` the kernel has filled `entry`.
    (info.op == libc::PTRACE_SYSCALL_INFO_ENTRY).then(|| unsafe { info.u.entry.nr as i64 })
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
