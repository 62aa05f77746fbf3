//! The solution in parts of which a mistake has one that is wrong.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File, FileType, Metadata};
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use lab_10_grader::change::{Change, Kind};
use nix::fcntl::{AT_FDCWD, RenameFlags, renameat2};
use nix::sys::stat::{major, minor};
use nix::unistd::mkdtemp;
use tar::{Builder, EntryType, Header};

use super::solution::{
    Below, Content, FirstNames, append, append_link, attribute, attributes, check_name, fill,
    first_name, header, is_opaque, is_whiteout, lookup, names,
};

/// The parts of a comparison.
pub struct Comparing {
    /// The names in a directory, in the order in which they are gone through.
    pub names: fn(&Path) -> io::Result<Vec<OsString>>,
    /// What is said of a file.
    pub metadata: fn(&Path) -> io::Result<Metadata>,
    pub is_opaque: fn(&Path) -> io::Result<bool>,
    /// What the layers below have of a name, and what is compared with the directory.
    pub lookup: fn(&[PathBuf], &OsStr) -> io::Result<Below>,
    /// Whether a directory is as those below it.
    pub is_as_below: fn(&Metadata, &[PathBuf]) -> io::Result<bool>,
    /// Whether what an opaque directory has is compared with nothing.
    pub cuts_off: bool,
}

pub const COMPARING: Comparing = Comparing {
    names,
    metadata: |path| path.symlink_metadata(),
    is_opaque,
    lookup,
    is_as_below: |it, below| Ok(attributes(it) == attributes(&below[0].metadata()?)),
    cuts_off: true,
};

impl Comparing {
    pub fn compare(&self, write_layer: &Path, layers: &[PathBuf]) -> io::Result<Vec<Change>> {
        let mut changes = Vec::new();
        let mut known = FirstNames::new();
        self.directory(write_layer, Path::new(""), layers, &mut known, &mut changes)?;
        Ok(changes)
    }

    fn directory(
        &self,
        top: &Path,
        directory: &Path,
        below: &[PathBuf],
        known: &mut FirstNames,
        changes: &mut Vec<Change>,
    ) -> io::Result<()> {
        for name in (self.names)(&top.join(directory))? {
            let path = directory.join(&name);
            let metadata = (self.metadata)(&top.join(&path))?;
            let below = (self.lookup)(below, &name)?;
            let is_new = matches!(below, Below::Nothing);
            let mut note = |kind, hard_link| {
                changes.push(Change { kind, path: path.clone(), hard_link });
            };
            if is_whiteout(&metadata) {
                if !is_new {
                    note(Kind::Deleted, None);
                }
                continue;
            }
            if !metadata.is_dir() {
                let kind = if is_new { Kind::Added } else { Kind::Changed };
                note(kind, first_name(known, &metadata, &path));
                continue;
            }
            let below = match below {
                Below::Directories(below) => below,
                _ => {
                    note(if is_new { Kind::Added } else { Kind::Changed }, None);
                    self.directory(top, &path, &[], known, changes)?;
                    continue;
                }
            };
            let is_emptied = (self.is_opaque)(&top.join(&path))?;
            if is_emptied {
                note(Kind::Emptied, None);
            } else if !(self.is_as_below)(&metadata, &below)? {
                note(Kind::Changed, None);
            }
            let below = if is_emptied && self.cuts_off { &[] } else { below.as_slice() };
            self.directory(top, &path, below, known, changes)?;
        }
        Ok(())
    }
}

/// Pax records, with their keys.
pub type Records = Vec<(String, Vec<u8>)>;

/// The archive that is written.
pub type Archive<'a> = Builder<&'a mut dyn Write>;

/// An entry that is about to be written.
pub struct Entry<'a> {
    pub header: Header,
    pub name: &'a Path,
    /// Where a link leads.
    pub target: Option<PathBuf>,
    /// The records in front of it.
    pub records: Records,
    pub content: Box<dyn Read>,
}

