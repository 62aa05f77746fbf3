//! From an image to an archive, as `docker save` writes one or as an OCI layout.
//!
//! The archive depends on the image's files alone: no time of writing, no name of a
//! machine, no order of a disk. A layer is gone through twice, since its length and
//! its checksum come before it: so nothing is written but the archive itself.

mod blob;
mod documents;

use std::ffi::{OsStr, OsString};
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use nix::sys::stat::SFlag;
use nix::sys::time::{TimeSpec, TimeValLike};
use tar::EntryType;

use super::on_disk::{Item, read_layer};
use super::tar::TarWriter;
use super::tree::Attributes;
use super::whiteout::{OPAQUE, PREFIX};
use super::{Image, notes};
use blob::{Blob, Counter};
use mydocker_kernel::{Error, OnPath, Result};

/// What kind of archive is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// As `docker save`: `manifest.json`, a configuration, the layers.
    Docker,
    /// An OCI image layout: `oci-layout`, `index.json`, blobs.
    Oci,
}

/// What was exported.
#[derive(Debug)]
pub struct Exported {
    /// How many layers there are.
    pub layers: usize,
    /// What is not as in the image, a sentence each.
    pub warnings: Vec<String>,
}

/// Writes the image to `out` as an archive; errors call that `label`.
///
/// # Errors
/// A file cannot be read, or the archive not be written.
pub fn export(image: &Image, format: Format, out: impl Write, label: &Path) -> Result<Exported> {
    let mut left_out = LeftOut::default();
    let layers: Vec<Blob> = (0..image.manifest.layers)
        .map(|number| layer(image, number, io::sink(), &mut left_out))
        .collect::<Result<_>>()?;
    let described = documents::describe(image, &layers, format);

    let attributes = at_the_epoch(0o644);
    let mut archive = TarWriter::new(out);
    for (number, (blob, path)) in layers.iter().zip(&described.layers).enumerate() {
        // The same layer twice, perhaps an empty one, is one file.
        if described.layers[..number].contains(path) {
            continue;
        }
        let path = path.as_bytes();
        let to = archive.begin_file(path, &attributes, blob.size).on("write", label)?;
        if layer(image, number, to, &mut LeftOut::default())? != *blob {
            let name = image.name();
            return Err(Error::new(format!("the image {name:?} changes while it is exported"))
                .because(format!("layer {number} is not what it was a moment ago"))
                .advise("find out who writes to it: an image is read-only; import it once more"));
        }
        archive.end_file(blob.size).on("write", label)?;
    }
    for (path, content) in &described.documents {
        let size = content.len() as u64;
        archive.file(path.as_bytes(), &attributes, size, &mut &content[..]).on("write", label)?;
    }
    archive.finish().and_then(|mut out| out.flush()).on("write", label)?;
    let LeftOut { sockets, marks, xattrs } = left_out;
    let mut warnings = notes::of_export(sockets, marks, xattrs);
    warnings.extend(described.warning);
    Ok(Exported { layers: layers.len(), warnings })
}

/// What an archive cannot hold.
#[derive(Default)]
struct LeftOut {
    sockets: u64,
    /// Files whose name would be read as a deletion.
    marks: u64,
    xattrs: u64,
}

/// Writes a layer as an archive of files, and says what it was.
fn layer(image: &Image, number: usize, out: impl Write, left_out: &mut LeftOut) -> Result<Blob> {
    let folder = image.layer(number);
    let mut archive = TarWriter::new(Counter::new(out));
    read_layer(&folder, image.whiteouts(), &mut |path, item, mut attributes| {
        let is_mark = |name: &OsStr| name.as_bytes().starts_with(PREFIX.as_bytes());
        if path.iter().any(is_mark) {
            left_out.marks += 1;
            return Ok(());
        }
        let before = attributes.xattrs.len();
        attributes.xattrs.retain(|(name, _)| !name.as_bytes().contains(&b'='));
        left_out.xattrs += (before - attributes.xattrs.len()) as u64;
        write(&mut archive, path, item, attributes, &mut left_out.sockets)
            .on("copy", &folder.join(path))
    })?;
    Ok(archive.finish().on("write", &folder)?.finish())
}

fn write<W: Write>(
    archive: &mut TarWriter<W>,
    path: &Path,
    item: Item,
    attributes: Attributes,
    sockets: &mut u64,
) -> io::Result<()> {
    let mut name = path.as_os_str().to_owned();
    let (mut link, mut device) = (OsString::new(), (0, 0));
    let mut attributes = attributes;
    let kind = match item {
        Item::File(file, size) => {
            return archive.file(name.as_bytes(), &attributes, size, &mut &file);
        }
        Item::Directory => {
            name.push(if name.is_empty() { "./" } else { "/" });
            EntryType::Directory
        }
        Item::Symlink(target) => {
            link = target;
            EntryType::Symlink
        }
        Item::HardLink(first) => {
            link = first.into();
            EntryType::Link
        }
        Item::Node(kind, number) => {
            device = number;
            match kind {
                SFlag::S_IFCHR => EntryType::Char,
                SFlag::S_IFBLK => EntryType::Block,
                _ => EntryType::Fifo,
            }
        }
        Item::Socket => {
            *sockets += 1;
            return Ok(());
        }
        Item::Deleted | Item::Emptied => {
            // All that counts of a mark is its name.
            attributes = at_the_epoch(0o644);
            name = match item {
                Item::Emptied => path.join(OPAQUE),
                _ => {
                    let mut mark = OsString::from(PREFIX);
                    mark.push(path.file_name().unwrap_or_default());
                    path.with_file_name(mark)
                }
            }
            .into();
            EntryType::Regular
        }
    };
    archive.entry(name.as_bytes(), kind, &attributes, &link, device)
}

/// Attributes that are the same whenever an archive is made.
fn at_the_epoch(mode: u32) -> Attributes {
    Attributes { mtime: TimeSpec::seconds(0), ..Attributes::new(mode, (0, 0)) }
}
