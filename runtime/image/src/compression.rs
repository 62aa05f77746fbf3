//! What an archive is compressed with, by its first bytes; never by its name.

use std::fmt;
use std::io::{self, BufRead, BufReader, Cursor, Read};
use std::path::Path;

use flate2::bufread::GzDecoder;
use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};

use super::allowance::{Allowance, Allowed};
use mydocker_kernel::{Error, OnPath, Result};

/// How much is read at once: what fits into the processor's nearest cache.
const BUFFER: usize = 32 * 1024;

const GZIP: &[u8] = &[0x1f, 0x8b];
const ZSTD: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];
/// A frame without data, which may lie before, between and after the others;
/// its first byte is 0x50 to 0x5f.
const ZSTD_SKIPPABLE: &[u8] = &[0x2a, 0x4d, 0x18];

/// Formats that people have, and which the user can unpack.
const OTHERS: [(&[u8], &str, &str); 3] = [
    (b"\xfd7zXZ\0", "is compressed with xz", "unpack it first: xz -d"),
    (b"BZh", "is compressed with bzip2", "unpack it first: bzip2 -d"),
    (b"PK\x03\x04", "is a zip", "unpack it and make a tar of it"),
];

/// The archive in `source`, unpacked while it is read, through a buffer. A read
/// fails when that is more than there is an `allowance` for.
///
/// # Errors
/// `source` cannot be read, or is compressed in a way that is not supported.
pub fn decompress<'a>(
    mut source: impl Read + 'a,
    label: &str,
    allowance: &'a Allowance,
) -> Result<BufReader<Box<dyn Read + 'a>>> {
    // A pipe may give less than was asked for, so the head is read apart.
    let mut head = Vec::new();
    (&mut source).take(6).read_to_end(&mut head).on("read", Path::new(label))?;
    if let Some((_, what, advice)) = OTHERS.iter().find(|(magic, ..)| head.starts_with(magic)) {
        return Err(
            Error::new(format!("{label} {what}, which cannot be read here")).advise(*advice)
        );
    }
    let is_gzip = head.starts_with(GZIP);
    let is_zstd =
        head.starts_with(ZSTD) || head.get(1..4) == Some(ZSTD_SKIPPABLE) && head[0] & 0xf0 == 0x50;

    let whole = Cursor::new(head).chain(source);
    let unpacked: Box<dyn Read> = match (is_gzip, is_zstd) {
        (true, _) => Box::new(GzipMembers {
            member: Some(GzDecoder::new(BufReader::with_capacity(BUFFER, whole))),
        }),
        (_, true) => Box::new(ZstdFrames {
            source: BufReader::with_capacity(BUFFER, whole),
            frame: FrameDecoder::new(),
        }),
        _ => Box::new(whole),
    };
    let allowed = Allowed { source: unpacked, allowance };
    Ok(BufReader::with_capacity(BUFFER, Box::new(allowed)))
}

/// All members of a gzip, one after the other. Zeros may fill up the last block.
struct GzipMembers<R> {
    /// `None` after the last one.
    member: Option<GzDecoder<R>>,
}

impl<R: BufRead> Read for GzipMembers<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let Some(member) = &mut self.member else { return Ok(0) };
            let count = member.read(buffer)?;
            if count > 0 || buffer.is_empty() {
                return Ok(count);
            }
            let Some(member) = self.member.take() else { return Ok(0) };
            let mut source = member.into_inner();
            self.member = match skip_zeros(&mut source)? {
                None => None,
                Some(first) if first == GZIP[0] => Some(GzDecoder::new(source)),
                Some(_) => return Err(io::Error::other(Rubbish)),
            };
        }
    }
}

/// Reads over zeros; returns the byte that follows on them, if there is one.
fn skip_zeros(source: &mut impl BufRead) -> io::Result<Option<u8>> {
    loop {
        let buffer = source.fill_buf()?;
        if buffer.is_empty() {
            return Ok(None);
        }
        let zeros = buffer.iter().take_while(|&&byte| byte == 0).count();
        let next = buffer.get(zeros).copied();
        source.consume(zeros);
        if next.is_some() {
            return Ok(next);
        }
    }
}

/// What follows on a gzip and is none.
#[derive(Debug)]
struct Rubbish;

impl fmt::Display for Rubbish {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the gzip has ended, and what follows is no gzip")
    }
}

impl std::error::Error for Rubbish {}

/// Whether a read failed because of what follows on a whole gzip.
pub fn is_rubbish(error: &io::Error) -> bool {
    error.get_ref().is_some_and(|inner| inner.is::<Rubbish>())
}

/// All frames of a zstd stream, one after the other.
struct ZstdFrames<R> {
    source: R,
    frame: FrameDecoder,
}

impl<R: BufRead> Read for ZstdFrames<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.frame.can_collect() == 0 {
            if self.frame.is_finished() {
                if self.source.fill_buf()?.is_empty() {
                    return Ok(0);
                }
                self.next_frame()?;
            } else {
                let one = BlockDecodingStrategy::UptoBlocks(1);
                self.frame.decode_blocks(&mut self.source, one).map_err(io::Error::other)?;
            }
        }
        let count = self.frame.read(buffer)?;
        if self.frame.is_finished() && self.frame.can_collect() == 0 {
            self.verify_checksum()?;
        }
        Ok(count)
    }
}

impl<R: BufRead> ZstdFrames<R> {
    fn next_frame(&mut self) -> io::Result<()> {
        match self.frame.reset(&mut self.source) {
            Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame {
                length,
                ..
            })) => {
                let mut frame = (&mut self.source).take(length.into());
                match io::copy(&mut frame, &mut io::sink())? {
                    skipped if skipped == u64::from(length) => Ok(()),
                    _ => Err(io::ErrorKind::UnexpectedEof.into()),
                }
            }
            other => other.map_err(io::Error::other),
        }
    }

    fn verify_checksum(&self) -> io::Result<()> {
        match (self.frame.get_checksum_from_data(), self.frame.get_calculated_checksum()) {
            (Some(stored), Some(calculated)) if stored != calculated => {
                Err(io::Error::other("the checksum of a zstd frame does not match its data"))
            }
            _ => Ok(()),
        }
    }
}
