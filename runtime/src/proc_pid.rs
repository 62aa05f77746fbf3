//! What /proc says of a process. Its name in there is its own affair, and may be any
//! bytes. See proc_pid_stat(5), proc_pid_status(5).

use std::path::PathBuf;

use mydocker_kernel::{OnPath, Result};

/// When the process `pid` was started, in clock ticks since the machine was: no
/// other process of that number has the same. `None` if there is none.
///
/// # Errors
/// As open(2) and read(2).
pub fn start_time(pid: i32) -> Result<Option<u64>> {
    Ok(stat_field(pid, 22)?.and_then(|time| time.parse().ok()))
}

/// Whether a process has executed a program, and is no copy of its parent any more:
/// PF_FORKNOEXEC is not among its flags.
///
/// # Errors
/// As open(2) and read(2).
pub fn has_executed(pid: i32) -> Result<bool> {
    const PF_FORKNOEXEC: u32 = 0x40;
    Ok(flags(pid)?.is_some_and(|flags| flags & PF_FORKNOEXEC == 0))
}

/// Whether a process has begun to end, or has ended: PF_EXITING among its flags.
///
/// # Errors
/// As open(2) and read(2).
pub fn is_ending(pid: i32) -> Result<bool> {
    const PF_EXITING: u32 = 4;
    Ok(flags(pid)?.is_none_or(|flags| flags & PF_EXITING != 0))
}

/// Whether a process handles or ignores a signal. Without, the kernel drops what is
/// sent to PID 1 of a PID namespace. See pid_namespaces(7).
///
/// # Errors
/// As open(2) and read(2).
pub fn minds(pid: i32, signal: i32) -> Result<bool> {
    let status = read(pid, "status")?.unwrap_or_default();
    Ok(["SigCgt:", "SigIgn:"].iter().any(|set| {
        let line = status.lines().find_map(|line| line.strip_prefix(set)).unwrap_or_default();
        u64::from_str_radix(line.trim(), 16).unwrap_or_default() & 1 << (signal - 1) != 0
    }))
}

/// What the kernel notes of a process. See PF_* in include/linux/sched.h.
fn flags(pid: i32) -> Result<Option<u32>> {
    Ok(stat_field(pid, 9)?.and_then(|flags| flags.parse().ok()))
}

/// A field of /proc/PID/stat, as proc_pid_stat(5) numbers them.
fn stat_field(pid: i32, number: usize) -> Result<Option<String>> {
    let stat = read(pid, "stat")?.unwrap_or_default();
    // The second field is its name, in parentheses, which can be anything.
    let fields = stat.rsplit_once(')').map(|(_, fields)| fields.split_whitespace());
    Ok(fields.and_then(|mut fields| fields.nth(number - 3)).map(str::to_owned))
}

/// `None` if there is no such process, or no more when it is read.
fn read(pid: i32, file: &str) -> Result<Option<String>> {
    let path = PathBuf::from(format!("/proc/{pid}/{file}"));
    match std::fs::read(&path) {
        Err(error) if matches!(error.raw_os_error(), Some(libc::ENOENT | libc::ESRCH)) => Ok(None),
        other => other.on("read", &path).map(|text| Some(String::from_utf8_lossy(&text).into())),
    }
}
