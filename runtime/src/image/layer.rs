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
use super::compression::decompress;
use super::deletions::{Deletions, Meaning, meaning};
use super::tar::{Entry, TarReader};
use super::tree::{Attributes, LeftOut, Tree};
use super::whiteout::WhiteoutForm;
use crate::error::{OnPath, Result};

/// How much of a file is read and written at once.
const BUFFER: usize = 128 * 1024;

/// The kind of GNU tar's entry with the name of the whole archive.
const VOLUME_NAME: u8 = b'V';

/// What was unpacked.
#[derive(Debug, Default)]
pub struct Unpacked {
    pub entries: u64,
    pub bytes: u64,
    pub left_out: LeftOut,
}

/// Unpacks the archive in `source`, compressed or not, to the new folder
/// `folder`, a layer on the layers `lower`, topmost first. The umask must be 0.
///
/// # Errors
/// It is no archive, a damaged one, one with an entry that is refused, or one
/// of more bytes than there is an `allowance` for; or a file cannot be made. The error names `label` and the entry.
pub fn unpack(
    source: impl Read,
    label: &str,
    folder: &Path,
    lower: &[PathBuf],
    form: WhiteoutForm,
    allowance: &Allowance,
) -> Result<Unpacked> {
    let source = decompress(source, label, allowance)?;
    let mut archive = TarReader::new(source, label, allowance);
    let mut tree = Tree::create(folder, lower, label)?;
    let mut deletions = Deletions::default();
    let mut buffer = vec![0; BUFFER];
    let mut unpacked = Unpacked::default();

    while let Some(entry) = archive.next_entry()? {
        let path = inside(&entry.path).map_err(|why| archive.refusal(why))?;
        if path == Path::new("") && entry.kind != EntryType::Directory {
            return Err(archive.refusal("it is the root of the layer, but no directory"));
        }
        unpacked.entries += 1;
        match meaning(&path).map_err(|why| archive.refusal(why))? {
            Meaning::File => {}
            Meaning::Ignored => continue,
            Meaning::Deleted(path) => {
                deletions.files.push(path);
                continue;
            }
            Meaning::Emptied(path) => {
                deletions.directories.push(path);
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
                unpacked.bytes = unpacked.bytes.saturating_add(size);
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
            kind if kind.as_byte() == VOLUME_NAME => {}
            kind => {
                let kind = char::from(kind.as_byte());
                return Err(archive.refusal(format!("its kind {kind:?} is none that is known")));
            }
        }
    }

    // A stream's checksum comes last.
    archive.finish()?;
    deletions.write(&mut tree, form)?;
    unpacked.left_out = tree.finish()?;
    Ok(unpacked)
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
