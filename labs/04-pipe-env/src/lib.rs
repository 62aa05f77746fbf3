//! Lab 04: the command through a pipe; the environment. The task is in README.md.

use std::ffi::OsString;
use std::io;
use std::os::fd::OwnedFd;

/// Where programs are looked for when nobody says otherwise.
pub const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Sends a command through a pipe to the container's first process.
///
/// This runs in the runtime, which has both ends of the pipe. The runtime is the
/// writer: it has no use for the read end, which does harm while it is open. When
/// the function returns, both ends are closed in this process, and the reader sees
/// the end of the message.
///
/// You choose how the command is encoded: you write [`receive_command`] too. A command
/// has one argument or more. An argument may be empty, and may contain any byte except
/// NUL. All arguments together may be far longer than a pipe can hold. The reader must
/// notice when the message was cut off.
///
/// # Errors
/// Those of write(2): EPIPE if nobody reads any more. SIGPIPE is ignored, as in every
/// Rust program; leave it that way. An interrupting signal is not an error. Both ends are
/// closed after an error, too.
pub fn send_command(read_end: OwnedFd, write_end: OwnedFd, command: &[OsString]) -> io::Result<()> {
    todo!("send {command:?} from {write_end:?} to {read_end:?}")
}

/// Receives the command that [`send_command`] sent, up to the last byte.
///
/// This runs in the container's first process, which is the reader. Even so,
/// clone(2) gave it copies of both ends of the pipe. It reads up to the end, which
/// comes only when no process has the write end open any more; if the message itself
/// says where it ends, there is no need to wait for that. When the function returns,
/// both ends are closed in this process. See pipe(7).
///
/// # Errors
/// Those of read(2). It is also an error if the message was cut off at any point,
/// or if there is no message because the runtime was killed. Half a command must
/// never run. An interrupting signal is not an error. Both ends are closed after an
/// error, too. If the message is not a command, the rest of it need not be read.
pub fn receive_command(read_end: OwnedFd, write_end: OwnedFd) -> io::Result<Vec<OsString>> {
    todo!("receive a command from {read_end:?}, not from {write_end:?}")
}

/// Returns the command's environment as `NAME=value` entries: the image's
/// environment, changed by what was given with `-e`.
///
/// - `NAME=value` adds a variable or replaces it. Only the first `=` separates.
/// - `NAME` alone stands for the value that the variable has on the host. If the
///   host does not have it, nothing changes.
/// - An entry of the image that has no `=` is left out.
/// - No other variable of the host comes in.
/// - Each name occurs once. The last value wins, in the place of the first. New
///   variables come after the existing ones.
/// - If there is no PATH, `PATH=` with [`DEFAULT_PATH`] is added at the end.
///
/// Names and values are bytes, not text, and a value may be empty. No name is empty, and
/// the host has each name once.
///
/// See environ(7).
pub fn merge_environment(
    image: &[OsString],
    given: &[OsString],
    host: &[(OsString, OsString)],
) -> Vec<OsString> {
    todo!("{image:?}, changed by {given:?}, with {} variables of the host", host.len())
}

/// Makes sure that a program started by execve(2) now gets the descriptors 0, 1 and
/// 2, and no others: close the others, or mark them close-on-exec.
///
/// The others may have any numbers, with gaps, even above both limits of RLIMIT_NOFILE,
/// the soft and the hard one. Some may be close-on-exec already. Nothing in this process
/// uses them afterwards. /proc is mounted, and a number below both limits is free.
///
/// # Errors
/// Those of the calls that you make: it is an error if a descriptor above 2 would
/// still go to the program.
pub fn close_descriptors() -> io::Result<()> {
    todo!("close what is above 2")
}