/// The parts of writing a layer.
pub struct Writing {
    pub names: fn(&Path) -> io::Result<Vec<OsString>>,
    pub metadata: fn(&Path) -> io::Result<Metadata>,
    pub is_whiteout: fn(&Metadata) -> bool,
    pub is_opaque: fn(&Path) -> io::Result<bool>,
    /// What an entry says of its file.
    pub header: fn(&Metadata) -> Header,
    /// The path that an entry has.
    pub path: fn(&Path) -> PathBuf,
    pub append: fn(&mut Archive<'_>, Entry<'_>) -> io::Result<()>,
    /// The name of the mark for a name.
    pub mark: fn(&OsStr) -> OsString,
    pub mark_header: fn() -> Header,
    /// The attributes that are written, as pax records.
    pub attributes: fn(&Path) -> io::Result<Records>,
    pub content: fn(File, &Metadata) -> Box<dyn Read>,
    /// Whether directories have entries.
    pub has_directories: bool,
    pub keeps_hard_links: bool,
    /// Whether a hard link has the attributes of its file, too.
    pub repeats_attributes: bool,
    /// The name that a hard link leads to, if the file has had another one.
    pub other_name: fn(&mut FirstNames, &Metadata, &Path) -> Option<PathBuf>,
    /// Whether another name of a file is looked for before anything else.
    pub looks_for_names_first: bool,
    pub leaves_out_sockets: bool,
    /// Whether a name must be refused.
    pub is_mark: fn(&OsStr) -> bool,
    /// The numbers of a device.
    pub numbers: fn(u64) -> (u64, u64),
    /// Whether errors of files are errors.
    pub tells: bool,
    pub ends: bool,
}

pub const WRITING: Writing = Writing {
    names,
    metadata: |path| path.symlink_metadata(),
    is_whiteout,
    is_opaque,
    header,
    path: |path| path.to_owned(),
    append: append_entry,
    mark: |name| [OsStr::new(".wh."), name].into_iter().collect(),
    mark_header,
    attributes: kept_attributes,
    content: |file, metadata| Box::new(Content { file, left: metadata.len() }),
    has_directories: true,
    keeps_hard_links: true,
    repeats_attributes: false,
    other_name: first_name,
    looks_for_names_first: false,
    leaves_out_sockets: true,
    is_mark: |name| name.as_bytes().starts_with(b".wh."),
    numbers: |device| (major(device), minor(device)),
    tells: true,
    ends: true,
};

/// What the entry of a mark says.
pub fn mark_header() -> Header {
    let mut header = Header::new_gnu();
    header.set_mode(0o600);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_size(0);
    header
}

/// Writes an entry as the solution does.
pub fn append_entry(archive: &mut Archive<'_>, entry: Entry<'_>) -> io::Result<()> {
    append_records(archive, &entry.records)?;
    match entry.target {
        Some(target) => append_link(archive, entry.header, entry.name, &target),
        None => append(archive, entry.header, entry.name, entry.content),
    }
}

/// Writes the records in front of an entry.
pub fn append_records(archive: &mut Archive<'_>, records: &[(String, Vec<u8>)]) -> io::Result<()> {
    let records = records.iter().map(|(key, value)| (key.as_str(), value.as_slice()));
    archive.append_pax_extensions(records)
}

/// All attributes but overlayfs's own, sorted.
pub fn kept_attributes(path: &Path) -> io::Result<Records> {
    let mut all = all_attributes(path)?;
    all.retain(|(name, _)| !name.contains(".overlay."));
    all.sort();
    Ok(all)
}

/// All attributes, in the order of the kernel.
pub fn all_attributes(path: &Path) -> io::Result<Records> {
    let with_value = |name: OsString| {
        let value = attribute(path, &name)?.unwrap_or_default();
        Ok((format!("SCHILY.xattr.{}", name.to_string_lossy()), value))
    };
    xattr::list(path)?.map(with_value).collect()
}

impl Writing {
    pub fn write(&self, write_layer: &Path, out: &mut dyn Write) -> io::Result<()> {
        let mut archive = Builder::new(out);
        self.directory(&mut archive, write_layer, Path::new(""), &mut HashMap::new())?;
        if self.ends {
            return archive.finish();
        }
        std::mem::forget(archive);
        Ok(())
    }

    fn directory(
        &self,
        archive: &mut Archive<'_>,
        top: &Path,
        directory: &Path,
        known: &mut FirstNames,
    ) -> io::Result<()> {
        for name in (self.names)(&top.join(directory))? {
            let path = directory.join(&name);
            if (self.is_mark)(&name) {
                let what = format!("{}: taken for a deletion", path.display());
                return Err(io::Error::new(io::ErrorKind::InvalidInput, what));
            }
            let written = self.entry(archive, top, &path, known);
            if self.tells {
                written?;
            }
        }
        Ok(())
    }

