//! How much an archive may unpack to: a few megabytes of gzip can hold a
//! thousand times as much, and fill any disk.

use std::cell::Cell;
use std::io::{self, Read};

use indicatif::HumanBytes;

use mydocker_kernel::Error;
use mydocker_kernel::limit::Limit;

/// Bytes that may still be unpacked, of all archives that share this.
#[derive(Debug, Clone)]
pub struct Allowance {
    max: Limit,
    used: Cell<u64>,
}

impl Allowance {
    /// Nothing of `max` is used yet.
    pub fn new(max: Limit) -> Allowance {
        Allowance { max, used: Cell::new(0) }
    }

    fn use_up(&self, bytes: usize) -> io::Result<()> {
        let used = self.used.get().saturating_add(bytes as u64);
        self.used.set(used);
        match self.max {
            Limit::At(max) if used > max => Err(io::ErrorKind::FileTooLarge.into()),
            _ => Ok(()),
        }
    }

    /// Adds to an `error` that came of this limit why there is one, and how to
    /// raise it.
    pub fn explain(&self, error: Error) -> Error {
        let Limit::At(max) = self.max else { return error };
        error
            .because(format!(
                "the archive unpacks to more than {}, and a small archive can fill a disk",
                HumanBytes(max)
            ))
            .advise(format!(
                "if you trust it, allow it more: --max-size {}m, or --max-size max",
                max.saturating_mul(2).div_ceil(1 << 20)
            ))
    }
}

/// Whether a read failed because nothing more may be unpacked.
pub fn is_used_up(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::FileTooLarge
}

/// What `source` has unpacked, as long as there is an allowance for it.
pub struct Allowed<'a, R> {
    pub source: R,
    pub allowance: &'a Allowance,
}

impl<R: Read> Read for Allowed<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.source.read(buffer)?;
        self.allowance.use_up(count)?;
        Ok(count)
    }
}
