//! Reads the entries of a tar archive: v7, ustar, star, GNU and PAX.
//!
//! The layout of a header block comes from the crate `tar`. What lies between
//! the blocks is read here, because that crate takes a line feed inside of an
//! extended attribute for the end of it, and does not tell an end mark from
//! none; and the numbers, of which it refuses empty ones.

mod header;
mod maps;
mod number;
mod pax;
mod sparse;
mod write;

use std::ffi::{OsStr, OsString};
use std::fmt::Display;
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use nix::sys::time::TimeSpec;
use tar::{EntryType, Header};

use super::allowance::{Allowance, is_used_up};
use super::compression::is_rubbish;
use mydocker_kernel::{Error, OnPath, Result};
use pax::Pax;
pub use sparse::SparseMap;
pub use write::TarWriter;

const BLOCK: usize = 512;

/// The kind of GNU tar's entry with the name of the whole archive.
const GNU_VOLUME_NAME: u8 = b'V';

/// The kind of a directory in GNU's incremental archives.
const GNU_DIRECTORY: u8 = b'D';

/// What Sun called an extended header before POSIX did.
const SUN_XHEADER: u8 = b'X';

/// The longest name or set of attributes that an entry may have.
const EXTENSION_LIMIT: u64 = 1024 * 1024;

/// What an archive says of one file.
#[derive(Debug)]
pub struct Entry {
    /// The name, as the archive has it.
    pub path: OsString,
    /// What a link leads to.
    pub link: OsString,
    /// What kind of file it is.
    pub kind: EntryType,
    /// Permissions, with the set-user-ID, set-group-ID and sticky bits.
    pub mode: u32,
    /// The owner.
    pub uid: u32,
    /// The owning group.
    pub gid: u32,
    /// When the contents changed last.
    pub mtime: TimeSpec,
    /// How many bytes the file has.
    pub size: u64,
    /// Major and minor number of a device.
    pub device: (u32, u32),
    /// Extended attributes.
    pub xattrs: Vec<(OsString, Vec<u8>)>,
    /// Where the data of a file with holes belongs.
    pub sparse: Option<SparseMap>,
}

/// How an archive ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// With the mark that says so.
    Marked,
    /// After a whole entry, but without a mark: perhaps it was cut off there.
    Unmarked,
    /// There was not a byte.
    Empty,
}

/// A tar archive that is read from its beginning to its end.
pub struct TarReader<'a, R> {
    source: R,
    /// Of which `source` takes, for errors.
    allowance: &'a Allowance,
    /// The name of the archive, for errors.
    label: String,
    /// The name of the entry that was read last, for errors.
    place: Option<OsString>,
    /// How many bytes of the present entry's data were not read yet.
    data_left: u64,
    /// How many bytes follow on them up to the next block.
    padding: u64,
    /// What the archive says of all entries from here on.
    global: Pax,
    end: End,
}

/// What header blocks before an entry say of it.
#[derive(Default)]
struct Extensions {
    gnu_name: Option<Vec<u8>>,
    gnu_link: Option<Vec<u8>>,
    pax: Option<Vec<u8>>,
}

/// What a header block is.
enum Block {
    Header,
    EndMark,
    /// There is none any more.
    Nothing,
}

