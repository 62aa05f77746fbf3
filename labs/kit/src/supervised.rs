//! A function of an answer in its own process, which is watched.
//!
//! The witness starts a parent, and the parent starts the answer. An answer that kills
//! its parent kills a process made for that.

use std::cell::RefCell;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::panic::{self, AssertUnwindSafe};
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use libc::c_int;
use mydocker_kernel::mountinfo::MountTable;
use mydocker_kernel::sys;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sched::CloneFlags;
use nix::sys::signal::{Signal, kill};
use nix::sys::statvfs::statvfs;
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{Pid, dup2_stderr, dup2_stdin, dup2_stdout, pipe, write};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::limits::{Allowance, Excess, TIME, limit_this_process, slowness};
use crate::need::Seal;
use crate::oom_score::OomScore;
use crate::printed;
use crate::proc::Proc;
use crate::verdict::{Finding, NOT_WRITTEN, PANICKED};

/// How often the witness checks that all is well, in milliseconds.
const LOOK_EVERY: u16 = 20;

/// What an answer stands on.
#[derive(Debug)]
pub struct Ground {
    /// Its working directory, on the file system that it may fill.
    pub scratch: PathBuf,
    /// How many processes its user has outside the sandbox: before Linux 5.14 they count
    /// where the number of processes is limited.
    pub processes_outside: usize,
    /// The witness's /proc.
    pub proc: Proc,
    /// How the machine is sealed off from it.
    pub seal: Seal,
    /// The witness's, where there is one.
    pub oom_score: Option<OomScore>,
}

impl Ground {
    /// Starts a process of an answer, which the kernel kills first when memory is used
    /// up.
    ///
    /// # Errors
    /// As clone(2).
    pub(crate) fn start(
        &self,
        namespaces: CloneFlags,
        child: impl FnOnce() -> c_int,
    ) -> mydocker_kernel::Result<Pid> {
        let start = || sys::clone(namespaces, child);
        match &self.oom_score {
            Some(score) => score.first_to_go(start),
            None => start(),
        }
    }

    /// Whether an answer has filled the disk, so that nothing else means much.
    pub(crate) fn is_full(&self) -> bool {
        statvfs(&self.scratch)
            .is_ok_and(|state| state.blocks_available() == 0 || state.files_available() == 0)
    }
}

/// What the witness saw of the answer's process.
#[derive(Debug)]
pub struct Looked {
    /// Its mount table before the call.
    pub mounts_before: MountTable,
    /// Its mount table.
    pub mounts: MountTable,
    /// Its root.
    pub root: PathBuf,
    /// Its working directory.
    pub cwd: PathBuf,
    /// What it printed.
    pub printed: String,
}

/// What the answer's process and its parent tell the witness, one line each.
#[derive(Serialize, Deserialize)]
enum Told<T> {
    /// The parent: this is the pid of the answer's process.
    Started(i32),
    /// The answer: its mount table before, and what it returned.
    Returned(String, T),
    /// The answer: it has panicked, with these words, in this line of its source.
    Panicked { words: String, place: String },
    /// The parent: the answer's process has ended, with this code.
    Exited(i32),
    /// The parent: this signal has ended it.
    Signaled(i32),
}

