//! What has become of a process that an answer has started, as the witness sees
//! it.

use std::collections::BTreeMap;
use std::fmt::{self, Display};
use std::thread;
use std::time::{Duration, Instant};

use labkit::inside::Place;
use labkit::limits::slowness;
use labkit::proc::Proc;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// The namespaces that must be the container's own. See namespaces(7).
pub const NAMESPACES: [&str; 5] = ["mnt", "pid", "uts", "ipc", "net"];

/// The namespace in which a process's children will be: another one than `pid`
/// after unshare(CLONE_NEWPID). See pid_namespaces(7).
pub const FOR_CHILDREN: &str = "pid_for_children";

/// How long something may take that happens at once; [`slowness`] times as long
/// on a slow machine.
pub const AT_MOST: Duration = Duration::from_secs(2);
const LOOK_EVERY: Duration = Duration::from_millis(1);

/// Namespaces by kind, as /proc names them; none that cannot be read.
pub type Namespaces = BTreeMap<String, String>;

/// The namespaces of a process: those that must be the container's own, the
/// one of its children, and the user namespace.
pub fn namespaces(proc: &Proc, pid: i32) -> Namespaces {
    let kinds = NAMESPACES.into_iter().chain([FOR_CHILDREN, "user"]);
    let link = |kind: &str| proc.link(pid, &format!("ns/{kind}")).ok();
    kinds.filter_map(|kind| Some((kind.to_owned(), link(kind)?.display().to_string()))).collect()
}

/// What has become of a child.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It runs.
    Running,
    /// It has ended, with this code as a shell has it, and nobody has waited for it.
    Ended(i32),
    /// It has ended and was waited for.
    Reaped,
    /// There was no such child: the pid is not above that of the parent, and in
    /// this young PID namespace the numbers only grow.
    NoChild,
    /// It is the child of somebody else.
    AnothersChild,
}

impl State {
    /// How the child `pid` of `parent` is now.
    pub fn of(proc: &Proc, pid: i32, parent: Pid) -> State {
        match proc.stat(pid) {
            _ if pid <= parent.as_raw() => State::NoChild,
            None => State::Reaped,
            Some(stat) if stat.parent != parent.as_raw() => State::AnothersChild,
            // See waitpid(2) on the status.
            Some(stat) if stat.is_over() => State::Ended(match stat.wait_status & 0x7f {
                0 => stat.wait_status >> 8,
                signal => 128 + signal,
            }),
            Some(_) => State::Running,
        }
    }

    /// How it is when it no longer runs, or after a while.
    pub fn at_the_end_of(proc: &Proc, pid: i32, parent: Pid) -> State {
        wait_until(|| State::of(proc, pid, parent) != State::Running);
        State::of(proc, pid, parent)
    }
}

/// As waitid(2) has it.
impl Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            State::Running => write!(f, "StillAlive"),
            State::Ended(code) => write!(f, "Exited({code})"),
            State::Reaped | State::NoChild | State::AnothersChild => write!(f, "ECHILD"),
        }
    }
}

/// Waits until this holds, or for a while.
pub fn wait_until(mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + AT_MOST * slowness();
    while !is_so() && Instant::now() < deadline {
        thread::sleep(LOOK_EVERY);
    }
}

/// Whether an answer's process waits for something. A process that is woken is not
/// asleep any more, however long the machine lets it wait for a processor.
pub fn is_asleep(place: &Place) -> bool {
    place.proc.stat(place.pid.as_raw()).is_some_and(|stat| stat.state == 'S')
}

/// Whether a process waits for something, and has a program to go on with: PID 1 of a
/// namespace also sleeps while it ends, until all others there are dead.
pub fn rests(proc: &Proc, pid: i32) -> bool {
    proc.stat(pid).is_some_and(|stat| stat.state == 'S') && proc.link(pid, "exe").is_ok()
}

/// How many processes have been started since `process` was, that included.
pub fn started_since(proc: &Proc, process: Pid) -> i32 {
    // The last field is the newest PID. See proc_loadavg(5).
    let average = proc.read("loadavg").unwrap_or_default();
    let newest = String::from_utf8_lossy(&average).split_whitespace().last().map(str::parse);
    newest.and_then(Result::ok).map_or(0, |newest: i32| newest - process.as_raw())
}

/// Ends all that a process has started: what it left behind does not count as a daemon.
pub fn end_all_but(proc: &Proc, process: Pid) {
    wait_until(|| {
        let all = proc.processes().into_iter();
        let others =
            all.filter(|(pid, state, _)| *pid != process.as_raw() && !matches!(state, 'Z' | 'X'));
        let others: Vec<i32> = others.map(|(pid, ..)| pid).collect();
        for pid in &others {
            let _ = kill(Pid::from_raw(*pid), Signal::SIGKILL);
        }
        others.is_empty()
    });
}
