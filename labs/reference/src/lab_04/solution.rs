//! Lab 04: the command through a pipe; the environment. The task is in README.md.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use nix::errno::Errno;

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
    // As long as this process could read itself, it would wait for a reader who is
    // gone, rather than be told.
    drop(read_end);
    // How many arguments, and each of them, with a NUL at the end: no argument has
    // one in it, and who counts sees when some are missing.
    let mut message = command.len().to_string().into_bytes();
    message.push(0);
    for argument in command {
        message.extend(argument.as_bytes());
        message.push(0);
    }
    // One write(2) need not write all. The end of `File` closes the write end.
    File::from(write_end).write_all(&message)
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
    // The end never comes while somebody could still write: this process could.
    drop(write_end);
    let mut message = Vec::new();
    File::from(read_end).read_to_end(&mut message)?;

    // After the last NUL there is nothing, unless the message was cut off there.
    let fields: Vec<&[u8]> = message.split(|byte| *byte == 0).collect();
    if let [count, arguments @ .., b""] = fields.as_slice()
        && arguments.len().to_string().as_bytes() == *count
    {
        return Ok(arguments.iter().map(|it| OsString::from_vec(it.to_vec())).collect());
    }
    Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the command was cut off"))
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
    let is_whole = |variable: &OsString| variable.as_bytes().contains(&b'=');
    let mut environment: Vec<OsString> = Vec::new();
    // A name alone stands for the host's value only where the user has given it.
    for variable in image.iter().filter(|it| is_whole(it)).chain(given) {
        if is_whole(variable) {
            set(&mut environment, variable.clone());
        } else if let Some((name, value)) = host.iter().find(|(name, _)| name == variable) {
            set(&mut environment, [name.as_os_str(), value].join(OsStr::new("=")));
        }
    }
    if !environment.iter().any(|variable| name_of(variable) == b"PATH") {
        environment.push(format!("PATH={DEFAULT_PATH}").into());
    }
    environment
}

// Replaces the variable of that name where it stands, or adds it.
fn set(environment: &mut Vec<OsString>, variable: OsString) {
    match environment.iter_mut().find(|it| name_of(it) == name_of(&variable)) {
        Some(present) => *present = variable,
        None => environment.push(variable),
    }
}

// What stands before the first `=`; the value may have others in it.
fn name_of(variable: &OsStr) -> &[u8] {
    variable.as_bytes().split(|byte| *byte == b'=').next().unwrap_or_default()
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
#[allow(unsafe_code)]
pub fn close_descriptors() -> io::Result<()> {
    // One call, whatever the numbers are and without a look into /proc.
    // SAFETY: nothing in this process uses them afterwards; it is about to execve.
    let result = unsafe { libc::close_range(3, libc::c_uint::MAX, 0) };
    Errno::result(result)?;
    Ok(())
}
