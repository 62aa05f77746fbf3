//! An archive, read with care.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::Read;

use tar::{EntryType, Header};

/// What an archive has of one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Without `./` before it and `/` behind it.
    pub name: Vec<u8>,
    pub kind: Kind,
    pub mode: u32,
    /// User and group.
    pub owner: (u64, u64),
    /// In seconds since 1970. A header has room for more of them than the kernel.
    pub mtime: i128,
    pub xattrs: BTreeMap<Vec<u8>, Vec<u8>>,
}

/// What kind of file it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    Directory,
    File(Vec<u8>),
    Symlink(Vec<u8>),
    HardLink(Vec<u8>),
    Char(u32, u32),
    Block(u32, u32),
    Fifo,
    Other(u8),
}

impl Kind {
    /// For a reader.
    pub fn shown(&self) -> String {
        match self {
            Kind::Directory => "a directory".to_owned(),
            Kind::File(content) => format!("a regular file of {} bytes", content.len()),
            Kind::Symlink(target) => format!("a symbolic link to {}", target.escape_ascii()),
            Kind::HardLink(first) => format!("a hard link to {}", first.escape_ascii()),
            Kind::Char(major, minor) => format!("a character device {major}:{minor}"),
            Kind::Block(major, minor) => format!("a block device {major}:{minor}"),
            Kind::Fifo => "a fifo".to_owned(),
            Kind::Other(flag) => format!("an entry of the type {flag}"),
        }
    }
}

/// Why an archive cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Damage {
    /// It ends too early, a sum is wrong, or the like.
    Unreadable(String),
    /// A pax record does not end where its length says: how it begins.
    Record(String),
    /// After the last entry there are no two blocks of zeros, or something else.
    NoEnd,
}

const BLOCK: usize = 512;

/// Reads an archive. An entry for the top of it is left out.
///
/// # Errors
/// It is damaged.
pub fn read(bytes: &[u8]) -> Result<Vec<Entry>, Damage> {
    let unreadable = |error: std::io::Error| Damage::Unreadable(error.to_string());
    let mut all_records = records(bytes)?.into_iter();
    let mut entries = Vec::new();
    let mut end = 0;
    let mut archive = tar::Archive::new(bytes);
    for entry in archive.entries().map_err(unreadable)? {
        let mut entry = entry.map_err(unreadable)?;
        let mut content = Vec::new();
        entry.read_to_end(&mut content).map_err(unreadable)?;
        let stored = entry.header().entry_size().map_err(unreadable)? as usize;
        end = entry.raw_file_position() as usize + stored.next_multiple_of(BLOCK);
        let records = all_records.next().unwrap_or_default();
        let either = |key: &[u8], other: Cow<[u8]>| {
            records.get(key).cloned().unwrap_or_else(|| other.into_owned())
        };
        let name = plain(&either(b"path", entry.path_bytes()));
        let target = either(b"linkpath", entry.link_name_bytes().unwrap_or_default());
        let header = entry.header();
        let device = |it: std::io::Result<Option<u32>>| it.ok().flatten().unwrap_or_default();
        let (major, minor) = (device(header.device_major()), device(header.device_minor()));
        let kind = match header.entry_type() {
            EntryType::Directory => Kind::Directory,
            EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse => {
                Kind::File(content)
            }
            EntryType::Symlink => Kind::Symlink(target),
            EntryType::Link => Kind::HardLink(plain(&target)),
            EntryType::Char => Kind::Char(major, minor),
            EntryType::Block => Kind::Block(major, minor),
            EntryType::Fifo => Kind::Fifo,
            other => Kind::Other(other.as_byte()),
        };
        if name.is_empty() && kind == Kind::Directory {
            continue;
        }
        // Readers take an empty number for 0.
        let number = |it: std::io::Result<u64>| it.unwrap_or_default();
        let whole = |key: &[u8]| -> Option<i64> {
            let value = std::str::from_utf8(records.get(key)?).ok()?;
            value.split('.').next()?.parse().ok()
        };
        let xattrs = records.iter().filter_map(|(key, value)| {
            Some((key.strip_prefix(b"SCHILY.xattr.")?.to_vec(), value.clone()))
        });
        entries.push(Entry {
            name,
            kind,
            mode: header.mode().unwrap_or_default(),
            owner: (
                whole(b"uid").map_or_else(|| number(header.uid()), |it| it as u64),
                whole(b"gid").map_or_else(|| number(header.gid()), |it| it as u64),
            ),
            mtime: records
                .get(&b"mtime"[..])
                .and_then(|it| seconds(it))
                .unwrap_or_else(|| seconds_of(header)),
            xattrs: xattrs.collect(),
        });
    }
    let rest = bytes.get(end..).unwrap_or_default();
    let is_end = rest.len() >= 2 * BLOCK && rest.iter().all(|byte| *byte == 0);
    if is_end && bytes.len().is_multiple_of(BLOCK) { Ok(entries) } else { Err(Damage::NoEnd) }
}