/// Runs `body` and looks at its process when it has returned.
///
/// # Errors
/// It did not finish: what happened instead.
pub fn call<T: Serialize + DeserializeOwned>(
    ground: &Ground,
    function: &str,
    namespaces: CloneFlags,
    body: impl FnOnce() -> T,
) -> Result<(T, Looked), Finding> {
    let printed = printed::file().expect("a file in memory");
    let (told, tell) = pipe().expect("a pipe");
    let (hold, let_go) = pipe().expect("a pipe");
    let parent = ground.start(CloneFlags::empty(), || {
        let answer = || act(&tell, &hold, &printed, ground, body);
        stand_by(&tell, namespaces, answer);
        0
    });
    let parent = parent.expect("the witness can start a process");
    drop((tell, hold));

    let watched = watch(told, &let_go, parent, &ground.proc);
    if matches!(watched, Watched::Returned(..)) {
        wait_for(parent);
    }
    let left = end_all(&ground.proc);
    let printed = printed::beginning_and_end_of(&printed);
    let finding = match watched {
        Watched::Excessive(excess @ (Excess::Processes | Excess::Memory)) => {
            Finding::of_excess(excess)
        }
        Watched::ParentKilled => Finding::new("answer/parent-killed"),
        Watched::Signaled(Signal::SIGXFSZ) => Finding::new("answer/disk-full"),
        _ if ground.is_full() => Finding::new("answer/disk-full"),
        Watched::Returned(returned, looked) if left.is_empty() => {
            return Ok((returned, Looked { printed, ..looked }));
        }
        Watched::Returned(..) => {
            Finding::new("answer/processes-left").word("processes", left.join(", "))
        }
        Watched::Panicked { words, .. } if words.starts_with("not yet implemented") => {
            Finding::new(NOT_WRITTEN)
        }
        Watched::Panicked { words, place } => {
            Finding::new(PANICKED).word("words", words).word("place", place)
        }
        Watched::Excessive(excess) => Finding::of_excess(excess),
        Watched::Signaled(signal) => Finding::new("answer/killed-by-signal").word("signal", signal),
        Watched::Exited(code) => Finding::new("answer/exited").word("code", code),
    };
    Err(Finding { printed, ..finding.word("function", function) })
}

/// How it went.
enum Watched<T> {
    Returned(T, Looked),
    Panicked { words: String, place: String },
    Exited(i32),
    Signaled(Signal),
    Excessive(Excess),
    ParentKilled,
}

/// The witness's side: reads what it is told until the answer has ended.
fn watch<T: DeserializeOwned>(
    told: OwnedFd,
    let_go: &OwnedFd,
    parent: Pid,
    proc: &Proc,
) -> Watched<T> {
    let mut allowance = Allowance::begin();
    let mut told = BufReader::new(File::from(told));
    let mut pid = None;
    let mut returned: Option<(String, T)> = None;
    let mut outcome = None;
    loop {
        // The answer may be quicker than its parent in telling.
        if let (Some(pid), Some((before, value))) = (pid, returned.take_if(|_| pid.is_some())) {
            let Some(looked) = look(proc, pid, &before) else { return Watched::Exited(0) };
            outcome = Some(Watched::Returned(value, looked));
            let _ = write(let_go, b".");
        }
        if let Some(excess) = allowance.excess(proc) {
            return Watched::Excessive(excess);
        }
        if told.buffer().is_empty() && !can_read(told.get_ref()) {
            if matches!(waitpid(parent, Some(WaitPidFlag::WNOHANG)), Ok(WaitStatus::Signaled(..))) {
                return Watched::ParentKilled;
            }
            continue;
        }
        let mut line = String::new();
        let message = match told.read_line(&mut line) {
            Ok(1..) => serde_json::from_str(&line),
            // All have closed it: they are all dead.
            _ => return Watched::ParentKilled,
        };
        match message {
            Ok(Told::Started(started)) => pid = Some(started),
            Ok(Told::Returned(mounts_before, value)) => returned = Some((mounts_before, value)),
            Ok(Told::Panicked { words, place }) => {
                outcome = Some(Watched::Panicked { words, place });
                let _ = write(let_go, b".");
            }
            Ok(Told::Exited(code)) => return outcome.unwrap_or(Watched::Exited(code)),
            Ok(Told::Signaled(number)) => {
                let signal = Signal::try_from(number).unwrap_or(Signal::SIGKILL);
                return outcome.unwrap_or(Watched::Signaled(signal));
            }
            // Only an answer that writes where it has no business does that.
            Err(_) => return Watched::Exited(0),
        }
    }
}

fn can_read(file: &File) -> bool {
    let mut watched = [PollFd::new(file.as_fd(), PollFlags::POLLIN)];
    poll(&mut watched, PollTimeout::from(LOOK_EVERY)).is_ok_and(|ready| ready > 0)
}

/// What /proc shows of the answer's process.
fn look(proc: &Proc, pid: i32, mounts_before: &str) -> Option<Looked> {
    Some(Looked {
        mounts_before: MountTable::parse(mounts_before.as_bytes()).ok()?,
        mounts: proc.mount_table(&pid.to_string()).ok()?,
        root: proc.link(pid, "root").ok()?,
        cwd: proc.link(pid, "cwd").ok()?,
        printed: String::new(),
    })
}

