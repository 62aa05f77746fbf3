//! Lab 04: the command through a pipe; the environment. The task is in README.md.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use nix::errno::Errno;

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
    let mut environment: Vec<OsString> = Vec::new();
    for variable in image.iter().chain(given) {
        if variable.as_bytes().contains(&b'=') {
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

/// Sees to it that a program started by execve(2) now gets the descriptors 0, 1
/// and 2, and no others: they are closed, or marked close-on-exec.
///
/// They may have any numbers, with gaps between them, and also higher ones than
/// RLIMIT_NOFILE allows now. Nothing in this process uses them afterwards.
///
/// # Errors
/// As close_range(2).
#[allow(unsafe_code)]
pub fn close_descriptors() -> io::Result<()> {
    // One call, whatever the numbers are and without a look into /proc.
    // SAFETY: nothing in this process uses them afterwards; it is about to execve.
    let result = unsafe { libc::close_range(3, libc::c_uint::MAX, 0) };
    Errno::result(result)?;
    Ok(())
}
