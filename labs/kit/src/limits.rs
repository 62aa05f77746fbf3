//! What an answer may use: time, processes, memory and disk space.
//!
//! Resource limits say what one process may use, see setrlimit(2). What an answer and
//! everything that it starts may use together is checked twice:
//!
//! - by the witness, now and then: how many processes there are, and how much memory
//!   is in them;
//! - by the kernel, where the machine's root grades: the sandbox is in control groups
//!   of its own, see [`control_groups`](crate::control_groups), and nothing that is
//!   memory escapes those.
//!
//! So where a user grades, memory is not counted that is in no process: files of a
//! tmpfs that the answer has mounted itself, a memfd that it has not mapped, what
//! waits in pipes and sockets. Nor is what many processes take between two looks. There the
//! machine's memory is the limit, and when that is used up, the kernel kills the
//! answer first, see [`OomScore`](crate::oom_score::OomScore). A class of strangers is
//! better graded by root, in a VM.

use std::env;
use std::time::{Duration, Instant};

use nix::sys::resource::{Resource, setrlimit};

use crate::proc::Proc;

/// How long a function may take; [`slowness`] times as long on a slow machine.
pub const TIME: Duration = Duration::from_secs(5);
/// With more processes than that, an answer is ended.
const TOO_MANY: usize = 32;
/// How many there can be at all. This is so many more that the witness, which checks now
/// and then, sees too many before the answer fails to start another one.
const PROCESSES: usize = 256;
/// How much memory a process may ask for, how much all of them may use, and how
/// long a file may be, in bytes.
const MEMORY: u64 = 2 << 30;
const MEMORY_OF_ALL: u64 = 1 << 30;
const FILE: u64 = 64 << 20;
/// How often the witness looks what there is.
pub(crate) const LOOK_EVERY: Duration = Duration::from_millis(20);

/// How many processes and how much memory, in bytes, the control groups of a sandbox
/// allow. It is more than the answer may have: the witness is in them too, and it is
/// better if the witness sees what the answer takes than if the kernel kills it.
pub(crate) const PROCESSES_OF_SANDBOX: u64 = PROCESSES as u64 + 64;
pub(crate) const MEMORY_OF_SANDBOX: u64 = MEMORY_OF_ALL + (256 << 20);

/// How many times as slow as usual this machine is: $LABKIT_SLOWNESS, which a VM
/// with an emulated processor sets.
#[must_use]
pub fn slowness() -> u32 {
    let variable = env::var("LABKIT_SLOWNESS").ok();
    variable.and_then(|value| value.parse().ok()).unwrap_or(1).clamp(1, 100)
}

/// Limits this process, which is about to become an answer's. Its user has
/// `processes_outside` of the sandbox.
pub(crate) fn limit_this_process(processes_outside: usize) {
    for (resource, limit) in [
        (Resource::RLIMIT_NPROC, (PROCESSES + processes_outside) as u64),
        (Resource::RLIMIT_AS, MEMORY),
        (Resource::RLIMIT_FSIZE, FILE),
        (Resource::RLIMIT_CORE, 0),
        (Resource::RLIMIT_CPU, TIME.as_secs() * u64::from(slowness()) + 1),
    ] {
        let _ = setrlimit(resource, limit, limit);
    }
}

/// What an answer has taken too much of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Excess {
    /// Its time is over.
    Time,
    /// It has started too many processes.
    Processes,
    /// It and those that it has started use too much memory.
    Memory,
}

impl Excess {
    /// All there are, each at the place of its number.
    pub(crate) const ALL: [Excess; 3] = [Excess::Time, Excess::Processes, Excess::Memory];
}

/// What an answer may take from its beginning on.
#[derive(Debug)]
pub(crate) struct Allowance {
    deadline: Instant,
    /// When it was last looked what has been taken.
    looked: Instant,
}

impl Allowance {
    pub fn begin() -> Allowance {
        let now = Instant::now();
        Allowance { deadline: now + TIME * slowness(), looked: now }
    }

    /// Whether its time is over.
    pub fn is_over(&self) -> bool {
        Instant::now() > self.deadline
    }

    /// What all but the witness have taken too much of: looked at now and then.
    pub fn excess(&mut self, proc: &Proc) -> Option<Excess> {
        if self.looked.elapsed() < LOOK_EVERY {
            return None;
        }
        self.looked = Instant::now();
        let is_so = [
            (proc.processes().len() > TOO_MANY, Excess::Processes),
            (proc.memory() > MEMORY_OF_ALL, Excess::Memory),
            (self.is_over(), Excess::Time),
        ];
        is_so.into_iter().find(|(is_so, _)| *is_so).map(|(_, excess)| excess)
    }
}
