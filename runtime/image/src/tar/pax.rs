//! PAX extended headers: records of the form `LENGTH KEY=VALUE\n`.
//!
//! See pax(1p), "pax Extended Header". A value may be any bytes, line feeds
//! included; only its length says where it ends.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::str;

use nix::sys::time::TimeSpec;

/// What the records say that matters here.
#[derive(Default, Clone)]
pub struct Pax {
    path: Option<OsString>,
    pub link: Option<OsString>,
    pub size: Option<u64>,
    pub uid: Option<u64>,
    pub gid: Option<u64>,
    pub mtime: Option<TimeSpec>,
    pub xattrs: Vec<(OsString, Vec<u8>)>,
    pub holes: Option<Holes>,
}

/// What GNU's records say of a file with holes.
#[derive(Default, Clone)]
pub struct Holes {
    /// Whether the map lies before the data, as in form 1.0. In the forms before
    /// that it is in the records.
    pub is_map_in_data: bool,
    /// The size of the file with its holes.
    pub size: Option<u64>,
    /// Offset and length of each part that is data.
    pub chunks: Vec<(u64, u64)>,
    /// The path; the other one is for programs that know nothing of holes.
    path: Option<OsString>,
    /// Of a part whose length is in the next record.
    offset: u64,
}

impl Pax {
    /// Takes in the records of one header; they override those before them. A
    /// record without a value takes back what was said before.
    ///
    /// # Errors
    /// Says what is wrong with the first that cannot be parsed.
    pub fn read(&mut self, records: &[u8]) -> Result<(), String> {
        let mut rest = records;
        // GNU tar fills up the last block with NULs, which do not count.
        while rest.first().is_some_and(|&byte| byte != 0) {
            let (key, value, after) =
                split_record(rest).ok_or("a PAX header has a record of the wrong length")?;
            rest = after;
            let bytes = (!value.is_empty()).then(|| OsString::from_vec(value.to_vec()));
            match key {
                b"path" => self.path = bytes,
                b"linkpath" => self.link = bytes,
                b"size" => self.size = number(key, value)?,
                b"uid" => self.uid = number(key, value)?,
                b"gid" => self.gid = number(key, value)?,
                b"mtime" if value.is_empty() => self.mtime = None,
                b"mtime" => self.mtime = Some(time(value).ok_or("a PAX header has a wrong time")?),
                _ => {}
            }
            if let Some(name) = key.strip_prefix(b"SCHILY.xattr.") {
                self.xattrs.push((OsStr::from_bytes(name).into(), value.to_vec()));
            }
            if let Some(key) = key.strip_prefix(b"GNU.sparse.") {
                self.holes.get_or_insert_default().read(key, value)?;
            }
        }
        Ok(())
    }

    /// The path of the entry.
    pub fn path(&self) -> Option<&OsString> {
        self.holes.as_ref().and_then(|holes| holes.path.as_ref()).or(self.path.as_ref())
    }
}

impl Holes {
    fn read(&mut self, key: &[u8], value: &[u8]) -> Result<(), String> {
        let needed = |value| {
            number(key, value)?.ok_or_else(|| "a sparse file's map lacks a number".to_owned())
        };
        match key {
            b"major" => self.is_map_in_data = value == b"1",
            b"name" => self.path = Some(OsString::from_vec(value.to_vec())),
            b"realsize" | b"size" => self.size = number(key, value)?,
            // Form 0.0: two records for each part.
            b"offset" => self.offset = needed(value)?,
            b"numbytes" => self.chunks.push((self.offset, needed(value)?)),
            // Form 0.1: all parts in one record.
            b"map" => {
                let numbers = value.split(|&byte| byte == b',').map(needed);
                let numbers = numbers.collect::<Result<Vec<u64>, String>>()?;
                self.chunks = numbers.chunks_exact(2).map(|pair| (pair[0], pair[1])).collect();
            }
            _ => {}
        }
        Ok(())
    }
}

/// The number in a record; `None` if the record has no value.
fn number(key: &[u8], value: &[u8]) -> Result<Option<u64>, String> {
    let text = str::from_utf8(value).unwrap_or("\u{fffd}");
    match text.is_empty() {
        true => Ok(None),
        false => text
            .parse()
            .map(Some)
            .map_err(|_| format!("{text:?} is no number for {}", key.escape_ascii())),
    }
}

/// Key and value of the first record, and what follows on it.
fn split_record(records: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let blank = records.iter().position(|&byte| byte == b' ')?;
    let length: usize = str::from_utf8(&records[..blank]).ok()?.parse().ok()?;
    let record = records.get(blank + 1..length)?.strip_suffix(b"\n")?;
    let equals = record.iter().position(|&byte| byte == b'=')?;
    Some((&record[..equals], &record[equals + 1..], &records[length..]))
}

/// Seconds with a fraction: `1350244992.023960108`, `-1.5`.
fn time(value: &[u8]) -> Option<TimeSpec> {
    let text = str::from_utf8(value).ok()?;
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    // How wide they are is the machine's: 32 bits on i386.
    let seconds: libc::time_t = whole.parse().ok()?;
    let nanoseconds: libc::c_long = format!("{fraction:0<9}").get(..9)?.parse().ok()?;
    // The kernel counts nanoseconds forward, also before 1970.
    Some(match whole.starts_with('-') && nanoseconds > 0 {
        true => TimeSpec::new(seconds.checked_sub(1)?, 1_000_000_000 - nanoseconds),
        false => TimeSpec::new(seconds, nanoseconds),
    })
}
