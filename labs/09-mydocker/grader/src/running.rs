//! A running program: what is said to it, what it says, and what happens on the
//! host meanwhile.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::Command;

use labkit::describe;
use labkit::proc::Proc;
use labkit::sys::{decide, next_call};
use mydocker_kernel::mountinfo::{Change, Mount, MountTable, difference};
use mydocker_kernel::sys;
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl, open, openat};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sched::CloneFlags;
use nix::sys::resource::{Resource, setrlimit};
use nix::sys::stat::Mode;
use nix::sys::termios::{SetArg, cfmakeraw, tcgetattr, tcsetattr};
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid, waitpid};
use nix::unistd::{Pid, dup2_stderr, dup2_stdin, dup2_stdout, pipe2, setsid};
use rustix::pty::{OpenptFlags, ioctl_tiocgptpeer, unlockpt};
use serde::{Deserialize, Serialize};

use crate::mount_calls::{self, Announcer, file_system};

/// How often it is looked whether the program has ended, in milliseconds.
const LOOK_EVERY: u16 = 2;

/// The namespaces that are a container's own, by their names in /proc.
pub const NAMESPACES: [&str; 4] = ["mnt", "pid", "uts", "ipc"];

/// How a program has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ended {
    /// With this exit code.
    Exited(i32),
    /// By this signal.
    Signaled(i32),
}

impl std::fmt::Display for Ended {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Ended::Exited(code) => write!(f, "{code}"),
            Ended::Signaled(signal) => write!(f, "killed by signal {signal}"),
        }
    }
}

/// What was seen in passing, before each call that changes mounts.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct InPassing {
    /// Mounts that are the container's own business, and were on the host.
    pub leaked: BTreeSet<String>,
    /// Mounts that came to the host's table right after a process in its own mount
    /// namespace had asked for one.
    pub propagated: BTreeSet<String>,
    /// The namespaces that were one of its processes' own.
    pub own_namespaces: BTreeSet<String>,
    /// Whether it called pivot_root.
    pub called_pivot_root: bool,
    /// Whether it asked for a file system of type aufs.
    pub asked_for_aufs: bool,
    /// Whether a pivot_root was made to fail.
    pub was_refused: bool,
}

/// A running program.
pub struct Running<'a> {
    pub pid: Pid,
    proc: &'a Proc,
    input: File,
    outputs: Vec<Output>,
    /// What the calls are read from that change mounts, if they wait for the grader.
    calls: Option<OwnedFd>,
    /// Whether every pivot_root(2) of the program fails.
    pub refuses_pivot_root: bool,
    host: &'a MountTable,
    /// The host's table at the last look.
    last: MountTable,
    /// Whether the process whose call was made after that has its own mount namespace.
    is_inside: bool,
    ended: Option<Ended>,
    /// The facts that the probe has said.
    pub said: BTreeMap<String, String>,
    pub in_passing: InPassing,
}

/// What a program prints to.
struct Output {
    file: File,
    /// The beginning of a line.
    line: Vec<u8>,
    is_open: bool,
}

