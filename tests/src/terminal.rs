//! A terminal as a person has one: a keyboard, a screen, a window with a size.

use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use nix::fcntl::OFlag;
use nix::poll::PollFlags;
use nix::pty::{PtyMaster, grantpt, posix_openpt, ptsname_r, unlockpt};
use nix::sys::signal::{Signal, kill};
use nix::sys::termios::{Termios, tcgetattr};
use nix::unistd::Pid;

use crate::host::{patience, poll_one, wait_until};

/// A program on a pseudo-terminal of its own.
///
/// No process but that program has the terminal open. Were it open in a program
/// that another test starts meanwhile, nobody would notice that the window is
/// closed; that is why this is not rexpect.
#[derive(Debug)]
pub struct Terminal {
    master: File,
    /// The program's end: `/dev/pts/7`.
    pub slave: PathBuf,
    /// The program.
    pub child: Child,
    /// How the terminal was set before the program started.
    pub settings_before: Termios,
    /// Was shown, and is not yet looked at.
    screen: String,
}

impl Terminal {
    /// Starts `command` in a window of 24 lines of 80 characters.
    ///
    /// # Panics
    /// There is no pseudo-terminal, or no program.
    pub fn start(command: &Command) -> Terminal {
        let flags = OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_CLOEXEC | OFlag::O_NONBLOCK;
        let master: PtyMaster = posix_openpt(flags).expect("a pseudo-terminal");
        grantpt(&master).and_then(|()| unlockpt(&master)).expect("its slave");
        let slave = PathBuf::from(ptsname_r(&master).expect("its slave's name"));
        let open = || File::options().read(true).write(true).open(&slave).expect("its slave");
        set_size(&slave, 24, 80);

        let settings_before = tcgetattr(&master).expect("its settings");

        // A session whose controlling terminal it is, as of a login.
        let mut session = Command::new("setsid");
        session.arg("--ctty").arg(command.get_program()).args(command.get_args()).env_clear();
        session.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        session.stdin(Stdio::from(open())).stdout(open()).stderr(open());
        let child = session.spawn().expect("setsid of util-linux");
        let master = master.as_fd().try_clone_to_owned().expect("a descriptor").into();
        Terminal { master, slave, child, settings_before, screen: String::new() }
    }

    /// The process ID of the program.
    pub fn pid(&self) -> Pid {
        Pid::from_raw(self.child.id() as i32)
    }

    /// Types `text`; a line ends with `\n`, Ctrl-C is `\x03`.
    ///
    /// # Panics
    /// The terminal takes nothing more.
    pub fn type_in(&mut self, text: &str) {
        let mut left = text.as_bytes();
        while !left.is_empty() {
            match self.master.write(left) {
                Ok(length) => left = &left[length..],
                // A program that cannot write does not read: so look meanwhile.
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.look(PollFlags::POLLIN | PollFlags::POLLOUT);
                }
                Err(error) => panic!("the terminal takes no more: {error}"),
            }
        }
    }

    /// Waits until `text` is on the screen; returns what came before it.
    ///
    /// # Panics
    /// It does not come; says what came instead.
    pub fn read_until(&mut self, text: &str) -> String {
        let deadline = Instant::now() + patience();
        loop {
            if let Some(at) = self.screen.find(text) {
                let rest = self.screen.split_off(at + text.len());
                let mut before = std::mem::replace(&mut self.screen, rest);
                before.truncate(at);
                return before;
            }
            let goes_on = self.look(PollFlags::POLLIN) && Instant::now() < deadline;
            assert!(goes_on, "{text:?} is not on the screen, but {:?}", self.screen);
        }
    }

    /// Waits until the program has ended; returns what it still wrote.
    ///
    /// # Panics
    /// It goes on.
    pub fn finish(&mut self) -> (ExitStatus, String) {
        let status = loop {
            self.look(PollFlags::POLLIN);
            if let Some(status) = self.child.try_wait().expect("its status") {
                break status;
            }
        };
        while self.events(PollFlags::POLLIN, Duration::ZERO).contains(PollFlags::POLLIN)
            && self.look(PollFlags::POLLIN)
        {}
        (status, std::mem::take(&mut self.screen))
    }

    /// Closes the window while the program runs, and waits for its end.
    ///
    /// # Panics
    /// It goes on.
    pub fn hang_up(mut self) -> ExitStatus {
        self.master = File::open("/dev/null").expect("/dev/null");
        wait_until("the program ends", || self.child.try_wait().expect("its status").is_some());
        self.child.wait().expect("its status")
    }

    /// Gives the window another size. The kernel tells the program.
    ///
    /// # Panics
    /// There is no stty.
    pub fn set_size(&self, rows: u16, columns: u16) {
        set_size(&self.slave, rows, columns);
    }

    /// How the terminal is set: echo, line mode and the like.
    ///
    /// # Panics
    /// It cannot be asked.
    pub fn settings(&self) -> Termios {
        tcgetattr(&self.master).expect("its settings")
    }

    /// Sends a signal to the program.
    ///
    /// # Panics
    /// It has ended.
    pub fn signal(&self, signal: Signal) {
        kill(self.pid(), signal).expect("it is there");
    }

    fn events(&self, wanted: PollFlags, patience: Duration) -> PollFlags {
        poll_one(&self.master, wanted, patience)
    }

    /// Waits for a moment for one of `wanted` and reads what is there. Returns
    /// whether more can come.
    fn look(&mut self, wanted: PollFlags) -> bool {
        let events = self.events(wanted, Duration::from_millis(100));
        let mut buffer = [0; 16 * 1024];
        if events.contains(PollFlags::POLLIN) {
            // EIO: the program's end is closed.
            let Ok(length) = self.master.read(&mut buffer) else { return false };
            self.screen += &String::from_utf8_lossy(&buffer[..length]);
        }
        !events.contains(PollFlags::POLLHUP) || events.contains(PollFlags::POLLIN)
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn set_size(slave: &std::path::Path, rows: u16, columns: u16) {
    let (rows, columns) = (rows.to_string(), columns.to_string());
    let mut stty = Command::new("stty");
    stty.arg("-F").arg(slave).args(["rows", &rows, "cols", &columns]);
    assert!(stty.status().expect("stty").success());
}