/// The parent's side: starts the answer, waits for its end, tells of both.
fn stand_by(tell: &OwnedFd, namespaces: CloneFlags, answer: impl FnOnce()) {
    let tell = |message: &Told<()>| send(tell, message);
    let child = sys::clone(namespaces, || {
        answer();
        0
    });
    let Ok(child) = child else { return tell(&Told::Exited(-1)) };
    tell(&Told::Started(child.as_raw()));
    tell(&match waitpid(child, None) {
        Ok(WaitStatus::Exited(_, code)) => Told::Exited(code),
        Ok(WaitStatus::Signaled(_, signal, _)) => Told::Signaled(signal as i32),
        _ => Told::Exited(-1),
    });
}

/// The answer's side.
fn act<T: Serialize>(
    tell: &OwnedFd,
    hold: &OwnedFd,
    printed: &File,
    ground: &Ground,
    body: impl FnOnce() -> T,
) {
    // 1. Its limits. Its root is nobody outside the sandbox, so they hold.
    limit_this_process(ground.processes_outside);

    // 2. Nothing to read, all output into a file, and the witness may look.
    let prepared = File::open("/dev/null").map_err(|_| Errno::EIO).and_then(|null| {
        dup2_stdin(&null)?;
        dup2_stdout(printed)?;
        dup2_stderr(printed)?;
        nix::sys::prctl::set_dumpable(true)?;
        nix::unistd::chdir(&ground.scratch)
    });
    if prepared.is_err() {
        return;
    }

    // 3. The function. A panic is told, not shown with a backtrace.
    thread_local! {
        static PANIC: RefCell<(String, String)> = RefCell::default();
    }
    panic::set_hook(Box::new(|info| {
        let words = info.payload_as_str().unwrap_or_default().to_owned();
        let place = info.location().map(|place| format!("{}:{}", place.file(), place.line()));
        PANIC.with_borrow_mut(|panic| *panic = (words, place.unwrap_or_default()));
    }));
    let before = fs::read_to_string("/proc/thread-self/mountinfo").unwrap_or_default();
    let message = match panic::catch_unwind(AssertUnwindSafe(body)) {
        Ok(value) => Told::Returned(before, value),
        Err(_) => {
            let (words, place) = PANIC.with_borrow(Clone::clone);
            Told::Panicked { words, place }
        }
    };
    let _ = io::stdout().flush();

    // 4. The witness looks while this process exists.
    send(tell, &message);
    let _ = File::from(hold.try_clone().expect("a descriptor")).read(&mut [0]);
}

fn send<T: Serialize>(tell: &OwnedFd, message: &Told<T>) {
    let mut line = serde_json::to_vec(message).unwrap_or_default();
    line.push(b'\n');
    let mut rest = line.as_slice();
    while let Ok(written @ 1..) = write(tell, rest) {
        rest = &rest[written..];
        if rest.is_empty() {
            return;
        }
    }
}

/// Waits for the end of a process that has nothing more to do. On a slow machine this
/// takes a while, and must not be mistaken for something left running.
fn wait_for(parent: Pid) {
    let deadline = Instant::now() + TIME * slowness();
    while waitpid(parent, Some(WaitPidFlag::WNOHANG)) == Ok(WaitStatus::StillAlive)
        && Instant::now() < deadline
    {
        thread::sleep(Duration::from_millis(1));
    }
}

/// Ends what the answer left running, and returns the names of those processes.
pub fn end_all(proc: &Proc) -> Vec<String> {
    // A process that is about to end by itself is not a daemon.
    let patience = Instant::now() + Duration::from_millis(100) * slowness();
    let mut left = proc.running();
    while !left.is_empty() && Instant::now() < patience {
        thread::sleep(Duration::from_millis(1));
        left = proc.running();
    }
    let _ = kill(Pid::from_raw(-1), Signal::SIGKILL);
    while waitpid(None, None) != Err(Errno::ECHILD) {}
    left.into_iter().map(|(_, name)| name).collect()
}
