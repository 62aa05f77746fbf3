//! PAX extended headers: records of the form `LENGTH KEY=VALUE\n`.
//!
//! See pax(1p), "pax Extended Header". A value may be any bytes, line feeds
//! included; only its length says where it ends.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::str;

use nix::sys::time::TimeSpec;

/// What the records say that matters here.
#[derive(Default)]
pub struct Pax {
    pub path: Option<OsString>,
    pub link: Option<OsString>,
    pub size: Option<u64>,
    pub uid: Option<u64>,
    pub gid: Option<u64>,
    pub mtime: Option<TimeSpec>,
    pub xattrs: Vec<(OsString, Vec<u8>)>,
    /// The size with its holes, of a file whose map is of form 1.0.
    pub sparse_size: Option<u64>,
    /// Whether the map is of one of the forms before that.
    pub is_old_sparse: bool,
}

/// Parses all records of one entry.
///
/// # Errors
/// Says what is wrong with the first that cannot be parsed.
pub fn parse(records: &[u8]) -> Result<Pax, String> {
    let mut pax = Pax::default();
    let (mut sparse_name, mut sparse_size, mut is_sparse, mut is_1_0) = (None, None, false, false);
    let mut rest = records;
    // GNU tar fills up the last block with NULs, which do not count.
    while rest.first().is_some_and(|&byte| byte != 0) {
        let (key, value, after) =
            split_record(rest).ok_or("a PAX header has a record of the wrong length")?;
        rest = after;
        let bytes = || Some(OsString::from_vec(value.to_vec()));
        let number = || {
            let text = str::from_utf8(value).unwrap_or_default();
            text.parse()
                .map(Some)
                .map_err(|_| format!("{text:?} is no number for {}", key.display()))
        };
        match key.as_bytes() {
            // A record without a value takes back what was said before.
            _ if value.is_empty() && !key.as_bytes().starts_with(b"SCHILY.xattr.") => {}
            b"path" => pax.path = bytes(),
            b"linkpath" => pax.link = bytes(),
            b"size" => pax.size = number()?,
            b"uid" => pax.uid = number()?,
            b"gid" => pax.gid = number()?,
            b"mtime" => pax.mtime = Some(time(value).ok_or("a PAX header has a wrong time")?),
            b"GNU.sparse.major" => is_1_0 = value == b"1",
            b"GNU.sparse.name" => sparse_name = bytes(),
            b"GNU.sparse.realsize" => sparse_size = number()?,
            _ => {}
        }
        if let Some(name) = key.as_bytes().strip_prefix(b"SCHILY.xattr.") {
            pax.xattrs.push((OsStr::from_bytes(name).into(), value.to_vec()));
        }
        is_sparse |= key.as_bytes().starts_with(b"GNU.sparse.");
    }
    if is_1_0 {
        pax.sparse_size = Some(sparse_size.ok_or("a sparse file has no real size")?);
        // The other name is for programs that do not know of sparse files.
        pax.path = sparse_name.or(pax.path);
    }
    pax.is_old_sparse = is_sparse && !is_1_0;
    Ok(pax)
}

/// Key and value of the first record, and what follows on it.
fn split_record(records: &[u8]) -> Option<(&OsStr, &[u8], &[u8])> {
    let blank = records.iter().position(|&byte| byte == b' ')?;
    let length: usize = str::from_utf8(&records[..blank]).ok()?.parse().ok()?;
    let record = records.get(blank + 1..length)?.strip_suffix(b"\n")?;
    let equals = record.iter().position(|&byte| byte == b'=')?;
    Some((OsStr::from_bytes(&record[..equals]), &record[equals + 1..], &records[length..]))
}

/// Seconds with a fraction: `1350244992.023960108`, `-1.5`.
fn time(value: &[u8]) -> Option<TimeSpec> {
    let text = str::from_utf8(value).ok()?;
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let seconds: i64 = whole.parse().ok()?;
    let nanoseconds: i64 = format!("{fraction:0<9}").get(..9)?.parse().ok()?;
    // The kernel counts nanoseconds forward, also before 1970.
    Some(match whole.starts_with('-') && nanoseconds > 0 {
        true => TimeSpec::new(seconds.checked_sub(1)?, 1_000_000_000 - nanoseconds),
        false => TimeSpec::new(seconds, nanoseconds),
    })
}
