//! Reads the entries of a tar archive: v7, ustar, GNU and PAX.
//!
//! The fields of a header block come from the crate `tar`. What lies between
//! the blocks is read here, because that crate takes a line feed inside of an
//! extended attribute for the end of it, and no end mark for a good end.

mod pax;
mod sparse;

use std::ffi::{OsStr, OsString};
use std::fmt::Display;
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use nix::sys::time::TimeSpec;
use tar::{EntryType, GnuExtSparseHeader, Header};

use super::allowance::{Allowance, is_used_up};
use crate::error::{Error, OnPath, Result};
pub use sparse::SparseMap;

const BLOCK: usize = 512;

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
}

/// What header blocks before an entry say of it.
#[derive(Default)]
struct Extensions {
    gnu_name: Option<Vec<u8>>,
    gnu_link: Option<Vec<u8>>,
    pax: Option<Vec<u8>>,
}

impl<'a, R: Read> TarReader<'a, R> {
    /// Begins to read `source`, which takes of `allowance`; errors call it `label`.
    pub fn new(source: R, label: &str, allowance: &'a Allowance) -> TarReader<'a, R> {
        let label = label.into();
        TarReader { source, allowance, label, place: None, data_left: 0, padding: 0 }
    }

    /// The next entry; `None` at the end mark.
    ///
    /// # Errors
    /// It is not a tar archive, or a damaged one.
    pub fn next_entry(&mut self) -> Result<Option<Entry>> {
        let mut extensions = Extensions::default();
        loop {
            // What was not read of the entry before.
            self.skip()?;
            let mut block = [0; BLOCK];
            if !self.read_header(&mut block)? {
                return Ok(None);
            }
            let header = Header::from_byte_slice(&block);
            let size = header.entry_size().map_err(|error| self.damaged(error))?;

            // Blocks that say something of the entry after them.
            let said = match header.entry_type() {
                EntryType::GNULongName => Some(&mut extensions.gnu_name),
                EntryType::GNULongLink => Some(&mut extensions.gnu_link),
                EntryType::XHeader => Some(&mut extensions.pax),
                // Remarks on the whole archive.
                EntryType::XGlobalHeader => None,
                _ => return self.entry(header, size, extensions).map(Some),
            };
            self.data_follows(size);
            if let Some(said) = said {
                *said = Some(self.read_extension(size)?);
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

    /// Reads what follows on the end mark: a stream's checksum comes last.
    ///
    /// # Errors
    /// The archive is damaged.
    pub fn finish(mut self) -> Result<()> {
        let result = io::copy(&mut self.source, &mut io::sink());
        result.map(drop).map_err(|error| self.unreadable(error))
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

    /// Reads a header block; `false` if it is the end mark.
    fn read_header(&mut self, block: &mut [u8; BLOCK]) -> Result<bool> {
        let is_first = self.place.is_none();
        let mut filled = 0;
        while filled < BLOCK {
            match self.source.read(&mut block[filled..]) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.unreadable(error)),
            }
        }
        let no_tar = |why: &str| {
            Error::new(format!("{} is not a tar archive", self.label))
                .because(why)
                .advise("docker export and docker save make archives to import; gzip and zstd are understood")
        };
        match filled {
            0 if is_first => return Err(no_tar("it is empty")),
            0 => {
                return Err(self.damaged("there is no end mark").advise(
                    "make it or fetch it again; if it is whole: head -c 1024 /dev/zero >> FILE",
                ));
            }
            BLOCK => {}
            _ if is_first => return Err(no_tar("it is shorter than one block of 512 bytes")),
            _ => return Err(self.damaged("it ends in the middle of a header")),
        }
        if block.iter().all(|&byte| byte == 0) {
            return Ok(false);
        }
        // The checksum is the sum of all bytes, its own field as blanks.
        let sum_of = |bytes: &[u8]| bytes.iter().map(|&byte| u32::from(byte)).sum::<u32>();
        let sum = sum_of(&block[..148]) + 8 * u32::from(b' ') + sum_of(&block[156..]);
        match Header::from_byte_slice(block).cksum() {
            Ok(stored) if stored == sum => Ok(true),
            _ if is_first => Err(no_tar("its first block is no header of a tar")),
            _ => Err(self.damaged("the checksum of a header does not match")),
        }
    }

    /// Puts together what the header and the blocks before it say.
    fn entry(&mut self, header: &Header, mut size: u64, said: Extensions) -> Result<Entry> {
        let pax = said.pax.as_deref().map(pax::parse).transpose();
        let pax = pax.map_err(|why| self.damaged(why))?.unwrap_or_default();
        let path = pax.path.unwrap_or_else(|| match &said.gnu_name {
            Some(name) => until_nul(name),
            None => OsStr::from_bytes(&header.path_bytes()).into(),
        });
        self.place = Some(path.clone());
        let link = pax.link.unwrap_or_else(|| match &said.gnu_link {
            Some(name) => until_nul(name),
            None => OsStr::from_bytes(&header.link_name_bytes().unwrap_or_default()).into(),
        });

        // Before ustar a directory was a file whose name ends in a slash.
        let kind = match header.entry_type() {
            EntryType::Regular if path.as_bytes().ends_with(b"/") => EntryType::Directory,
            EntryType::Continuous => EntryType::Regular,
            kind => kind,
        };
        // These have no data, even where their headers state a size.
        size = match kind {
            EntryType::Link
            | EntryType::Symlink
            | EntryType::Directory
            | EntryType::Char
            | EntryType::Block
            | EntryType::Fifo => 0,
            _ => pax.size.unwrap_or(size),
        };
        let number = |value: io::Result<u64>| value.map_err(|error| self.damaged(error));
        let owner = |value: u64, what: &str| {
            // The highest number is no owner: chown takes it for "as it is".
            u32::try_from(value)
                .ok()
                .filter(|&id| id != u32::MAX)
                .ok_or_else(|| self.refusal(format!("its {what} {value} is none that Linux knows")))
        };
        let mtime = match pax.mtime {
            Some(mtime) => mtime,
            // Times before 1970 are negative, in two's complement.
            None => TimeSpec::new(number(header.mtime())? as i64, 0),
        };
        let device = match kind {
            EntryType::Char | EntryType::Block => {
                let half = |value: io::Result<Option<u32>>| {
                    value.map(Option::unwrap_or_default).map_err(|error| self.damaged(error))
                };
                (half(header.device_major())?, half(header.device_minor())?)
            }
            _ => (0, 0),
        };
        let mut entry = Entry {
            path,
            link,
            kind,
            mode: number(header.mode().map(u64::from))? as u32 & 0o7777,
            uid: owner(pax.uid.map_or_else(|| number(header.uid()), Ok)?, "user")?,
            gid: owner(pax.gid.map_or_else(|| number(header.gid()), Ok)?, "group")?,
            mtime,
            size,
            device,
            xattrs: pax.xattrs,
            sparse: None,
        };

        // Files with holes: where the data belongs is said before it.
        if kind == EntryType::GNUSparse {
            entry.sparse = Some(self.gnu_sparse_map(header, size)?);
            self.data_follows(size);
        } else {
            self.data_follows(size);
            entry.sparse = match pax.sparse_size {
                Some(real_size) => Some(self.pax_sparse_map(real_size)?),
                None if pax.is_old_sparse => {
                    return Err(self
                        .refusal("it is sparse in a way that is no longer used")
                        .advise("make the archive with tar --format=gnu, or without --sparse"));
                }
                None => None,
            };
        }
        if let Some(map) = &entry.sparse {
            entry.kind = EntryType::Regular;
            entry.size = map.size;
        }
        Ok(entry)
    }

    /// The map of a file in GNU's own form: in the header, and in as many
    /// blocks after it as it takes.
    fn gnu_sparse_map(&mut self, header: &Header, data: u64) -> Result<SparseMap> {
        let gnu = header.as_gnu().ok_or_else(|| self.damaged("a sparse file without a map"))?;
        let chunk = |part: &tar::GnuSparseHeader| Ok((part.offset()?, part.length()?));
        let mut chunks = Vec::new();
        let parts = gnu.sparse.iter().filter(|part| !part.is_empty());
        chunks
            .extend(parts.map(chunk).collect::<io::Result<Vec<_>>>().map_err(|e| self.damaged(e))?);
        let mut is_extended = gnu.is_extended();
        while is_extended {
            let mut block = GnuExtSparseHeader::new();
            self.read_exact(block.as_mut_bytes())?;
            let parts = block.sparse().iter().filter(|part| !part.is_empty());
            chunks.extend(
                parts.map(chunk).collect::<io::Result<Vec<_>>>().map_err(|e| self.damaged(e))?,
            );
            is_extended = block.is_extended();
            if chunks.len() > sparse::MAX_PARTS {
                return Err(self.damaged(sparse::TOO_MANY));
            }
        }
        let size = gnu.real_size().map_err(|error| self.damaged(error))?;
        SparseMap::new(chunks, size, data).map_err(|why| self.damaged(why))
    }

    /// The map of a file in PAX form 1.0: lines of numbers before the data.
    fn pax_sparse_map(&mut self, size: u64) -> Result<SparseMap> {
        let mut numbers = sparse::Numbers::default();
        while !numbers.are_complete() {
            let mut block = [0; BLOCK];
            if self.read_data(&mut block)? < BLOCK {
                return Err(self.damaged("the map of a sparse file is cut off"));
            }
            numbers.read(&block).map_err(|why| self.damaged(why))?;
        }
        SparseMap::new(numbers.chunks(), size, self.data_left).map_err(|why| self.damaged(why))
    }

    fn data_follows(&mut self, size: u64) {
        self.data_left = size;
        self.padding = size.wrapping_neg() % BLOCK as u64;
    }

    fn read_extension(&mut self, size: u64) -> Result<Vec<u8>> {
        if size > EXTENSION_LIMIT {
            return Err(self.damaged(format!("a name or attributes of {size} bytes")));
        }
        let mut bytes = vec![0; size as usize];
        self.read_data(&mut bytes)?;
        Ok(bytes)
    }

    fn skip(&mut self) -> Result<()> {
        if self.data_left == 0 {
            let mut padding = [0; BLOCK];
            let count = self.padding as usize;
            self.padding = 0;
            return self.read_exact(&mut padding[..count]);
        }
        let count = self.data_left.saturating_add(self.padding);
        (self.data_left, self.padding) = (0, 0);
        let skipped = io::copy(&mut (&mut self.source).take(count), &mut io::sink());
        match skipped.map_err(|error| self.unreadable(error))? {
            skipped if skipped == count => Ok(()),
            _ => Err(self.damaged("it ends in the middle of the data")),
        }
    }

    fn read_exact(&mut self, buffer: &mut [u8]) -> Result<()> {
        self.source.read_exact(buffer).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => self.damaged("it ends in the middle of the data"),
            _ => self.unreadable(error),
        })
    }
}

/// GNU's long names end in a NUL.
fn until_nul(bytes: &[u8]) -> OsString {
    let name = bytes.split(|&byte| byte == 0).next().unwrap_or_default();
    OsStr::from_bytes(name).into()
}
