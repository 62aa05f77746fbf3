//! A terminal of the container's own, and ours as its screen and keyboard.
//!
//! The container opens a pseudo-terminal in its own /dev/pts, so that `tty` and
//! job control work in it, and sends us the master end. See pty(7).

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, IsTerminal, Write, stderr, stdin, stdout};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::pty::{PtyMaster, grantpt, posix_openpt, ptsname_r, unlockpt};
use nix::sys::termios::{SetArg, Termios, cfmakeraw, tcgetattr, tcsetattr};
use nix::unistd::{dup2_stderr, dup2_stdin, dup2_stdout, setsid};
use rustix::termios::{Winsize, tcgetwinsize, tcsetwinsize};

use crate::log::LogStream;
use crate::streams::read_some;
use mydocker_kernel::{Error, OnPath, Result};

/// The size of the window that this process runs in, if it has one.
pub fn window_size() -> Option<Winsize> {
    tcgetwinsize(stdin())
        .or_else(|_| tcgetwinsize(stdout()))
        .or_else(|_| tcgetwinsize(stderr()))
        .ok()
}

/// In the container: opens a pseudo-terminal of this size in its /dev/pts.
///
/// # Errors
/// /dev/ptmx or the slave cannot be opened.
pub fn open_terminal(size: Option<Winsize>) -> Result<(PtyMaster, PathBuf)> {
    let ptmx = Path::new("/dev/ptmx");
    let flags = OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_CLOEXEC;
    let master = posix_openpt(flags).on("open", ptmx)?;
    grantpt(&master).and_then(|()| unlockpt(&master)).on("unlockpt", ptmx)?;
    if let Some(size) = size {
        // The size is a convenience: a terminal without one works.
        let _ = tcsetwinsize(&master, size);
    }
    let slave = ptsname_r(&master).on("ptsname", ptmx)?;
    Ok((master, slave.into()))
}

/// In the container: makes `slave` the controlling terminal and the standard
/// streams. The first terminal that the leader of a session opens becomes its
/// controlling one. See setsid(2), open(2).
///
/// # Errors
/// The slave cannot be opened.
pub fn enter_terminal(slave: &Path) -> Result<()> {
    setsid().on("setsid", slave)?;
    let file = OpenOptions::new().read(true).write(true).open(slave).on("open", slave)?;
    dup2_stdin(&file)
        .and_then(|()| dup2_stdout(&file))
        .and_then(|()| dup2_stderr(&file))
        .on("dup2", slave)
}

/// Our own terminal in raw mode; back as it was when this is dropped.
#[derive(Debug)]
struct RawMode(Termios);

impl RawMode {
    fn begin() -> Option<RawMode> {
        let before = tcgetattr(stdin()).ok()?;
        let mut raw = before.clone();
        cfmakeraw(&mut raw);
        tcsetattr(stdin(), SetArg::TCSADRAIN, &raw).ok()?;
        Some(RawMode(before))
    }
}

impl Drop for RawMode {
    fn drop(&mut self) {
        // The terminal may have gone; then there is nothing to restore.
        let _ = tcsetattr(stdin(), SetArg::TCSADRAIN, &self.0);
    }
}

/// In the parent: carries bytes between our terminal and the container's.
#[derive(Debug)]
pub struct Relay {
    master: File,
    /// Typed, and not yet taken by the container.
    typed: Vec<u8>,
    /// Whether stdin is read at all, and has not ended.
    reads_stdin: bool,
    /// Whether the container's side is still open.
    pub open: bool,
    /// Whether our own terminal has gone.
    pub hung_up: bool,
    /// What kept a part of the output from being shown.
    pub failure: Option<Error>,
    /// Where the output goes instead of to our screen.
    log: Option<LogStream>,
    _raw_mode: Option<RawMode>,
}

impl Relay {
    /// Begins: with `interactive`, what is typed goes to the container; with a log,
    /// what it writes goes there.
    ///
    /// # Errors
    /// fcntl(2) on the master.
    pub fn begin(master: OwnedFd, interactive: bool, log: Option<LogStream>) -> Result<Relay> {
        // A container that does not read must not keep us from showing what
        // it writes.
        fcntl(&master, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).on("fcntl", Path::new("/dev/ptmx"))?;
        let raw_mode = if interactive && stdin().is_terminal() { RawMode::begin() } else { None };
        Ok(Relay {
            master: master.into(),
            typed: Vec::new(),
            reads_stdin: interactive,
            open: true,
            hung_up: false,
            failure: None,
            log,
            _raw_mode: raw_mode,
        })
    }

    /// The container's side, to be waited for.
    pub fn master(&self) -> BorrowedFd<'_> {
        self.master.as_fd()
    }

    /// Whether more may be typed now.
    pub fn wants_input(&self) -> bool {
        self.open && self.reads_stdin && self.typed.is_empty()
    }

    /// Whether something typed waits for the container.
    pub fn has_typed(&self) -> bool {
        self.open && !self.typed.is_empty()
    }

    /// Takes what was typed.
    pub fn read_stdin(&mut self) {
        match read_some(stdin()) {
            Err(Errno::EINTR | Errno::EAGAIN) => {}
            Ok(bytes) if !bytes.is_empty() => {
                self.typed.extend_from_slice(&bytes);
                self.write_typed();
            }
            _ => {
                self.reads_stdin = false;
                self.hung_up = true;
            }
        }
    }

    /// Passes on as much of what was typed as the container takes.
    pub fn write_typed(&mut self) {
        match self.master.write(&self.typed) {
            Ok(length) => drop(self.typed.drain(..length)),
            Err(error)
                if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
            Err(_) => self.typed.clear(),
        }
    }

    /// Shows what the container wrote. Returns whether there may be more.
    pub fn show_output(&mut self) -> bool {
        match read_some(&self.master) {
            Ok(bytes) if !bytes.is_empty() => {
                if let Some(log) = &self.log {
                    log.write(&bytes);
                    return true;
                }
                let mut screen = stdout();
                let shown = screen.write_all(&bytes).and_then(|()| screen.flush());
                // Nobody is there when our screen has gone, and the end of the
                // container is what ends us. But a full disk is to be told of.
                if let Err(error) = shown {
                    if error.kind() == ErrorKind::BrokenPipe {
                        self.hung_up = true;
                        return false;
                    }
                    if !screen.is_terminal() {
                        let errno = error.raw_os_error().unwrap_or_default();
                        self.fail("write(stdout)", Errno::from_raw(errno));
                    }
                }
                true
            }
            Err(Errno::EINTR) => true,
            Err(Errno::EAGAIN) => false,
            other => {
                self.open = false;
                // EIO: the last process has closed the slave.
                if let Err(errno) = other
                    && errno != Errno::EIO
                {
                    self.fail("read(/dev/ptmx)", errno);
                }
                false
            }
        }
    }

    fn fail(&mut self, call: &str, errno: Errno) {
        self.failure.get_or_insert(Error::call(call, errno));
    }

    /// Gives the container's terminal the size of our window.
    pub fn follow_window(&self) {
        if let Some(size) = window_size() {
            let _ = tcsetwinsize(&self.master, size);
        }
    }
}
