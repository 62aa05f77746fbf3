//! Writes the entries of a tar archive: ustar, and PAX records for what does not
//! fit into it. The same entries give the same bytes, whoever writes them, and when.
//!
//! See pax(1p), "ustar Interchange Format" and "pax Extended Header".

use std::ffi::OsStr;
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt;

use nix::sys::time::{TimeSpec, TimeValLike};
use tar::{EntryType, Header};

use super::BLOCK;
use crate::tree::Attributes;

/// What eleven, and what seven octal digits hold.
const ELEVEN: u64 = (1 << 33) - 1;
const SEVEN: u64 = (1 << 21) - 1;

/// An archive that is being written.
pub struct TarWriter<W> {
    out: W,
}

impl<W: Write> TarWriter<W> {
    /// Begins an archive.
    pub fn new(out: W) -> TarWriter<W> {
        TarWriter { out }
    }

    /// Writes an entry of this kind without data; `link` is what a link leads to, and
    /// `device` a device's number.
    ///
    /// # Errors
    /// As write(2).
    pub fn entry(
        &mut self,
        path: &[u8],
        kind: EntryType,
        attributes: &Attributes,
        link: &OsStr,
        device: (u32, u32),
    ) -> io::Result<()> {
        self.header(path, kind, attributes, link.as_bytes(), device, 0)
    }

    /// Writes a regular file of `size` bytes, which are read from `data`.
    ///
    /// # Errors
    /// As read(2) and write(2); UnexpectedEof if there are fewer.
    pub fn file(
        &mut self,
        path: &[u8],
        attributes: &Attributes,
        size: u64,
        data: &mut dyn Read,
    ) -> io::Result<()> {
        let out = self.begin_file(path, attributes, size)?;
        if io::copy(&mut data.take(size), out)? < size {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.end_file(size)
    }

    /// Begins a regular file of `size` bytes, which the caller writes.
    ///
    /// # Errors
    /// As write(2).
    pub fn begin_file(
        &mut self,
        path: &[u8],
        attributes: &Attributes,
        size: u64,
    ) -> io::Result<&mut W> {
        self.header(path, EntryType::Regular, attributes, b"", (0, 0), size)?;
        Ok(&mut self.out)
    }

    /// Ends a file whose `size` bytes were written: its last block is filled up.
    ///
    /// # Errors
    /// As write(2).
    pub fn end_file(&mut self, size: u64) -> io::Result<()> {
        let over = (size % BLOCK as u64) as usize;
        self.out.write_all(&[0; BLOCK][over..][..(BLOCK - over) % BLOCK])
    }

    /// Ends the archive: two blocks of NULs. Returns what it was written to.
    ///
    /// # Errors
    /// As write(2).
    pub fn finish(mut self) -> io::Result<W> {
        self.out.write_all(&[0; 2 * BLOCK])?;
        Ok(self.out)
    }

    fn header(
        &mut self,
        path: &[u8],
        kind: EntryType,
        attributes: &Attributes,
        link: &[u8],
        (major, minor): (u32, u32),
        size: u64,
    ) -> io::Result<()> {
        let Attributes { mode, uid, gid, mtime, xattrs } = attributes;
        let mut header = Header::new_ustar();
        let mut records = Vec::new();
        header.set_entry_type(kind);
        header.set_mode(*mode);
        let old = header.as_old_mut();
        text(&mut old.name, path, "path", &mut records);
        text(&mut old.linkname, link, "linkpath", &mut records);
        let fields = [("uid", u64::from(*uid), SEVEN), ("gid", u64::from(*gid), SEVEN)];
        for (name, value, most) in fields.into_iter().chain([("size", size, ELEVEN)]) {
            if value > most {
                record(&mut records, name.as_bytes(), value.to_string().as_bytes());
            }
        }
        header.set_uid(u64::from(*uid).min(SEVEN));
        header.set_gid(u64::from(*gid).min(SEVEN));
        header.set_size(size.min(ELEVEN));
        let seconds = u64::try_from(mtime.tv_sec()).unwrap_or(0).min(ELEVEN);
        if *mtime != TimeSpec::seconds(seconds as i64) {
            record(&mut records, b"mtime", time(mtime).as_bytes());
        }
        header.set_mtime(seconds);
        header.set_device_major(major)?;
        header.set_device_minor(minor)?;
        for (name, value) in xattrs {
            record(&mut records, &[b"SCHILY.xattr.", name.as_bytes()].concat(), value);
        }
        if !records.is_empty() {
            let mut extended = Header::new_ustar();
            extended.set_entry_type(EntryType::XHeader);
            let name = &mut extended.as_old_mut().name;
            name[..b"PaxHeaders/0".len()].copy_from_slice(b"PaxHeaders/0");
            extended.set_mode(0o644);
            extended.set_uid(0);
            extended.set_gid(0);
            extended.set_mtime(0);
            extended.set_size(records.len() as u64);
            extended.set_cksum();
            self.out.write_all(extended.as_bytes())?;
            self.out.write_all(&records)?;
            self.end_file(records.len() as u64)?;
        }
        header.set_cksum();
        self.out.write_all(header.as_bytes())
    }
}

/// A text in its field, or as a record if it is too long.
fn text(field: &mut [u8], text: &[u8], name: &str, records: &mut Vec<u8>) {
    let length = text.len().min(field.len());
    field[..length].copy_from_slice(&text[..length]);
    if text.len() > field.len() {
        record(records, name.as_bytes(), text);
    }
}

/// Adds `LENGTH KEY=VALUE\n`, whose length counts its own digits too.
fn record(records: &mut Vec<u8>, key: &[u8], value: &[u8]) {
    let rest = key.len() + value.len() + b" =\n".len();
    let mut length = rest + 1;
    while length != rest + length.to_string().len() {
        length = rest + length.to_string().len();
    }
    records.extend(format!("{length} ").as_bytes());
    for part in [key, b"=", value, b"\n"] {
        records.extend(part);
    }
}

/// Seconds with a fraction, if there is one: `-1.5` is half a second before -1.
fn time(time: &TimeSpec) -> String {
    let (mut seconds, mut nanoseconds) = (i128::from(time.tv_sec()), time.tv_nsec());
    // The kernel counts nanoseconds forward, also before 1970.
    let sign = if seconds < 0 { "-" } else { "" };
    if seconds < 0 && nanoseconds > 0 {
        seconds += 1;
        nanoseconds = 1_000_000_000 - nanoseconds;
    }
    let seconds = seconds.unsigned_abs();
    match nanoseconds {
        0 => format!("{sign}{seconds}"),
        _ => format!("{sign}{seconds}.{nanoseconds:09}").trim_end_matches('0').to_owned(),
    }
}