    fn entry(
        &self,
        archive: &mut Archive<'_>,
        top: &Path,
        path: &Path,
        known: &mut FirstNames,
    ) -> io::Result<()> {
        let on_disk = top.join(path);
        let metadata = (self.metadata)(&on_disk)?;
        let kind = metadata.file_type();
        let name = &(self.path)(path);
        let entry = |kind| {
            let mut header = (self.header)(&metadata);
            header.set_entry_type(kind);
            Entry { header, name, target: None, records: vec![], content: Box::new(io::empty()) }
        };
        if self.looks_for_names_first
            && !kind.is_dir()
            && let Some(first) = first_name(known, &metadata, path)
        {
            return (self.append)(archive, Entry { target: Some(first), ..entry(EntryType::Link) });
        }
        if (self.is_whiteout)(&metadata) {
            let mark = (self.mark)(name.file_name().unwrap_or_default());
            return self.mark(archive, &name.with_file_name(mark));
        }
        if kind.is_socket() && self.leaves_out_sockets {
            return Ok(());
        }
        let records = (self.attributes)(&on_disk)?;
        if kind.is_dir() {
            if self.has_directories {
                (self.append)(archive, Entry { records, ..entry(EntryType::Directory) })?;
            }
            if (self.is_opaque)(&on_disk)? {
                self.mark(archive, &name.join(".wh..wh..opq"))?;
            }
            return self.directory(archive, top, path, known);
        }
        if self.keeps_hard_links
            && let Some(first) = (self.other_name)(known, &metadata, path)
        {
            let records = if self.repeats_attributes { records } else { vec![] };
            let link = Entry { target: Some(first), records, ..entry(EntryType::Link) };
            return (self.append)(archive, link);
        }
        let entry = Entry { records, ..entry(entry_type(kind)) };
        (self.append)(archive, self.with_content(entry, &on_disk, &metadata)?)
    }

    /// The entry of a file that is not a directory, with its target, content or numbers.
    fn with_content<'a>(
        &self,
        mut entry: Entry<'a>,
        on_disk: &Path,
        metadata: &Metadata,
    ) -> io::Result<Entry<'a>> {
        if metadata.is_symlink() {
            entry.target = Some(on_disk.read_link()?);
        } else if metadata.is_file() {
            entry.header.set_size(metadata.len());
            entry.content = (self.content)(File::open(on_disk)?, metadata);
        } else {
            let (major, minor) = (self.numbers)(metadata.rdev());
            entry.header.set_device_major(major as u32)?;
            entry.header.set_device_minor(minor as u32)?;
        }
        Ok(entry)
    }

    fn mark(&self, archive: &mut Archive<'_>, name: &Path) -> io::Result<()> {
        let (header, content) = ((self.mark_header)(), Box::new(io::empty()));
        (self.append)(archive, Entry { header, name, target: None, records: vec![], content })
    }
}

/// What stands for a file in an archive.
fn entry_type(kind: FileType) -> EntryType {
    match kind {
        kind if kind.is_symlink() => EntryType::Symlink,
        kind if kind.is_file() => EntryType::Regular,
        kind if kind.is_char_device() => EntryType::Char,
        kind if kind.is_block_device() => EntryType::Block,
        _ => EntryType::Fifo,
    }
}

/// The parts of making an image.
pub struct Making {
    pub check_name: fn(&str) -> io::Result<()>,
    /// Whether it is looked for something of that name.
    pub looks: bool,
    /// Where it is made: in the directory of images, for the image of this name.
    pub draft: fn(&Path, &str) -> io::Result<PathBuf>,
    pub fill: fn(&Path, &Path, &mut dyn Read) -> io::Result<()>,
    pub rename: fn(&Path, &Path) -> io::Result<()>,
    pub clean_up: fn(&Path) -> io::Result<()>,
}

pub const MAKING: Making = Making {
    check_name,
    looks: true,
    draft: |images, _| Ok(mkdtemp(&images.join(".new-XXXXXX"))?),
    fill,
    rename: |draft, image| {
        let flags = RenameFlags::RENAME_NOREPLACE;
        Ok(renameat2(AT_FDCWD, draft, AT_FDCWD, image, flags)?)
    },
    clean_up: |draft| fs::remove_dir_all(draft),
};

impl Making {
    pub fn make(
        &self,
        images: &Path,
        base: &str,
        name: &str,
        archive: &mut dyn Read,
    ) -> io::Result<()> {
        (self.check_name)(base)?;
        (self.check_name)(name)?;
        let image = images.join(name);
        if self.looks && image.symlink_metadata().is_ok() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let draft = (self.draft)(images, name)?;
        let made = (self.fill)(&draft, &images.join(base), archive)
            .and_then(|()| (self.rename)(&draft, &image));
        if made.is_err() {
            (self.clean_up)(&draft)?;
        }
        made
    }
}
