//! What a process is and may do: its signals, its groups, its keys, and what it can never
//! be again. Also descriptors that stand for a process.

use std::ffi::c_int;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::ptr;

use nix::errno::Errno;
use nix::sys::signal::{SigSet, Signal};
use nix::unistd::{Gid, Pid};

use super::finish;
use crate::error::Result;
use crate::explain;

/// Asks for SIGKILL when the parent's thread ends. See PR_SET_PDEATHSIG(2const).
///
/// # Errors
/// None that a valid signal can give.
pub fn die_with_parent() -> Result<()> {
    finish(
        nix::sys::prctl::set_pdeathsig(Signal::SIGKILL),
        || "prctl(PR_SET_PDEATHSIG, SIGKILL)".into(),
        |_| None,
    )
}

/// No execve from here on can gain privileges. See PR_SET_NO_NEW_PRIVS(2const).
///
/// # Errors
/// None that Linux 3.5 and later give.
pub fn set_no_new_privs() -> Result<()> {
    finish(nix::sys::prctl::set_no_new_privs(), || "prctl(PR_SET_NO_NEW_PRIVS, 1)".into(), |_| None)
}

/// Asks this filter before each call of this thread, and of all that it starts.
/// It needs no new privileges, or CAP_SYS_ADMIN. See PR_SET_SECCOMP(2const).
///
/// # Errors
/// EINVAL for an invalid program, or if the kernel has no filters.
pub fn set_seccomp_filter(filter: &[libc::sock_filter]) -> Result<()> {
    let program = libc::sock_fprog { len: filter.len() as u16, filter: filter.as_ptr().cast_mut() };
    // SAFETY: the kernel copies the program, which lives through the call.
    let result =
        unsafe { libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program) };
    finish(
        Errno::result(result).map(drop),
        || format!("prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, {} instructions)", filter.len()),
        |_| None,
    )
}

/// From here on, a call of this thread and of all that it starts fails with `errno`,
/// whatever it asks for, as if the kernel had no such call or a container's filter
/// refused it. `number` is the call's, `libc::SYS_mount`.
///
/// # Errors
/// As [`set_seccomp_filter`].
pub fn refuse_call(number: i64, errno: Errno) -> Result<()> {
    let statement = |code: u32, k, jf| libc::sock_filter { code: code as u16, jt: 0, jf, k };
    set_no_new_privs()?;
    set_seccomp_filter(&[
        // The number of the call is the first field of struct seccomp_data.
        statement(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0),
        statement(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, number as u32, 1),
        statement(libc::BPF_RET | libc::BPF_K, libc::SECCOMP_RET_ERRNO | errno as u32, 0),
        statement(libc::BPF_RET | libc::BPF_K, libc::SECCOMP_RET_ALLOW, 0),
    ])
}

/// Sets the supplementary groups. See setgroups(2).
///
/// # Errors
/// EPERM without CAP_SETGID, or where the user namespace forbids it.
pub fn setgroups(groups: &[u32]) -> Result<()> {
    let all: Vec<Gid> = groups.iter().copied().map(Gid::from_raw).collect();
    finish(
        nix::unistd::setgroups(&all),
        || format!("setgroups({groups:?})"),
        |errno| explain::capability(errno, "CAP_SETGID"),
    )
}

/// Sets the real, effective and saved group. See setresgid(2).
///
/// # Errors
/// EPERM without CAP_SETGID.
pub fn setresgid(group: u32) -> Result<()> {
    let gid = Gid::from_raw(group);
    finish(
        nix::unistd::setresgid(gid, gid, gid),
        || format!("setresgid({group}, {group}, {group})"),
        |errno| explain::capability(errno, "CAP_SETGID"),
    )
}

/// Gives this process its own session keyring, which is empty. See
/// keyctl_join_session_keyring(3).
///
/// # Errors
/// EDQUOT, ENOMEM; ENOSYS where the kernel has no keys.
pub fn join_new_session_keyring() -> Result<()> {
    const KEYCTL_JOIN_SESSION_KEYRING: c_int = 1;
    // SAFETY: no name is given, so nothing is read from memory.
    let result = unsafe { libc::syscall(libc::SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, 0) };
    finish(
        Errno::result(result).map(drop),
        || "keyctl(KEYCTL_JOIN_SESSION_KEYRING, NULL)".into(),
        |_| None,
    )
}

/// Sends a signal to the process that a descriptor stands for, by its number: nix
/// has no names for real-time signals. See pidfd_send_signal(2).
///
/// # Errors
/// ESRCH when it has ended, EPERM.
pub fn pidfd_send_signal(process: BorrowedFd, signal: c_int) -> nix::Result<()> {
    // SAFETY: no information goes along, so nothing is read from memory.
    let result =
        unsafe { libc::syscall(libc::SYS_pidfd_send_signal, process.as_raw_fd(), signal, 0, 0) };
    Errno::result(result).map(drop)
}

/// A descriptor that stands for the process `pid`. See pidfd_open(2).
///
/// # Errors
/// ESRCH when there is none.
pub fn pidfd_open(pid: Pid) -> nix::Result<OwnedFd> {
    // SAFETY: only numbers are given.
    let result = unsafe { libc::syscall(libc::SYS_pidfd_open, pid.as_raw(), 0) };
    // SAFETY: the call has just made this descriptor, nobody else owns it.
    Errno::result(result).map(|fd| unsafe { OwnedFd::from_raw_fd(fd as RawFd) })
}

/// Gives a signal its default action, whatever this process or its parents
/// set. See signal(7).
pub fn set_default_action(signal: c_int) {
    // The kernel's struct sigaction, as large as on any machine: zeros are the
    // default action, no flags and an empty mask. The C library is not asked,
    // because it keeps 32 and 33 to itself, also when they are ignored.
    let action = [0_u64; 4];
    let (mask, old) = (size_of::<u64>(), ptr::null_mut::<u64>());
    // SAFETY: the kernel reads `action`, which is no shorter than it expects. The
    // default action runs no code of ours. SIGKILL and SIGSTOP answer EINVAL: they
    // cannot be ignored in the first place.
    unsafe { libc::syscall(libc::SYS_rt_sigaction, signal, &raw const action, old, mask) };
}

/// Ignores this signal. See signal(7).
pub fn ignore_signal(signal: c_int) {
    // SAFETY: no code of ours runs.
    unsafe { libc::signal(signal, libc::SIG_IGN) };
}

/// Undoes what this process and its parents set: no signal is blocked, none
/// ignored. See signal(7).
pub fn reset_signals() {
    // The real-time signals too, for which nix has no names.
    (1..=libc::SIGRTMAX()).for_each(set_default_action);
    SigSet::empty().thread_set_mask().expect("a valid set");
}
