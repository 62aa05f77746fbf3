//! Bytes with their length and checksum.

use std::io::{self, Write};

use sha2::{Digest as _, Sha256};

use crate::archive::hex;

/// What identifies the bytes of a file in an archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blob {
    /// How many there are.
    pub size: u64,
    /// Their SHA-256, in hexadecimal digits.
    pub digits: String,
}

impl Blob {
    /// Of these bytes.
    pub fn of(bytes: &[u8]) -> Blob {
        Blob { size: bytes.len() as u64, digits: hex(&Sha256::digest(bytes)) }
    }

    /// As a digest is written: `sha256:DIGITS`.
    pub fn digest(&self) -> String {
        format!("sha256:{}", self.digits)
    }
}

/// Passes bytes on, and counts them.
pub struct Counter<W> {
    to: W,
    size: u64,
    hasher: Sha256,
}

impl<W: Write> Counter<W> {
    pub fn new(to: W) -> Counter<W> {
        Counter { to, size: 0, hasher: Sha256::new() }
    }

    /// What all bytes were.
    pub fn finish(self) -> Blob {
        Blob { size: self.size, digits: hex(&self.hasher.finalize()) }
    }
}

impl<W: Write> Write for Counter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.to.write(bytes)?;
        self.hasher.update(&bytes[..count]);
        self.size += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}
