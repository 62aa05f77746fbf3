//! The standard streams of a container without a terminal of its own.
//!
//! Whoever has a file open can open it once more by /proc/self/fd, for reading, for
//! writing, or to empty it; and on a terminal also read what is typed, and switch the
//! echo off. So the container gets pipes, as with docker, and we carry the bytes. A
//! pipe or a socket of the caller's it gets as it is.

use std::fs::File;
use std::io::{ErrorKind, Write, stderr, stdin, stdout};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::path::Path;

use crate::log::{self, LogStream};
use mydocker_kernel::{Error, OnPath, Result};
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::stat::{FileStat, fstat, major};
use nix::unistd::{dup2_stderr, dup2_stdin, dup2_stdout, pipe2};
use rustix::buffer::spare_capacity;

/// How much is carried at once.
const BUFFER: usize = 64 * 1024;

/// The container's ends of the pipes; `None` for a stream that it gets as it is.
#[derive(Debug, Default)]
pub struct ContainerStreams {
    input: Option<OwnedFd>,
    output: Option<OwnedFd>,
    errors: Option<OwnedFd>,
}

/// Our ends.
#[derive(Debug, Default)]
pub struct Streams {
    /// What the container reads.
    pub input: Option<Input>,
    /// What it writes.
    pub outputs: Vec<Output>,
    /// Where what it writes to its terminal goes, instead of to ours.
    pub terminal_log: Option<LogStream>,
    /// The other end of a stdin on which nothing ever comes.
    silent: Option<OwnedFd>,
}

/// Makes the pipes that are needed; only with `interactive` one for stdin.
///
/// # Errors
/// EMFILE and the like.
pub fn pipes(interactive: bool) -> Result<(Streams, ContainerStreams)> {
    let (mut ours, mut theirs) = (Streams::default(), ContainerStreams::default());
    let look = |stream: BorrowedFd| fstat(stream).on("fstat", Path::new("/dev/std…"));
    let (input, output, errors) =
        (look(stdin().as_fd())?, look(stdout().as_fd())?, look(stderr().as_fd())?);
    if interactive && !is_harmless(&input) {
        let (read, write) = pipe()?;
        set_nonblocking(&write)?;
        ours.input = Some(Input { to: write.into(), typed: Vec::new() });
        theirs.input = Some(read);
    }
    if !is_harmless(&output) {
        let (read, write) = pipe()?;
        theirs.output = Some(write);
        ours.outputs.push(Output::new(read, Screen::Output)?);
    }
    // If both go to one place, what is written stays in its order.
    let is_one = (output.st_dev, output.st_ino) == (errors.st_dev, errors.st_ino);
    match &theirs.output {
        Some(output) if is_one => {
            theirs.errors = Some(output.try_clone().on("dup", Path::new("/dev/stderr"))?);
        }
        _ if is_harmless(&errors) => {}
        _ => {
            let (read, write) = pipe()?;
            theirs.errors = Some(write);
            ours.outputs.push(Output::new(read, Screen::Errors)?);
        }
    }
    Ok((ours, theirs))
}

/// For a container in the background: what it writes goes into its log; if it is to
/// read, it waits for ever. With a terminal of its own there are no pipes.
///
/// # Errors
/// As [`crate::log::create`]; EMFILE and the like.
pub fn into_log(
    folder: &Path,
    interactive: bool,
    terminal: bool,
) -> Result<(Streams, ContainerStreams)> {
    let (mut ours, mut theirs) = (Streams::default(), ContainerStreams::default());
    let [output, errors] = log::create(folder)?;
    if terminal {
        ours.terminal_log = Some(output);
        return Ok((ours, theirs));
    }
    if interactive {
        let (read, write) = pipe()?;
        ours.silent = Some(write);
        theirs.input = Some(read);
    }
    for (log, end) in [(output, &mut theirs.output), (errors, &mut theirs.errors)] {
        let (read, write) = pipe()?;
        *end = Some(write);
        ours.outputs.push(Output::new(read, Screen::Log(log))?);
    }
    Ok((ours, theirs))
}

/// Whether opening it once more harms nobody: a pipe, a socket, or a device of the
/// memory, as /dev/null.
fn is_harmless(file: &FileStat) -> bool {
    match file.st_mode & libc::S_IFMT {
        libc::S_IFIFO | libc::S_IFSOCK => true,
        libc::S_IFCHR => major(file.st_rdev) == 1,
        _ => false,
    }
}

fn pipe() -> Result<(OwnedFd, OwnedFd)> {
    pipe2(OFlag::O_CLOEXEC).map_err(|errno| Error::call("pipe2(O_CLOEXEC)", errno))
}

fn set_nonblocking(end: &OwnedFd) -> Result<()> {
    fcntl(end, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).on("fcntl", Path::new("pipe")).map(drop)
}

