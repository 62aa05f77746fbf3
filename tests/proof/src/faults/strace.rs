//! A command under strace, its parent or its child, with one call changed.

use std::fmt;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::fd::AsFd;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Instant;

use harness::host::{patience, poll_one};
use nix::poll::PollFlags;
use nix::sys::signal::{Signal, kill};

use super::birth::start_and_stop_child;
use crate::ground::Ground;

/// Which process is traced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Who {
    /// The command itself.
    Parent,
    /// The process that it starts: the keeper of a container, or who joins one.
    Keeper,
    /// The process that this starts: in the container, up to its execve.
    Child,
}

/// What becomes of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It is not made, and answers with this error.
    Error(&'static str),
    /// The process is killed before it.
    Kill,
}

/// The `number`th time that a process makes this call, and what becomes of it.
#[derive(Debug, Clone)]
pub struct Injection {
    /// The call, as strace names it.
    pub call: &'static str,
    /// Counted from 1 and from the start of the process.
    pub number: usize,
    /// What becomes of it.
    pub fate: Fate,
}

impl Injection {
    fn arguments(&self) -> [String; 4] {
        let (call, number) = (self.call, self.number);
        let inject = match self.fate {
            Fate::Error(errno) => format!("inject={call}:error={errno}:when={number}"),
            Fate::Kill => format!("inject={call}:signal=SIGKILL:when={number}"),
        };
        ["-e".into(), format!("trace={call}"), "-e".into(), inject]
    }
}

/// How a command ended.
#[derive(Debug, Clone)]
pub struct Ended {
    /// The status of the command.
    pub status: ExitStatus,
    /// What it and the container wrote.
    pub stdout: String,
    /// What it complained of.
    pub stderr: String,
    /// What strace has seen of the process it traced.
    pub log: String,
}

impl Ended {
    /// Whether the call was changed; if not, the process has never made it.
    pub fn was_hit(&self) -> bool {
        self.log.contains("(INJECTED)") || self.log.contains("+++ killed by SIGKILL")
    }
}

/// For the eye, in a report.
impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let status = match (self.status.code(), self.status.signal()) {
            (Some(code), _) => format!("exit code {code}"),
            (_, signal) => format!("signal {}", signal.unwrap_or_default()),
        };
        let hit = self.log.lines().find(|line| line.contains("(INJECTED)")).unwrap_or_default();
        write!(f, "{hit}\n{status}\nstdout: {}\nstderr: {}", self.stdout, self.stderr)
    }
}

/// Runs the command with one process traced, and perhaps one call changed.
///
/// # Errors
/// It hangs, or strace cannot be used.
pub fn run(
    ground: &Ground,
    command: &Command,
    who: Who,
    injection: Option<&Injection>,
) -> Result<Ended, String> {
    let log = ground.host.path("strace");
    let _ = fs::remove_file(&log);
    let mut strace = Command::new("strace");
    strace.arg("-o").arg(&log).args(injection.iter().flat_map(|i| i.arguments()));
    strace.stdin(Stdio::null()).stderr(Stdio::piped());
    let (started, attached) = match who {
        Who::Parent => {
            strace.arg("-qq").arg(command.get_program()).args(command.get_args());
            strace.env_clear().envs(command.get_envs().filter_map(|(k, v)| Some((k, v?))));
            (strace.stdout(Stdio::piped()).spawn().expect("strace: scripts/install-tools"), None)
        }
        Who::Keeper | Who::Child => {
            let generations = if who == Who::Keeper { 1 } else { 2 };
            let (started, child) = start_and_stop_child(command, generations)?;
            // What the container's command does is its own affair.
            let attached = attach(strace.args(["-b", "execve", "-p", &child.to_string()]));
            kill(child, Signal::SIGCONT).map_err(|errno| format!("the child: {errno}"))?;
            (started, Some(attached?))
        }
    };
    let ended = until_the_end(started).ok_or_else(|| {
        ground.kill_processes();
        format!("still not ended after {:?}", patience())
    });
    if let Some(mut strace) = attached {
        strace.wait().map_err(|error| error.to_string())?;
    }
    Ok(Ended { log: read(&log), ..ended? })
}

/// Starts a strace of a process that is there, and waits until it traces it.
fn attach(strace: &mut Command) -> Result<Child, String> {
    let mut strace = strace.spawn().expect("strace: scripts/install-tools");
    let mut line = String::new();
    let stderr = strace.stderr.as_mut().expect("a pipe");
    BufReader::new(stderr).read_line(&mut line).expect("a pipe");
    if !line.contains("attached") {
        let ended = strace.wait();
        return Err(format!("strace, {ended:?}: {line}"));
    }
    Ok(strace)
}

/// The end has come when nobody has the pipes open any more, neither strace
/// nor the command nor a process of the container.
fn until_the_end(mut started: Child) -> Option<Ended> {
    let deadline = Instant::now() + patience();
    let stdout = read_to_end(started.stdout.take().expect("a pipe"), deadline)?;
    let stderr = read_to_end(started.stderr.take().expect("a pipe"), deadline)?;
    let status = started.wait().expect("its end");
    Some(Ended { status, stdout, stderr, log: String::new() })
}

fn read_to_end(mut source: impl Read + AsFd, deadline: Instant) -> Option<String> {
    let mut all = Vec::new();
    let mut part = [0; 4096];
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if poll_one(&source, PollFlags::POLLIN, left).is_empty() {
            return None;
        }
        match source.read(&mut part).expect("a pipe") {
            0 => return Some(String::from_utf8_lossy(&all).into_owned()),
            length => all.extend_from_slice(&part[..length]),
        }
    }
}

fn read(log: &Path) -> String {
    String::from_utf8_lossy(&fs::read(log).unwrap_or_default()).into_owned()
}

/// What strace's command line was, to be tried again by hand.
pub fn command_line(command: &Command, who: Who, injection: &Injection) -> String {
    let words = command.get_args().map(|word| format!("'{}'", word.display()));
    let words = words.collect::<Vec<_>>().join(" ");
    let strace = injection.arguments().join(" ");
    match who {
        Who::Parent => format!("strace {strace} mydocker {words}"),
        Who::Keeper | Who::Child => format!(
            "strace {strace} -p {who:?}, with the {who:?} of mydocker {words} stopped at its birth"
        ),
    }
}