/// The whole seconds of a pax record: `-1.5` lies in the second that begins at -2.
fn seconds(value: &[u8]) -> Option<i128> {
    let value = std::str::from_utf8(value).ok()?;
    let (whole, fraction) = value.split_once('.').unwrap_or((value, ""));
    let is_before = value.starts_with('-') && fraction.bytes().any(|digit| digit != b'0');
    Some(whole.parse::<i128>().ok()? - i128::from(is_before))
}

/// The time in a header. If its first bit is set, the field is one binary number and not
/// digits, as in GNU tar. The next bit is its sign.
fn seconds_of(header: &Header) -> i128 {
    let field = header.as_old().mtime;
    if field[0] & 0x80 == 0 {
        // Readers take an empty number for 0.
        return header.mtime().map_or(0, i128::from);
    }
    let is_negative = field[0] & 0x40 != 0;
    let mut number = if is_negative { [0xff; 16] } else { [0; 16] };
    number[4..].copy_from_slice(&field);
    if !is_negative {
        number[4] &= 0x7f;
    }
    i128::from_be_bytes(number)
}

/// `./a/b/` is `a/b`. What begins with a slash stays so.
fn plain(name: &[u8]) -> Vec<u8> {
    let name = name.strip_suffix(b"/").unwrap_or(name);
    match name.strip_prefix(b"./") {
        Some(rest) => rest.to_vec(),
        None if name == b"." => Vec::new(),
        None => name.to_vec(),
    }
}

type Records = BTreeMap<Vec<u8>, Vec<u8>>;

/// The pax records of each entry. See pax(1p): a record says how long it is, and may
/// have any bytes in its value.
fn records(bytes: &[u8]) -> Result<Vec<Records>, Damage> {
    let unreadable = |error: std::io::Error| Damage::Unreadable(error.to_string());
    let mut all = Vec::new();
    let mut next = Records::new();
    let mut archive = tar::Archive::new(bytes);
    for entry in archive.entries().map_err(unreadable)?.raw(true) {
        let mut entry = entry.map_err(unreadable)?;
        match entry.header().entry_type() {
            EntryType::XHeader => {
                let mut data = Vec::new();
                entry.read_to_end(&mut data).map_err(unreadable)?;
                next.extend(parse(&data)?);
            }
            EntryType::XGlobalHeader | EntryType::GNULongName | EntryType::GNULongLink => {}
            _ => all.push(std::mem::take(&mut next)),
        }
    }
    Ok(all)
}

/// The key and the value of a pax record.
type Record = (Vec<u8>, Vec<u8>);

/// Readers go from one record to the next by its length, and refuse one that has no line
/// feed at its end. Zeros after the last one are no record.
fn parse(mut data: &[u8]) -> Result<Vec<Record>, Damage> {
    let mut records = Vec::new();
    while data.first().is_some_and(|byte| *byte != 0) {
        let (record, rest) = first_record(data).ok_or_else(|| Damage::Record(beginning(data)))?;
        if let Some(equals) = record.iter().position(|byte| *byte == b'=') {
            records.push((record[..equals].to_vec(), record[equals + 1..].to_vec()));
        }
        data = rest;
    }
    Ok(records)
}

/// The first record without its length and its line feed, and what comes after it.
fn first_record(data: &[u8]) -> Option<(&[u8], &[u8])> {
    let space = data.iter().position(|byte| *byte == b' ')?;
    let length: usize = std::str::from_utf8(&data[..space]).ok()?.parse().ok()?;
    let record = data.get(space + 1..length)?.strip_suffix(b"\n")?;
    Some((record, &data[length..]))
}

/// The length and the key of a record, for a reader.
fn beginning(data: &[u8]) -> String {
    const SHOWN: usize = 60;
    let key = data.iter().position(|byte| *byte == b'=').map_or(SHOWN, |equals| equals + 1);
    data[..key.min(SHOWN).min(data.len())].escape_ascii().to_string()
}