impl<'a, R: Read> TarReader<'a, R> {
    /// Begins to read `source`, which takes of `allowance`; errors call it `label`.
    pub fn new(source: R, label: &str, allowance: &'a Allowance) -> TarReader<'a, R> {
        TarReader {
            source,
            allowance,
            label: label.into(),
            place: None,
            data_left: 0,
            padding: 0,
            global: Pax::default(),
            end: End::Empty,
        }
    }

    /// The next entry; `None` at the end.
    ///
    /// # Errors
    /// It is not a tar archive, or a damaged one.
    pub fn next_entry(&mut self) -> Result<Option<Entry>> {
        let mut extensions = Extensions::default();
        loop {
            // What was not read of the entry before.
            self.skip()?;
            let mut block = [0; BLOCK];
            match self.read_header(&mut block)? {
                Block::Header => self.end = End::Unmarked,
                Block::EndMark => {
                    self.end = End::Marked;
                    return Ok(None);
                }
                Block::Nothing => return Ok(None),
            }
            let header = Header::from_byte_slice(&block);
            let size = header::size(header).map_err(|why| self.damaged(why))?;

            match header.entry_type().as_byte() {
                // What says something of the entry after it.
                b'L' => extensions.gnu_name = Some(self.read_extension(size)?),
                b'K' => extensions.gnu_link = Some(self.read_extension(size)?),
                b'x' | SUN_XHEADER => extensions.pax = Some(self.read_extension(size)?),
                // Remarks on the whole archive.
                b'g' => {
                    let records = self.read_extension(size)?;
                    self.global.read(&records).map_err(|why| self.damaged(why))?;
                }
                GNU_VOLUME_NAME => {
                    self.data_follows(size);
                    extensions = Extensions::default();
                }
                _ => return self.entry(header, size, extensions).map(Some),
            }
        }
    }

    /// Reads data of the present entry until `buffer` is full or no more
    /// follows; returns how much.
    ///
    /// # Errors
    /// The archive is damaged.
    pub fn read_data(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let wanted = self.data_left.min(buffer.len() as u64) as usize;
        self.read_exact(&mut buffer[..wanted])?;
        self.data_left -= wanted as u64;
        Ok(wanted)
    }

    /// Reads what follows on the end mark, as a stream's checksum comes last;
    /// returns how the archive ended.
    ///
    /// # Errors
    /// The archive is damaged.
    pub fn finish(mut self) -> Result<End> {
        match io::copy(&mut self.source, &mut io::sink()) {
            // Whatever it is, the archive was whole before it.
            Err(error) if is_rubbish(&error) && self.end == End::Marked => Ok(self.end),
            other => other.map(|_| self.end).map_err(|error| self.unreadable(error)),
        }
    }

    /// An error on the entry that was read last.
    pub fn refusal(&self, why: impl Into<String>) -> Error {
        let entry = self.place.clone().unwrap_or_default();
        Error::new(format!("{}: entry {entry:?} cannot be unpacked", self.label)).because(why)
    }

    fn unreadable(&self, error: io::Error) -> Error {
        match is_used_up(&error) {
            true => self.allowance.explain(self.refusal("")),
            false if error.raw_os_error().is_some() => {
                Err::<(), _>(error).on("read", Path::new(&self.label)).unwrap_err()
            }
            false => self.damaged(error),
        }
    }

    fn damaged(&self, why: impl Display) -> Error {
        let place = match &self.place {
            None => "its beginning".into(),
            Some(entry) => format!("entry {entry:?}"),
        };
        Error::new(format!("{}: the archive is damaged or cut off at {place}", self.label))
            .because(why.to_string())
            .advise("make it or fetch it again")
    }

    fn read_header(&mut self, block: &mut [u8; BLOCK]) -> Result<Block> {
        let is_first = self.end == End::Empty;
        let filled = self.fill(block)?;
        let no_tar = |why: &str| {
            Error::new(format!("{} is not a tar archive", self.label))
                .because(why)
                .advise("docker export and docker save make archives to import; gzip and zstd are understood")
        };
        if filled == 0 {
            return Ok(Block::Nothing);
        }
        if filled < BLOCK {
            return Err(match is_first {
                true => no_tar("it is shorter than one block of 512 bytes"),
                false => self.damaged("it ends in the middle of a header"),
            });
        }
        if block.iter().all(|&byte| byte == 0) {
            return Ok(Block::EndMark);
        }
        match header::is_intact(block) {
            true => header::unify(block),
            false if is_first => return Err(no_tar("its first block is no header of a tar")),
            false => return Err(self.damaged("the checksum of a header does not match")),
        }
        Ok(Block::Header)
    }

    /// Puts together what the header and the blocks before it say.
    fn entry(&mut self, header: &Header, size: u64, said: Extensions) -> Result<Entry> {
        let mut pax = self.global.clone();
        pax.read(said.pax.as_deref().unwrap_or_default()).map_err(|why| self.damaged(why))?;
        let path = pax.path().cloned().unwrap_or_else(|| match &said.gnu_name {
            Some(name) => until_nul(name),
            None => OsStr::from_bytes(&header.path_bytes()).into(),
        });
        self.place = Some(path.clone());
        let link = pax.link.unwrap_or_else(|| match &said.gnu_link {
            Some(name) => until_nul(name),
            None => OsStr::from_bytes(&header.link_name_bytes().unwrap_or_default()).into(),
        });

        let kind = match header.entry_type() {
            // Before ustar a directory was a file whose name ends in a slash.
            EntryType::Regular if path.as_bytes().ends_with(b"/") => EntryType::Directory,
            EntryType::Continuous => EntryType::Regular,
            // Its data is a list of what was in it when the archive was made.
            kind if kind.as_byte() == GNU_DIRECTORY => EntryType::Directory,
            kind => kind,
        };
        let size = match header.entry_type() {
            // These have no data, even where their headers state a size.
            EntryType::Link
            | EntryType::Symlink
            | EntryType::Directory
            | EntryType::Char
            | EntryType::Block
            | EntryType::Fifo => 0,
            _ => pax.size.unwrap_or(size),
        };
        let owner = |in_pax: Option<u64>, field: &[u8], what: &str| {
            let value = match in_pax {
                Some(id) => i128::from(id),
                None => number::number(field).map_err(|why| self.damaged(why))?,
            };
            // The highest number is no owner: chown takes it for "as it is".
            u32::try_from(value)
                .ok()
                .filter(|&id| id != u32::MAX)
                .ok_or_else(|| self.refusal(format!("its {what} {value} is none that Linux knows")))
        };
        let device = match kind {
            EntryType::Char | EntryType::Block => header::device(header),
            _ => Ok((0, 0)),
        };
        let mut entry = Entry {
            path,
            link,
            kind,
            mode: header::mode(header).map_err(|why| self.damaged(why))?,
            uid: owner(pax.uid, &header.as_old().uid, "user")?,
            gid: owner(pax.gid, &header.as_old().gid, "group")?,
            mtime: match pax.mtime {
                Some(mtime) => mtime,
                None => header::mtime(header).map_err(|why| self.damaged(why))?,
            },
            size,
            device: device.map_err(|why| self.damaged(why))?,
            xattrs: pax.xattrs,
            sparse: None,
        };

        // Files with holes: where the data belongs is said before it.
        self.data_follows(size);
        entry.sparse = match pax.holes {
            _ if kind == EntryType::GNUSparse => Some(self.gnu_sparse_map(header, size)?),
            None => None,
            Some(holes) => {
                let size = holes.size.ok_or_else(|| self.damaged("a sparse file has no size"))?;
                let chunks = match holes.is_map_in_data {
                    true => self.read_sparse_map()?,
                    false => holes.chunks,
                };
                let map = SparseMap::new(chunks, size, self.data_left);
                Some(map.map_err(|why| self.damaged(why))?)
            }
        };
        if let Some(map) = &entry.sparse {
            entry.kind = EntryType::Regular;
            entry.size = map.size;
        }
        Ok(entry)
    }

    fn data_follows(&mut self, size: u64) {
        self.data_left = size;
        self.padding = size.wrapping_neg() % BLOCK as u64;
    }

    fn read_extension(&mut self, size: u64) -> Result<Vec<u8>> {
        if size > EXTENSION_LIMIT {
            return Err(self.damaged(format!("a name or attributes of {size} bytes")));
        }
        self.data_follows(size);
        let mut bytes = vec![0; size as usize];
        self.read_data(&mut bytes)?;
        Ok(bytes)
    }

    /// Reads over what is left of an entry.
    fn skip(&mut self) -> Result<()> {
        let data = std::mem::take(&mut self.data_left);
        if data > 0 {
            let skipped = io::copy(&mut (&mut self.source).take(data), &mut io::sink());
            if skipped.map_err(|error| self.unreadable(error))? < data {
                return Err(self.damaged("it ends in the middle of the data"));
            }
        }
        // After the last entry some writers leave the padding out.
        let mut padding = [0; BLOCK];
        let count = std::mem::take(&mut self.padding) as usize;
        self.fill(&mut padding[..count]).map(drop)
    }

    fn read_exact(&mut self, buffer: &mut [u8]) -> Result<()> {
        match self.fill(buffer)? == buffer.len() {
            true => Ok(()),
            false => Err(self.damaged("it ends in the middle of the data")),
        }
    }

    /// Reads until `buffer` is full or nothing follows; returns how much.
    fn fill(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let mut filled = 0;
        while filled < buffer.len() {
            match self.source.read(&mut buffer[filled..]) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.unreadable(error)),
            }
        }
        Ok(filled)
    }
}

/// GNU's long names end in a NUL.
fn until_nul(bytes: &[u8]) -> OsString {
    let name = bytes.split(|&byte| byte == 0).next().unwrap_or_default();
    OsStr::from_bytes(name).into()
}
