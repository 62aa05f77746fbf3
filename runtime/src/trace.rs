//! The steps of a run, each with its kernel calls and the mount table after it.
//!
//! A trace is either a text on stderr to follow a run by eye, or a file with
//! one JSON object a line, from which the book's figures are made. Parent and
//! container write to it side by side; each has a mount table of its own.

use std::fs::File;
use std::io::Write;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::path::Path;
use std::sync::Mutex;
use std::time::Instant;

use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::sys::stat::Mode;
use serde::Serialize;

use mydocker_kernel::calls;
use mydocker_kernel::mountinfo::{MountTable, difference};
use mydocker_kernel::{OnPath, Result};

/// Where a trace goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sink {
    /// A text for the eye.
    Stderr,
    /// A file of JSON lines.
    File(std::path::PathBuf),
}

/// One step, as a line of the file.
#[derive(Serialize)]
struct Step<'a> {
    side: &'a str,
    step: &'a str,
    /// What it took, without the reading of the mount table.
    microseconds: u128,
    calls: &'a [String],
    changes: Vec<String>,
    mounts: &'a MountTable,
}

struct Trace {
    file: Option<File>,
    side: &'static str,
    step: Option<(&'static str, Instant)>,
    calls: Vec<String>,
    before: MountTable,
    /// The host's /proc, still open after the root has changed.
    proc: OwnedFd,
}

static TRACE: Mutex<Option<Trace>> = Mutex::new(None);

/// Begins a trace of this process, on the side named `parent`.
///
/// # Errors
/// The file cannot be made, or /proc cannot be read.
pub fn start(sink: &Sink) -> Result<()> {
    let file = match sink {
        Sink::Stderr => None,
        Sink::File(path) => Some(File::create(path).on("open", path)?),
    };
    let host_proc = Path::new("/proc");
    let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    let proc = open(host_proc, flags, Mode::empty()).on("open", host_proc)?;
    let before = read_table(&proc)?;
    let trace = Trace { file, side: "parent", step: None, calls: Vec::new(), before, proc };
    *lock() = Some(trace);
    calls::follow(note);
    Ok(())
}

/// From here on this process is the side named `side`.
pub fn enter(side: &'static str) {
    if let Some(trace) = lock().as_mut() {
        trace.side = side;
        trace.step = None;
        trace.calls.clear();
        trace.before = read_table(&trace.proc).unwrap_or(MountTable { mounts: Vec::new() });
    }
}

/// The descriptors that a trace needs.
pub fn descriptors() -> Vec<RawFd> {
    let trace = lock();
    let proc = trace.iter().map(|trace| trace.proc.as_raw_fd());
    let file = trace.iter().filter_map(|trace| Some(trace.file.as_ref()?.as_raw_fd()));
    proc.chain(file).collect()
}

/// Ends the step before and begins the one called `name`.
pub fn step(name: &'static str) {
    if let Some(trace) = lock().as_mut() {
        trace.end_step();
        trace.step = Some((name, Instant::now()));
    }
}

/// Ends the last step.
pub fn finish() {
    if let Some(trace) = lock().as_mut() {
        trace.end_step();
    }
}

/// Notes a kernel call and its outcome.
fn note(call: &dyn Fn() -> String, failed: Option<Errno>) {
    if let Some(trace) = lock().as_mut() {
        let outcome = failed.map_or(String::new(), |errno| format!(" => {errno:?}"));
        trace.calls.push(call() + &outcome);
    }
}

fn lock() -> std::sync::MutexGuard<'static, Option<Trace>> {
    TRACE.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

fn read_table(proc: &OwnedFd) -> Result<MountTable> {
    let through = format!("/proc/self/fd/{}/thread-self/mountinfo", proc.as_raw_fd());
    let name = Path::new("thread-self/mountinfo");
    let flags = OFlag::O_RDONLY | OFlag::O_CLOEXEC;
    let file =
        nix::fcntl::openat(proc, name, flags, Mode::empty()).on("open", Path::new(&through))?;
    let mut table = Vec::new();
    std::io::Read::read_to_end(&mut File::from(file), &mut table).on("read", name)?;
    MountTable::parse(&table)
}

/// Whether the process has gone to another mount namespace in between. It begins with
/// copies of all mounts, which have numbers of their own: nothing was mounted.
fn is_another_namespace(before: &MountTable, now: &MountTable) -> bool {
    now.mounts.iter().all(|mount| before.mounts.iter().all(|other| other.id != mount.id))
}

impl Trace {
    fn end_step(&mut self) {
        let calls = std::mem::take(&mut self.calls);
        let Some((name, begun)) = self.step.take() else { return };
        let microseconds = begun.elapsed().as_micros();
        // A step before which /proc went away shows no table, and says so.
        let mounts = read_table(&self.proc).unwrap_or(MountTable { mounts: Vec::new() });
        let changes = match is_another_namespace(&self.before, &mounts) {
            true => Vec::new(),
            false => difference(&self.before, &mounts).iter().map(ToString::to_string).collect(),
        };
        let text = match self.file {
            Some(_) => {
                let step = Step {
                    side: self.side,
                    step: name,
                    microseconds,
                    calls: &calls,
                    changes,
                    mounts: &mounts,
                };
                serde_json::to_string(&step).expect("strings and numbers") + "\n"
            }
            None => {
                let side = self.side;
                let calls = calls.iter().map(|call| format!("[{side}]     {call}\n"));
                let changes = changes.iter().map(|change| format!("[{side}]       {change}\n"));
                format!("[{side}] {name}\n") + &calls.chain(changes).collect::<String>()
            }
        };
        // One write a step, so that the two sides do not mix within a line. A
        // full disk under the trace is no reason to stop the run.
        let _ = match &mut self.file {
            Some(file) => file.write_all(text.as_bytes()),
            None => std::io::stderr().write_all(text.as_bytes()),
        };
        self.before = mounts;
    }
}
