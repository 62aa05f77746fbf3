//! One archive of files to one layer on disk.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use nix::sys::stat::SFlag;
use tar::EntryType;

use super::allowance::Allowance;
use super::closed::Closed;
use super::compression::decompress;
use super::meaning::{Meaning, meaning};
use super::stack::Stack;
use super::tar::{End, Entry, TarReader};
use super::tree::{Attributes, LeftOut, Tree};
use mydocker_kernel::{OnPath, Result};

/// How much of a file is read and written at once.
const BUFFER: usize = 128 * 1024;

/// The kind of the rest of a file that began in another volume of an archive.
const GNU_CONTINUATION: u8 = b'M';

/// What was unpacked.
#[derive(Debug)]
pub struct Unpacked {
    pub entries: u64,
    pub bytes: u64,
    pub left_out: LeftOut,
    pub end: End,
}

/// Unpacks the archive in `source`, compressed or not, to the new folder
/// `folder`, a layer on the layers `lower`; its directories that are `closed` must
/// still be closed. The umask must be 0.
///
/// # Errors
/// It is no archive, a damaged one, one with an entry that is refused, or one
/// of more bytes than there is an `allowance` for; or a file cannot be made. The error names `label` and the entry.
pub fn unpack(
    source: impl Read,
    label: &str,
    folder: &Path,
    lower: &Stack,
    closed: &mut Closed,
    allowance: &Allowance,
) -> Result<Unpacked> {
    let source = decompress(source, label, allowance)?;
    let mut archive = TarReader::new(source, label, allowance);
    let mut tree = Tree::create(folder, lower, label, allowance, closed)?;
    let mut buffer = vec![0; BUFFER];
    let (mut entries, mut bytes) = (0, 0u64);

    while let Some(entry) = archive.next_entry()? {
        let path = inside(&entry.path).map_err(|why| archive.refusal(why))?;
        if path == Path::new("") && entry.kind != EntryType::Directory {
            return Err(archive.refusal("it is the root of the layer, but no directory"));
        }
        entries += 1;
        match meaning(&path).map_err(|why| archive.refusal(why))? {
            Meaning::File => {}
            Meaning::Ignored => continue,
            Meaning::Deleted(path) => {
                tree.delete(path)?;
                continue;
            }
            Meaning::Emptied(path) => {
                tree.delete_contents(path);
                continue;
            }
        }

        let Entry { kind, link, device, size, sparse, mode, uid, gid, mtime, xattrs, .. } = entry;
        let attributes = Attributes { mode, uid, gid, mtime, xattrs };
        match kind {
            EntryType::Regular => {
                tree.make_file(&path, &attributes, |file| match sparse {
                    None => copy(&mut archive, file, &path, &mut buffer),
                    Some(map) => {
                        for part in map.chunks {
                            copy_part(&mut archive, file, &path, &mut buffer, part)?;
                        }
                        file.set_len(map.size).on("ftruncate", &path)
                    }
                })?;
                bytes = bytes.saturating_add(size);
            }
            EntryType::Directory => tree.make_directory(&path, attributes)?,
            EntryType::Symlink => tree.make_symlink(&path, &attributes, &link)?,
            EntryType::Link => {
                let target = inside(&link).map_err(|why| {
                    archive.refusal(format!("it is a hard link to {link:?}, of which {why}"))
                })?;
                tree.make_hard_link(&path, &target)?;
            }
            EntryType::Char => tree.make_node(&path, &attributes, SFlag::S_IFCHR, device)?,
            EntryType::Block => tree.make_node(&path, &attributes, SFlag::S_IFBLK, device)?,
            EntryType::Fifo => tree.make_node(&path, &attributes, SFlag::S_IFIFO, (0, 0))?,
            kind if kind.as_byte() == GNU_CONTINUATION => {
                return Err(archive
                    .refusal("it is the rest of a file that began in another volume")
                    .advise("unpack all volumes with tar --multi-volume, and make one archive"));
            }
            kind => {
                let kind = char::from(kind.as_byte());
                return Err(archive.refusal(format!("its kind {kind:?} is none that is known")));
            }
        }
    }

    // A stream's checksum comes last.
    let end = archive.finish()?;
    tree.write_deletions(lower.form)?;
    Ok(Unpacked { entries, bytes, left_out: tree.finish()?, end })
}

/// The path of an entry from the layer's root.
fn inside(name: &OsStr) -> std::result::Result<PathBuf, &'static str> {
    if name.is_empty() {
        return Err("the name is empty");
    }
    if name.as_bytes().contains(&0) {
        return Err("the name has a NUL in it");
    }
    let mut path = PathBuf::new();
    for part in name.as_bytes().split(|&byte| byte == b'/') {
        match part {
            // A slash at the beginning too: the root is the layer's.
            b"" | b"." => {}
            b".." => return Err("the name has .. in it, which may lead out of the layer"),
            part => path.push(OsStr::from_bytes(part)),
        }
    }
    Ok(path)
}

/// Writes the data of the present entry to `file`.
fn copy(
    archive: &mut TarReader<'_, impl Read>,
    file: &mut File,
    path: &Path,
    buffer: &mut [u8],
) -> Result<()> {
    loop {
        let count = archive.read_data(buffer)?;
        if count == 0 {
            return Ok(());
        }
        file.write_all(&buffer[..count]).on("write", path)?;
    }
}

/// Writes data of the present entry to its place in a file with holes.
fn copy_part(
    archive: &mut TarReader<'_, impl Read>,
    file: &mut File,
    path: &Path,
    buffer: &mut [u8],
    (mut offset, length): (u64, u64),
) -> Result<()> {
    let end = offset + length;
    while offset < end {
        let wanted = buffer.len().min((end - offset) as usize);
        let count = archive.read_data(&mut buffer[..wanted])?;
        file.write_all_at(&buffer[..count], offset).on("pwrite", path)?;
        offset += count as u64;
    }
    Ok(())
}