impl ContainerStreams {
    /// The descriptors.
    pub fn descriptors(&self) -> Vec<RawFd> {
        let all = [&self.input, &self.output, &self.errors];
        all.into_iter().flatten().map(AsRawFd::as_raw_fd).collect()
    }

    /// In the container: makes them the standard streams.
    ///
    /// # Errors
    /// As dup2(2).
    pub fn enter(&self) -> Result<()> {
        let [input, output, errors] = [&self.input, &self.output, &self.errors];
        input.as_ref().map_or(Ok(()), dup2_stdin).on("dup2", Path::new("/dev/stdin"))?;
        output.as_ref().map_or(Ok(()), dup2_stdout).on("dup2", Path::new("/dev/stdout"))?;
        errors.as_ref().map_or(Ok(()), dup2_stderr).on("dup2", Path::new("/dev/stderr"))
    }
}

/// What we read, for the container.
#[derive(Debug)]
pub struct Input {
    to: File,
    /// Read, and not yet taken by the container.
    typed: Vec<u8>,
}

impl Input {
    /// What is waited for: that there is something to read, or room for it.
    pub fn awaited(&self) -> Option<PollFlags> {
        (!self.typed.is_empty()).then_some(PollFlags::POLLOUT)
    }

    /// The container's side.
    pub fn end(&self) -> BorrowedFd<'_> {
        self.to.as_fd()
    }

    /// Reads and passes on as much as there is. Returns whether there may be more.
    pub fn carry(&mut self) -> bool {
        if self.typed.is_empty() {
            match read_some(stdin()) {
                Err(Errno::EINTR | Errno::EAGAIN) => return true,
                Ok(bytes) if !bytes.is_empty() => self.typed = bytes,
                _ => return false,
            }
        }
        match self.to.write(&self.typed) {
            Ok(length) => drop(self.typed.drain(..length)),
            Err(error)
                if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
            Err(_) => return false,
        }
        true
    }
}

#[derive(Debug)]
enum Screen {
    Output,
    Errors,
    Log(LogStream),
}

/// What the container writes, for our stdout or stderr or its log.
#[derive(Debug)]
pub struct Output {
    from: Option<File>,
    screen: Screen,
    /// What kept a part of it from being shown.
    pub failure: Option<Error>,
}

impl Output {
    fn new(from: OwnedFd, screen: Screen) -> Result<Output> {
        set_nonblocking(&from)?;
        Ok(Output { from: Some(from.into()), screen, failure: None })
    }

    /// The container's side, unless it is closed.
    pub fn end(&self) -> Option<BorrowedFd<'_>> {
        self.from.as_ref().map(File::as_fd)
    }

    /// Shows what was written. Returns whether there may be more.
    pub fn carry(&mut self) -> bool {
        let Some(from) = &self.from else { return false };
        match read_some(from) {
            Ok(bytes) if !bytes.is_empty() => {
                let (call, shown) = match &self.screen {
                    Screen::Output => ("write(stdout)", write_all(stdout().as_fd(), &bytes)),
                    Screen::Errors => ("write(stderr)", write_all(stderr().as_fd(), &bytes)),
                    Screen::Log(log) => {
                        log.write(&bytes);
                        return true;
                    }
                };
                if let Err(errno) = shown {
                    // Nobody reads it, and so it is for the container from here on.
                    self.from = None;
                    // That a reader has gone, or a terminal, is no failure of ours.
                    if !matches!(errno, Errno::EPIPE | Errno::EIO) {
                        self.failure = Some(Error::call(call, errno));
                    }
                }
                true
            }
            Err(Errno::EINTR) => true,
            Err(Errno::EAGAIN) => false,
            _ => {
                self.from = None;
                false
            }
        }
    }
}

/// Reads as much as there is, and at once at most 64 KiB; nothing at the end. No
/// memory is touched beside that of the bytes: the kernel gives it page by page, and
/// that takes longer than the call.
pub fn read_some(from: impl AsFd) -> nix::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(BUFFER);
    rustix::io::read(from, spare_capacity(&mut bytes))
        .map_err(|errno| Errno::from_raw(errno.raw_os_error()))?;
    Ok(bytes)
}

fn write_all(screen: BorrowedFd, mut bytes: &[u8]) -> nix::Result<()> {
    while !bytes.is_empty() {
        match nix::unistd::write(screen, bytes) {
            Ok(length) => bytes = &bytes[length..],
            Err(Errno::EINTR) => {}
            // Somebody has made it so for all that have it open.
            Err(Errno::EAGAIN) => {
                let mut room = [PollFd::new(screen, PollFlags::POLLOUT)];
                let _ = poll(&mut room, PollTimeout::NONE);
            }
            Err(errno) => return Err(errno),
        }
    }
    Ok(())
}
