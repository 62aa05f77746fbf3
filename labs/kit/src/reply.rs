//! The one reply of an answer: memory that both processes see.
//!
//! A pipe would be a descriptor, which a function may close or find. And the answer would
//! decide how much comes out of it.

use std::fs::File;
use std::io;
use std::num::NonZeroUsize;
use std::os::fd::{AsFd, BorrowedFd, RawFd};
use std::os::unix::fs::FileExt;

use nix::fcntl::{FcntlArg, SealFlag, fcntl};
use nix::sys::memfd::{MFdFlags, memfd_create};
use serde::{Deserialize, Serialize};

use crate::sys::{self, HEADER, SharedMemory};

/// How long a reply may be, its length included, in bytes.
const ROOM: NonZeroUsize = NonZeroUsize::new(8 << 20).expect("not zero");

/// What an answer replies.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reply {
    /// The act's output, in JSON.
    Returned(String),
    /// It has panicked, with these words, in this line of its source.
    Panicked {
        /// Its words.
        words: String,
        /// The file and the line.
        place: String,
    },
}

/// The grader's end.
#[derive(Debug)]
pub struct ReplyReader {
    memory: File,
}

impl ReplyReader {
    /// Memory for a reply that has not come yet; its size cannot be changed.
    ///
    /// # Errors
    /// As memfd_create(2).
    pub fn new() -> io::Result<ReplyReader> {
        let flags = MFdFlags::MFD_CLOEXEC | MFdFlags::MFD_ALLOW_SEALING;
        let memory = File::from(memfd_create("reply", flags)?);
        memory.set_len(ROOM.get() as u64)?;
        let seals = SealFlag::F_SEAL_SHRINK | SealFlag::F_SEAL_GROW | SealFlag::F_SEAL_SEAL;
        fcntl(&memory, FcntlArg::F_ADD_SEALS(seals))?;
        Ok(ReplyReader { memory })
    }

    /// What the answer's process is given.
    pub fn descriptor(&self) -> BorrowedFd<'_> {
        self.memory.as_fd()
    }

    /// The input that the answer has begun with last, of many.
    pub fn at(&self) -> usize {
        self.begun().saturating_sub(1)
    }

    /// With how many inputs the answer has begun: with none as long as its program
    /// only prepares.
    pub fn begun(&self) -> usize {
        let mut count = [0; 8];
        let read = self.memory.read_exact_at(&mut count, size_of::<u64>() as u64);
        read.map_or(0, |()| u64::from_ne_bytes(count) as usize)
    }

    /// The reply, if there is one that can be read.
    pub fn read(&self) -> Option<Reply> {
        let mut count = [0; 8];
        self.memory.read_exact_at(&mut count, 0).ok()?;
        let count = usize::try_from(u64::from_ne_bytes(count)).ok()?;
        if count == 0 || count > ROOM.get() - HEADER {
            return None;
        }
        let mut bytes = vec![0; count];
        self.memory.read_exact_at(&mut bytes, HEADER as u64).ok()?;
        serde_json::from_slice(&bytes).ok()
    }
}

/// The answer's end.
#[derive(Debug)]
pub struct ReplyWriter {
    memory: SharedMemory,
}

impl ReplyWriter {
    /// That of the descriptor `number`, which is closed.
    ///
    /// # Errors
    /// The descriptor is not open, or is something else.
    pub fn take(number: RawFd) -> io::Result<ReplyWriter> {
        let descriptor = sys::take_descriptor(number)?;
        Ok(ReplyWriter { memory: SharedMemory::map(&descriptor, ROOM)? })
    }

    /// Says that it begins, and with which of many inputs, for the case that it never
    /// replies.
    pub fn begin(&self, nth: usize) {
        self.memory.note(nth as u64 + 1);
    }

    /// Replies.
    ///
    /// # Errors
    /// The reply is too long.
    pub fn send(&self, reply: &Reply) -> io::Result<()> {
        self.memory.publish(&serde_json::to_vec(reply)?)
    }
}
