//! Calls of an answer that wait until the witness has decided on each. An imitation
//! refuses what a kernel would refuse, and the witness sees what is written even if the
//! next write covers it.

use std::fmt;
use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::time::Duration;

use nix::errno::Errno;
use nix::libc;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::calls::Calls;
use crate::sys;

/// What happens to a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// It is made.
    Make,
    /// It fails with this error.
    Fail(Errno),
    /// Its process is paused before it, see
    /// [`Call::standing_still`](crate::call::Call::standing_still).
    StandStill,
}

impl From<Option<Errno>> for Decision {
    fn from(failure: Option<Errno>) -> Decision {
        failure.map_or(Decision::Make, Decision::Fail)
    }
}

type Decide = Box<dyn FnMut(&Asked) -> Decision>;

/// The calls of a process that wait, and who decides on them.
pub struct Deciding {
    calls: Vec<Calls>,
    decide: Decide,
}

impl fmt::Debug for Deciding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Deciding").field("calls", &self.calls).finish_non_exhaustive()
    }
}

impl Deciding {
    /// Has `decide` decide on each of these calls.
    pub fn new(calls: &[Calls], decide: impl FnMut(&Asked) -> Decision + 'static) -> Deciding {
        Deciding { calls: calls.to_vec(), decide: Box::new(decide) }
    }

    /// The numbers of those calls.
    pub(crate) fn numbers(&self) -> Vec<i64> {
        self.calls.iter().flat_map(|(_, numbers)| *numbers).copied().collect()
    }
}

/// A call that waits to be decided on.
#[derive(Debug, Clone, Copy)]
pub struct Asked {
    /// Its name, as the man page has it.
    pub name: &'static str,
    call: sys::Waiting,
}

/// How many bytes at most are read of what a call writes or is given.
const MOST: u64 = 4096;

impl Asked {
    /// The process that makes it.
    pub fn pid(&self) -> i32 {
        self.call.pid
    }

    /// Its number, which tells apart those of one name.
    pub fn number(&self) -> i64 {
        self.call.number
    }

    /// What it is given: numbers and addresses.
    pub fn argument(&self, nth: usize) -> u64 {
        self.call.arguments[nth]
    }

    /// What one of [`WRITE`](crate::calls::WRITE) writes, and into which file; nothing
    /// if it is another call, or cannot be looked at.
    pub fn written(&self) -> Option<(PathBuf, Vec<u8>)> {
        let [descriptor, address, count, ..] = self.call.arguments;
        let file = PathBuf::from(format!("/proc/{}/fd/{descriptor}", self.call.pid));
        let file = file.read_link().ok()?;
        let bytes = match self.call.number {
            libc::SYS_write | libc::SYS_pwrite64 => self.memory(address, count)?,
            libc::SYS_writev => {
                let pieces = self.pairs(address, count)?.into_iter();
                let pieces = pieces.map(|[address, count]| self.memory(address, count));
                pieces.collect::<Option<Vec<_>>>()?.concat()
            }
            _ => return None,
        };
        Some((file, bytes))
    }

    /// The text that an argument is the address of, up to its NUL; nothing if it is no such
    /// address, or cannot be looked at.
    pub fn text(&self, nth: usize) -> Option<Vec<u8>> {
        let memory = File::open(format!("/proc/{}/mem", self.call.pid)).ok()?;
        let mut bytes = vec![0; MOST as usize];
        // What comes behind a text may not be there.
        let count = memory.read_at(&mut bytes, self.argument(nth)).ok()?;
        let end = bytes[..count].iter().position(|byte| *byte == 0)?;
        bytes.truncate(end);
        Some(bytes)
    }

    /// How long one of [`PAUSE`](crate::calls::PAUSE) lasts at least; nothing if it is
    /// another call, ends at a given moment, or cannot be looked at.
    pub fn pause(&self) -> Option<Duration> {
        let address = match (self.call.number, self.call.arguments) {
            (libc::SYS_nanosleep, [address, ..]) => address,
            (libc::SYS_clock_nanosleep, [_, 0, address, ..]) => address,
            _ => return None,
        };
        let [seconds, nanoseconds] = self.pairs(address, 1)?.pop()?;
        Some(Duration::from_secs(seconds).saturating_add(Duration::from_nanos(nanoseconds)))
    }

    /// What its process has at this address: so many bytes.
    fn memory(&self, address: u64, count: u64) -> Option<Vec<u8>> {
        let memory = File::open(format!("/proc/{}/mem", self.call.pid)).ok()?;
        let mut bytes = vec![0; count.min(MOST) as usize];
        memory.read_exact_at(&mut bytes, address).ok().map(|()| bytes)
    }

    /// The same, if it is so many structures of two words each.
    fn pairs(&self, address: u64, count: u64) -> Option<Vec<[u64; 2]>> {
        const WORD: usize = size_of::<u64>();
        let bytes = self.memory(address, count.saturating_mul(2 * WORD as u64))?;
        let word = |bytes: &[u8]| u64::from_ne_bytes(bytes.try_into().expect("of this length"));
        let pairs = bytes.chunks_exact(2 * WORD);
        Some(pairs.map(|pair| [word(&pair[..WORD]), word(&pair[WORD..])]).collect())
    }
}

/// Where the calls of one process wait.
#[derive(Debug)]
pub(crate) struct Listening {
    listener: OwnedFd,
    deciding: Deciding,
    /// The call before which its process is paused.
    standing: Option<sys::Waiting>,
}

impl Listening {
    pub fn new(listener: OwnedFd, deciding: Deciding) -> Listening {
        Listening { listener, deciding, standing: None }
    }

    /// The process that is paused.
    pub fn standing(&self) -> Option<i32> {
        self.standing.map(|call| call.pid)
    }

    /// Lets a paused process make its call.
    pub fn go_on(&mut self) {
        if let Some(call) = self.standing.take() {
            let _ = sys::decide(self.listener.as_fd(), call, None);
        }
    }

    /// What there is to read from when a call waits.
    pub fn listener(&self) -> BorrowedFd<'_> {
        self.listener.as_fd()
    }

    /// Decides on all calls that wait. Calls from before the answer began are not its own.
    /// This is checked when a call waits, because it may be the answer's first. A call whose
    /// process has ended needs no decision.
    pub fn decide(&mut self, has_begun: impl Fn() -> bool) {
        while self.is_asked() {
            let Ok(call) = sys::next_call(self.listener.as_fd()) else { return };
            let mut calls = self.deciding.calls.iter();
            let known = calls.find(|(_, numbers)| numbers.contains(&call.number));
            let asked = Asked { name: known.map_or("", |(name, _)| *name), call };
            let decision = match has_begun() {
                true => (self.deciding.decide)(&asked),
                false => Decision::Make,
            };
            let failure = match decision {
                Decision::Make => None,
                Decision::Fail(errno) => Some(errno),
                Decision::StandStill => {
                    self.standing = Some(call);
                    continue;
                }
            };
            let _ = sys::decide(self.listener.as_fd(), call, failure);
        }
    }

    fn is_asked(&self) -> bool {
        let mut waiting = [PollFd::new(self.listener(), PollFlags::POLLIN)];
        let _ = poll(&mut waiting, PollTimeout::ZERO);
        waiting[0].revents().is_some_and(|it| it.contains(PollFlags::POLLIN))
    }
}