impl<'a> Running<'a> {
    /// Starts a command, on its own terminal or with pipes. `terminals` is the
    /// directory of devices to take a terminal from, `host` the host's mount table
    /// before all.
    ///
    /// # Errors
    /// A process, a pipe or a terminal cannot be had.
    pub fn start(
        command: Command,
        terminals: Option<&OwnedFd>,
        proc: &'a Proc,
        host: &'a MountTable,
    ) -> io::Result<Running<'a>> {
        Running::start_with(command, terminals, proc, host, Some(mount_calls::pair()?), None)
    }

    /// The same of a command whose calls nobody waits for: it may leave processes
    /// behind. None of its files can become larger than `largest_file` bytes, as on a
    /// disk that is full.
    ///
    /// # Errors
    /// As [`Running::start`].
    pub fn start_unwatched(
        command: Command,
        terminals: Option<&OwnedFd>,
        proc: &'a Proc,
        host: &'a MountTable,
        largest_file: Option<u64>,
    ) -> io::Result<Running<'a>> {
        Running::start_with(command, terminals, proc, host, None, largest_file)
    }

    fn start_with(
        mut command: Command,
        terminals: Option<&OwnedFd>,
        proc: &'a Proc,
        host: &'a MountTable,
        watch: Option<(OwnedFd, Announcer)>,
        largest_file: Option<u64>,
    ) -> io::Result<Running<'a>> {
        let (near, announcer) = watch.unzip();
        let (input, outputs, [stdin, stdout, stderr]) = terminals.map_or_else(pipes, terminal)?;
        let pid = sys::clone(CloneFlags::empty(), || {
            let mut prepared = || -> io::Result<()> {
                if terminals.is_some() {
                    setsid()?;
                    rustix::process::ioctl_tiocsctty(&stdin)?;
                }
                dup2_stdin(&stdin)?;
                dup2_stdout(&stdout)?;
                dup2_stderr(&stderr)?;
                sys::reset_signals();
                if let Some(announcer) = &announcer {
                    announcer.announce()?;
                }
                if let Some(bytes) = largest_file {
                    // Writing more is an error then, and not a signal.
                    sys::ignore_signal(libc::SIGXFSZ);
                    setrlimit(Resource::RLIMIT_FSIZE, bytes, bytes)?;
                }
                leave_the_host_open()?;
                Err(command.exec())
            };
            let error = prepared().expect_err("exec does not return else");
            eprintln!("{}: {error}", command.get_program().display());
            127
        });
        let pid = pid.map_err(|error| io::Error::other(error.to_string()))?;
        drop((announcer, stdin, stdout, stderr));
        Ok(Running {
            pid,
            proc,
            input,
            outputs,
            calls: near.as_ref().map(mount_calls::accept).transpose()?,
            refuses_pivot_root: false,
            host,
            last: host.clone(),
            is_inside: false,
            ended: None,
            said: BTreeMap::new(),
            in_passing: InPassing::default(),
        })
    }

    /// Waits until the probe has said `fact`. Returns whether it did: otherwise the
    /// program has ended.
    pub fn listen_for(&mut self, fact: &str) -> bool {
        while !self.said.contains_key(fact) && self.ended.is_none() {
            self.attend();
        }
        self.said.contains_key(fact)
    }

    /// Gives the probe the line that it waits for.
    pub fn tell(&mut self, line: &str) {
        let _ = writeln!(self.input, "{line}");
    }

    /// Waits for the end of the program.
    pub fn end(&mut self) -> Ended {
        loop {
            if let Some(ended) = self.ended {
                return ended;
            }
            self.attend();
        }
    }

    /// Whether the program has ended.
    pub fn has_ended(&self) -> bool {
        self.ended.is_some()
    }

    /// Waits a moment for something to happen, and notes it.
    pub fn attend(&mut self) {
        self.reap_orphans();
        let open = self.outputs.iter().filter(|output| output.is_open);
        let files = open.map(|it| it.file.as_fd()).chain(self.calls.iter().map(AsFd::as_fd));
        let mut watched: Vec<_> = files.map(|it| PollFd::new(it, PollFlags::POLLIN)).collect();
        let _ = poll(&mut watched, PollTimeout::from(LOOK_EVERY));
        let is_ready = |it: &PollFd| it.revents().is_some_and(|it| it.contains(PollFlags::POLLIN));
        let has_call = self.calls.is_some() && watched.last().is_some_and(is_ready);
        if has_call {
            self.look_at_call();
        }
        if self.has_ended() {
            while self.read_what_is_there() {}
            return;
        }
        // The end first: what was printed before it can all be read after it.
        let status = waitpid(self.pid, Some(WaitPidFlag::WNOHANG));
        while self.read_what_is_there() {}
        self.ended = match status {
            Ok(WaitStatus::Exited(_, code)) => Some(Ended::Exited(code)),
            Ok(WaitStatus::Signaled(_, signal, _)) => Some(Ended::Signaled(signal as i32)),
            Ok(_) => None,
            Err(_) => Some(Ended::Exited(-1)),
        };
        if self.ended.is_some() {
            self.look_in_passing();
        }
    }

    /// Waits for the ended processes whose parent has died: without that they would
    /// look alive to a program that asks for them by their numbers. The program itself
    /// is left to whoever waits for its end.
    pub fn reap_orphans(&self) {
        let flags = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT;
        while let Ok(status) = waitid(Id::All, flags) {
            match status.pid() {
                Some(pid) if pid != self.pid => drop(waitpid(pid, Some(WaitPidFlag::WNOHANG))),
                _ => return,
            }
        }
    }

    /// Looks around before a call that changes mounts is made.
    fn look_at_call(&mut self) {
        let Some(calls) = &self.calls else { return };
        let Ok(call) = next_call(calls.as_fd()) else { return };
        self.look_in_passing();
        self.is_inside = is_own(self.proc, call.pid, "mnt");
        let is_pivot_root = call.number == libc::SYS_pivot_root;
        self.in_passing.called_pivot_root |= is_pivot_root;
        self.in_passing.asked_for_aufs |=
            file_system(&call, self.proc).is_some_and(|it| it == "aufs");
        let is_refused = is_pivot_root && self.refuses_pivot_root;
        self.in_passing.was_refused |= is_refused;
        if let Some(calls) = &self.calls {
            let _ = decide(calls.as_fd(), call, is_refused.then_some(Errno::EINVAL));
        }
    }

    /// Notes the mounts on the host that a container should have had in its own
    /// mount namespace, and the namespaces there are.
    fn look_in_passing(&mut self) {
        if let Ok(now) = self.proc.mount_table("self") {
            let changes = difference(self.host, &now);
            let leaked = changes.iter().filter(|change| is_leak(change, self.host));
            self.in_passing.leaked.extend(leaked.map(describe::change));
            let since = difference(&self.last, &now);
            let is_new = |change: &&Change| matches!(change, Change::Mounted { .. });
            if std::mem::take(&mut self.is_inside) {
                let new = since.iter().filter(is_new).map(describe::change);
                self.in_passing.propagated.extend(new);
            }
            self.last = now;
        }
        for (pid, ..) in self.proc.processes() {
            for name in NAMESPACES {
                if is_own(self.proc, pid, name) {
                    self.in_passing.own_namespaces.insert(name.to_owned());
                }
            }
        }
    }

    /// Reads without waiting. Returns whether there was something.
    fn read_what_is_there(&mut self) -> bool {
        let mut was_something = false;
        for output in self.outputs.iter_mut().filter(|output| output.is_open) {
            let mut watched = [PollFd::new(output.file.as_fd(), PollFlags::POLLIN)];
            if !poll(&mut watched, PollTimeout::ZERO).is_ok_and(|ready| ready > 0) {
                continue;
            }
            let mut bytes = [0; 4096];
            // At the end of a terminal there is EIO.
            let count = output.file.read(&mut bytes).unwrap_or(0);
            output.is_open = count > 0;
            was_something |= output.is_open;
            for byte in &bytes[..count] {
                match byte {
                    b'\r' => {}
                    b'\n' => {
                        let line = std::mem::take(&mut output.line);
                        note(&mut self.said, &String::from_utf8_lossy(&line));
                    }
                    byte => output.line.push(*byte),
                }
            }
        }
        was_something
    }
}

