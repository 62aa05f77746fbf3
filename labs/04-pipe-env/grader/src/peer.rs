//! A function of the answer in a process of its own, beside others.

use std::fs;
use std::panic::{self, AssertUnwindSafe};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::thread::sleep;
use std::time::{Duration, Instant};

use labkit::supervised::slowness;
use labkit::verdict::{Finding, NOT_WRITTEN};
use mydocker::sys;
use nix::sched::CloneFlags;
use nix::sys::signal::{Signal, kill, raise};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// Who sleeps so long, while all the others are over or sleep too, waits for
/// something that cannot come. On a slow machine [`slowness`] times as long.
const ASLEEP_FOR_GOOD: Duration = Duration::from_millis(300);
/// How often it is looked.
const LOOK_EVERY: Duration = Duration::from_micros(200);

/// How a function has ended.
#[derive(Debug, Serialize, Deserialize)]
pub enum Ended<T> {
    Returned(T),
    Panicked {
        words: String,
        place: String,
    },
    Exited(i32),
    Signaled(String),
    /// It was waiting for something that could not come.
    Asleep,
}

impl<T> Ended<T> {
    /// How it has ended, if it did not return.
    pub fn in_words(&self) -> Option<&'static str> {
        match self {
            Ended::Returned(_) => None,
            Ended::Panicked { .. } => Some("panic!"),
            Ended::Exited(_) | Ended::Signaled(_) => Some("its process ends"),
            Ended::Asleep => Some("does not return"),
        }
    }

    /// What it returned.
    ///
    /// # Errors
    /// It did not return.
    pub fn returned(&self, function: &str) -> Result<&T, Finding> {
        let found = |code: &str| Finding::new(code).word("function", function);
        Err(match self {
            Ended::Returned(value) => return Ok(value),
            Ended::Panicked { words, .. } if words.starts_with("not yet implemented") => {
                found(NOT_WRITTEN)
            }
            Ended::Panicked { words, place } => {
                found("answer/panicked").word("words", words).word("place", place)
            }
            Ended::Exited(code) => found("answer/exited").word("code", code),
            Ended::Signaled(signal) => found("answer/killed-by-signal").word("signal", signal),
            Ended::Asleep => {
                let patience = ASLEEP_FOR_GOOD * slowness();
                found("answer/hung").word("seconds", patience.as_millis() as f64 / 1000.0)
            }
        })
    }
}

/// The process. When its function has ended it is stopped, with the descriptors
/// that the function has left open; it is killed when this value is dropped.
#[derive(Debug)]
pub struct Peer {
    pub pid: Pid,
    /// Where it writes how its function has ended: no descriptor is needed for
    /// that, which the function could close.
    outcome: PathBuf,
    /// How the process has ended, or that it is stopped.
    over: Option<WaitStatus>,
}

impl Peer {
    /// Starts a process that calls `body`. Only descriptors that the body owns,
    /// and those of this process, are open in it.
    pub fn start<T: Serialize>(outcome: PathBuf, body: impl FnOnce() -> T) -> Peer {
        let pid = sys::clone(CloneFlags::empty(), || {
            let ended = serde_json::to_vec(&call(body)).expect("plain data");
            let told = fs::write(&outcome, ended);
            let _ = raise(Signal::SIGSTOP);
            i32::from(told.is_err())
        });
        Peer { pid: pid.expect("the sandbox allows it"), outcome, over: None }
    }

    /// Whether its function has ended.
    pub fn is_over(&mut self) -> bool {
        if self.over.is_none() {
            let flags = WaitPidFlag::WNOHANG | WaitPidFlag::WUNTRACED;
            self.over = match waitpid(self.pid, Some(flags)) {
                Ok(WaitStatus::StillAlive) => None,
                Ok(status) => Some(status),
                // Somebody else has waited for it: the answer.
                Err(_) => Some(WaitStatus::Exited(self.pid, 0)),
            };
        }
        self.over.is_some()
    }

    /// Whether it waits for something. See proc_pid_stat(5).
    pub fn is_asleep(&self) -> bool {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.pid)).unwrap_or_default();
        stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('S'))
    }

    /// Waits until it is asleep, or over.
    pub fn wait_until_asleep(&mut self) {
        while !self.is_over() && !self.is_asleep() {
            sleep(LOOK_EVERY);
        }
    }

    /// How its function has ended.
    pub fn ended<T: DeserializeOwned>(&self) -> Ended<T> {
        let told = fs::read(&self.outcome).unwrap_or_default();
        if let Ok(ended) = serde_json::from_slice(&told) {
            return ended;
        }
        match self.over {
            None => Ended::Asleep,
            Some(WaitStatus::Exited(_, code)) => Ended::Exited(code),
            Some(WaitStatus::Signaled(_, signal, _)) => Ended::Signaled(signal.to_string()),
            Some(_) => Ended::Signaled("SIGSTOP".into()),
        }
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = kill(self.pid, Signal::SIGKILL);
        let _ = waitpid(self.pid, None);
        let _ = fs::remove_file(&self.outcome);
    }
}

/// Waits until all are over, or those that are not sleep for good. Meanwhile
/// `attend` is called again and again.
pub fn wait_for(peers: &mut [&mut Peer], mut attend: impl FnMut()) {
    let patience = ASLEEP_FOR_GOOD * slowness();
    let mut awake = Instant::now();
    loop {
        attend();
        let working: Vec<&mut &mut Peer> =
            peers.iter_mut().filter_map(|peer| (!peer.is_over()).then_some(peer)).collect();
        if working.is_empty() || awake.elapsed() > patience {
            return;
        }
        if !working.iter().all(|peer| peer.is_asleep()) {
            awake = Instant::now();
        }
        sleep(LOOK_EVERY);
    }
}

/// Calls `body`; a panic is told, not shown.
pub fn call<T>(body: impl FnOnce() -> T) -> Ended<T> {
    let panicked = Arc::new(Mutex::new((String::new(), String::new())));
    let seen = panicked.clone();
    panic::set_hook(Box::new(move |info| {
        let words = info.payload_as_str().unwrap_or_default().to_owned();
        let place = info.location().map(|place| format!("{}:{}", place.file(), place.line()));
        *seen.lock().expect("the only thread") = (words, place.unwrap_or_default());
    }));
    match panic::catch_unwind(AssertUnwindSafe(body)) {
        Ok(value) => Ended::Returned(value),
        Err(_) => {
            let (words, place) = panicked.lock().expect("the only thread").clone();
            Ended::Panicked { words, place }
        }
    }
}
