//! Lab 04: the command through a pipe; the environment. The task is in README.md.

use std::ffi::OsString;
use std::io;
use std::os::fd::OwnedFd;

/// Where programs are looked for when nobody says otherwise.
pub const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Sends a command to the container's first process, through a pipe.
///
/// Runs in the runtime, which has both ends of the pipe. Of the two processes it
/// is the one that writes: the other end is of no use to it, and does harm while
/// it is open. When the function returns, both ends are closed here, and the
/// reader sees the end.
///
/// How the command is written down is up to you, for [`receive_command`] is yours
/// too. An argument may be empty and may hold every byte but NUL; all of them
/// together may be much longer than what a pipe can hold; the reader must see
/// when the message was cut off.
///
/// # Errors
/// As write(2): EPIPE when nobody reads any more. A signal that comes in between
/// is no error.
pub fn send_command(read_end: OwnedFd, write_end: OwnedFd, command: &[OsString]) -> io::Result<()> {
    todo!("send {command:?} from {write_end:?} to {read_end:?}")
}

/// Receives the command that [`send_command`] has sent, to the last byte.
///
/// Runs in the container's first process. clone(2) has given it copies of both
/// ends of the pipe, although it is the one that reads. It reads up to the end,
/// which comes when nobody has the write end open any more: nobody at all. When
/// the function returns, both ends are closed here. See pipe(7).
///
/// # Errors
/// As read(2). Also when the message was cut off, wherever that was, or when
/// there is none: the runtime was killed. Half a command must never run. A
/// signal that comes in between is no error.
pub fn receive_command(read_end: OwnedFd, write_end: OwnedFd) -> io::Result<Vec<OsString>> {
    todo!("receive a command from {read_end:?}, not from {write_end:?}")
}

/// The environment of the command, `NAME=value` each: that of the image, changed
/// by what was given with `-e`.
///
/// - `NAME=value` adds a variable, or replaces it. Only the first `=` separates.
/// - `NAME` alone stands for the value that the variable has on the host; if it
///   has none there, nothing is changed.
/// - No other variable of the host comes in.
/// - Each name occurs once: what comes later wins, at the place of the first.
///   What is new comes after what was there.
/// - Without a PATH in it, `PATH=` with [`DEFAULT_PATH`] is added.
///
/// See environ(7).
pub fn merge_environment(
    image: &[OsString],
    given: &[OsString],
    host: &[(OsString, OsString)],
) -> Vec<OsString> {
    todo!("{image:?}, changed by {given:?}, with {} variables of the host", host.len())
}

/// Sees to it that a program started by execve(2) now gets the descriptors 0, 1
/// and 2, and no others: they are closed, or marked close-on-exec.
///
/// They may have any numbers, with gaps between them, and also higher ones than
/// RLIMIT_NOFILE allows now. Nothing in this process uses them afterwards.
///
/// # Errors
/// As close_range(2).
pub fn close_descriptors() -> io::Result<()> {
    todo!("close what is above 2")
}