/// Notes a fact; what else was printed is shown in the report.
fn note(said: &mut BTreeMap<String, String>, line: &str) {
    match line.strip_prefix("exam:").and_then(|fact| fact.split_once('=')) {
        Some((name, value)) => drop(said.insert(name.to_owned(), value.to_owned())),
        None => {
            said.entry(PRINTED.to_owned()).or_default().push_str(&format!("{line}\n"));
            eprintln!("{line}");
        }
    }
}

/// Under this name, the facts hold everything that is not a fact.
pub const PRINTED: &str = "printed";

/// Whether a change of the host's mount table should have happened in the
/// container's: a kernel's file system, or a mount over one of the host's.
pub fn is_leak(change: &Change, host: &MountTable) -> bool {
    let Change::Mounted { mount } = change else { return false };
    let of_the_kernel = ["proc", "sysfs", "devpts", "devtmpfs", "mqueue", "cgroup2"];
    // Devices of the host that are bound into the workspace are no more than a volume is.
    let is_hosts = |it: &&Mount| it.device == mount.device && mount.root.starts_with(&it.root);
    let is_bound = ["devpts", "devtmpfs"].contains(&mount.fs_type.as_str())
        && host.mounts.iter().any(|it| is_hosts(&it));
    if is_bound && host.at(&mount.mount_point).is_none() {
        return false;
    }
    of_the_kernel.contains(&mount.fs_type.as_str()) || host.at(&mount.mount_point).is_some()
}

/// Whether a process has its own namespace, and not the host's.
pub fn is_own(proc: &Proc, pid: i32, name: &str) -> bool {
    let namespace = |pid| proc.link(pid, &format!("ns/{name}")).ok();
    namespace(pid).is_some_and(|its| Some(its) != namespace(std::process::id() as i32))
}

/// Leaves the host's root open beside the standard streams, as a careless caller
/// of the program might: as the lowest number that is free, and as a high one. A
/// program whose own pipe takes the place of the low one has closed nothing.
fn leave_the_host_open() -> io::Result<()> {
    let open_host = || open("/", OFlag::O_DIRECTORY, Mode::empty());
    let high = fcntl(open_host()?, FcntlArg::F_DUPFD(HIGH))?;
    // From here on the lowest is 3.
    sys::close_all_but(&[high]).map_err(io::Error::other)?;
    std::mem::forget(open_host()?);
    Ok(())
}

/// A number that no file of a small program gets by itself.
const HIGH: i32 = 100;

type Ends = (File, Vec<Output>, [OwnedFd; 3]);

/// The near and the far ends of three pipes.
fn pipes() -> io::Result<Ends> {
    let (stdin, input) = pipe2(OFlag::O_CLOEXEC)?;
    let (output, stdout) = pipe2(OFlag::O_CLOEXEC)?;
    let (errors, stderr) = pipe2(OFlag::O_CLOEXEC)?;
    let outputs = vec![Output::new(output), Output::new(errors)];
    Ok((File::from(input), outputs, [stdin, stdout, stderr]))
}

/// The near end of a terminal, and three times the far one. It passes on what it
/// is given, as it is given. Unlike openpty(3), it asks for no path of `devices`: the
/// program may have mounted something over /dev.
fn terminal(devices: &OwnedFd) -> io::Result<Ends> {
    let flags = OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_CLOEXEC;
    let near = openat(devices, "ptmx", flags, Mode::empty())?;
    unlockpt(&near)?;
    let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
    let far = ioctl_tiocgptpeer(&near, flags)?;
    let mut modes = tcgetattr(&far)?;
    cfmakeraw(&mut modes);
    tcsetattr(&far, SetArg::TCSANOW, &modes)?;
    let outputs = vec![Output::new(near.try_clone()?)];
    let far = [far.try_clone()?, far.try_clone()?, far];
    Ok((File::from(near), outputs, far))
}

impl Output {
    fn new(file: OwnedFd) -> Output {
        Output { file: File::from(file), line: Vec::new(), is_open: true }
    }
}
