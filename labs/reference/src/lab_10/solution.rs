//! Lab 10: a container becomes an image. The task is in README.md.
//!
//! ```text
//! IMAGES/NAME/image.json               what a container of the image starts with
//! IMAGES/NAME/layers/00                the bottom layer: a directory
//! IMAGES/NAME/layers/01                the layer on top of it; then 02, 03, …
//! IMAGES/OTHER/layers/00 -> ../../NAME/layers/00      a layer that two images share
//! ```
//!
//! These types are given:
//!
//! ```text
//! Change { kind: Kind, path: PathBuf, hard_link: Option<PathBuf> }
//! Kind::{Added, Changed, Emptied, Deleted}
//! ```

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt, symlink};
use std::path::{Path, PathBuf};

use lab_10_grader::change::{Change, Kind};
use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, OFlag, RenameFlags, renameat2};
use nix::sys::stat::{Mode, SFlag, major, makedev, minor, mknod};
use nix::unistd::mkdtemp;
use tar::{Archive, Builder, EntryType, Header};

/// Says what a container has changed: compares the `write_layer` of an overlay with
/// the read-only `layers` below it, the topmost first.
///
/// There is one [`Change`] for each path that is changed. Paths are relative to the
/// top of the write layer, which itself is never listed.
///
/// - `Deleted`: the write layer has a whiteout, a character device 0:0, and the layers
///   below have that path. A whiteout of what they do not have is not a change.
/// - `Emptied`: an opaque directory that the layers below have as a directory, too. It
///   is opaque if the attribute `trusted.overlay.opaque` or `user.overlay.opaque` is
///   `y`. What is in it is new: the layers below do not show through it.
/// - `Changed`: whatever else the layers below have. A file in the write layer is
///   changed even if its content is the same. If a directory is also a directory
///   in the layers below, the write layer has it as soon as anything in it was changed.
///   The directory itself counts as changed only if its mode, owner, group or
///   modification time, down to the nanosecond, differs from that in the topmost of the
///   layers that show it.
/// - `Added`: what the layers below do not have.
///
/// The layers below have what an overlay of them would show: they have their own whiteouts
/// and opaque directories, and what one of them hides does not exist. Symbolic links are
/// files here. None is followed, in any layer.
///
/// If a file has several names in the write layer, each is a change, and
/// `hard_link` of all but the first is the path of the first.
///
/// The order is that of the names: a directory comes before what is in it, and the
/// names in a directory are sorted by their bytes. So `a/b` comes before `a-b`. Names
/// need not be UTF-8.
///
/// See inode(7), readdir(3) and Documentation/filesystems/overlayfs.rst.
///
/// # Errors
/// If a directory or an attribute cannot be read. Nothing is left open.
pub fn changed_files(write_layer: &Path, layers: &[PathBuf]) -> io::Result<Vec<Change>> {
    let mut comparison = Comparison { write_layer, first_names: HashMap::new(), changes: vec![] };
    comparison.directory(Path::new(""), layers)?;
    Ok(comparison.changes)
}

// A comparison that is going on.
struct Comparison<'a> {
    write_layer: &'a Path,
    first_names: FirstNames,
    changes: Vec<Change>,
}

impl Comparison<'_> {
    // Compares a directory with those that lie under it, the topmost first.
    fn directory(&mut self, directory: &Path, below: &[PathBuf]) -> io::Result<()> {
        for name in names(&self.write_layer.join(directory))? {
            let path = directory.join(&name);
            let metadata = self.write_layer.join(&path).symlink_metadata()?;
            let below = lookup(below, &name)?;
            if is_whiteout(&metadata) {
                if !matches!(below, Below::Nothing) {
                    self.note(Kind::Deleted, &path, None);
                }
            } else if metadata.is_dir() {
                self.compare(&path, &metadata, below)?;
            } else {
                let kind =
                    if matches!(below, Below::Nothing) { Kind::Added } else { Kind::Changed };
                let first = first_name(&mut self.first_names, &metadata, &path);
                self.note(kind, &path, first);
            }
        }
        Ok(())
    }

    fn compare(&mut self, path: &Path, metadata: &Metadata, below: Below) -> io::Result<()> {
        let (kind, below) = match below {
            Below::Nothing => (Some(Kind::Added), vec![]),
            Below::File => (Some(Kind::Changed), vec![]),
            Below::Directories(_) if is_opaque(&self.write_layer.join(path))? => {
                (Some(Kind::Emptied), vec![])
            }
            Below::Directories(below) => {
                let is_as_below = attributes(metadata) == attributes(&below[0].metadata()?);
                ((!is_as_below).then_some(Kind::Changed), below)
            }
        };
        if let Some(kind) = kind {
            self.note(kind, path, None);
        }
        self.directory(path, &below)
    }

    fn note(&mut self, kind: Kind, path: &Path, hard_link: Option<PathBuf>) {
        self.changes.push(Change { kind, path: path.to_owned(), hard_link });
    }
}

// What the layers below have of a name.
pub(crate) enum Below {
    Nothing,
    File,
    // The directories that are merged, the topmost first.
    Directories(Vec<PathBuf>),
}

// What those directories, the topmost first, have of a name.
pub(crate) fn lookup(directories: &[PathBuf], name: &OsStr) -> io::Result<Below> {
    let mut merged = Vec::new();
    for directory in directories {
        let path = directory.join(name);
        let metadata = match path.symlink_metadata() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            other => other?,
        };
        // A file covers what lies below it, and is covered by a directory above it.
        if !metadata.is_dir() {
            let is_file = merged.is_empty() && !is_whiteout(&metadata);
            return Ok(if is_file { Below::File } else { merged_or_nothing(merged) });
        }
        let is_last = is_opaque(&path)?;
        merged.push(path);
        if is_last {
            break;
        }
    }
    Ok(merged_or_nothing(merged))
}

pub(crate) fn merged_or_nothing(merged: Vec<PathBuf>) -> Below {
    if merged.is_empty() { Below::Nothing } else { Below::Directories(merged) }
}

// By what a directory itself is another one.
pub(crate) fn attributes(it: &Metadata) -> (u32, u32, u32, i64, i64) {
    (it.mode(), it.uid(), it.gid(), it.mtime(), it.mtime_nsec())
}

pub(crate) fn is_whiteout(metadata: &Metadata) -> bool {
    metadata.file_type().is_char_device() && metadata.rdev() == 0
}

pub(crate) fn is_opaque(directory: &Path) -> io::Result<bool> {
    for name in ["trusted.overlay.opaque", "user.overlay.opaque"] {
        if attribute(directory, OsStr::new(name))?.is_some_and(|value| value == b"y") {
            return Ok(true);
        }
    }
    Ok(false)
}

// An extended attribute; nothing where the file system has none of that kind.
pub(crate) fn attribute(path: &Path, name: &OsStr) -> io::Result<Option<Vec<u8>>> {
    match xattr::get(path, name) {
        Err(error) if error.raw_os_error() == Some(Errno::ENOTSUP as i32) => Ok(None),
        other => other,
    }
}

// The names in a directory, sorted by their bytes.
pub(crate) fn names(directory: &Path) -> io::Result<Vec<OsString>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(directory)? {
        names.push(entry?.file_name());
    }
    names.sort();
    Ok(names)
}

// The first names of files that have several, by device and inode number.
pub(crate) type FirstNames = HashMap<(u64, u64), PathBuf>;

// The first name of a file, if this is another one.
pub(crate) fn first_name(
    known: &mut FirstNames,
    metadata: &Metadata,
    path: &Path,
) -> Option<PathBuf> {
    let file = (metadata.dev(), metadata.ino());
    let first = known.entry(file).or_insert_with(|| path.to_owned());
    (first != path).then(|| first.clone())
}

/// Writes the layer that a new image gets: `write_layer`, the write layer of an overlay,
/// as an archive to `out`.
///
/// **What is in it.** One entry for each path below `write_layer`, including directories
/// in which only a file was changed: without their entries, the layer would give them a
/// different owner and mode. Their order is that of [`changed_files`], names are
/// relative, and the top may be included as `./`. A whiteout of NAME becomes an empty
/// regular file `.wh.NAME` in its place. An opaque directory is followed by an empty
/// regular file `.wh..wh..opq` in it. If a file has several names, the first has the
/// content, and the others are hard links to the first. Sockets are left out.
///
/// **As it is on disk.** Each entry has the file's mode with all 12 bits, the numbers of
/// its owner and group, and its modification time in seconds, even if that is before 1970.
/// Each extended attribute is a pax record `SCHILY.xattr.NAME`. Overlayfs's own attributes
/// are left out: they begin with `trusted.overlay.` or `user.overlay.`. A hard link to the
/// first name need not repeat any of this. Fifos and devices get entries of their types.
/// No symbolic link is followed. Names and the targets of links are kept byte by byte.
/// They may be long, and need not be UTF-8.
///
/// **The same bytes.** Two write layers with the same files become the same archive,
/// no matter when it is written, and in which order the files were made.
///
/// `out` may take a few bytes at a time, and the container may be running: an entry has
/// as many bytes as its header says, or it is an error. The write layer stays as it is.
/// See tar(5), and the chapter on layers in the OCI image specification.
///
/// # Errors
/// - [`io::ErrorKind::InvalidInput`] if a name in the write layer begins with `.wh.`: a
///   reader would take it for a deletion. The error's text contains the path.
/// - If a file cannot be read, or `out` cannot be written to.
///
/// Nothing is left open.
pub fn write_layer_tar(write_layer: &Path, out: &mut dyn Write) -> io::Result<()> {
    let mut layer = Layer { write_layer, first_names: HashMap::new(), archive: Builder::new(out) };
    layer.directory(Path::new(""))?;
    layer.archive.finish()
}

// A layer that is being written.
struct Layer<'a> {
    write_layer: &'a Path,
    first_names: FirstNames,
    archive: Builder<&'a mut dyn Write>,
}

impl Layer<'_> {
    fn directory(&mut self, directory: &Path) -> io::Result<()> {
        for name in names(&self.write_layer.join(directory))? {
            let path = directory.join(&name);
            if name.as_bytes().starts_with(b".wh.") {
                let what = format!("{}: a reader would take it for a deletion", path.display());
                return Err(io::Error::new(io::ErrorKind::InvalidInput, what));
            }
            self.entry(&path)?;
        }
        Ok(())
    }

    fn entry(&mut self, path: &Path) -> io::Result<()> {
        let on_disk = self.write_layer.join(path);
        let metadata = on_disk.symlink_metadata()?;
        let kind = metadata.file_type();
        if is_whiteout(&metadata) {
            let mut name = OsString::from(".wh.");
            name.push(path.file_name().expect("a whiteout has a name"));
            return self.mark(&path.with_file_name(name));
        }
        if kind.is_socket() {
            return Ok(());
        }
        let mut header = header(&metadata);
        if kind.is_dir() {
            header.set_entry_type(EntryType::Directory);
            self.attributes(&on_disk)?;
            append(&mut self.archive, header, path, io::empty())?;
            if is_opaque(&on_disk)? {
                self.mark(&path.join(".wh..wh..opq"))?;
            }
            return self.directory(path);
        }
        if let Some(first) = first_name(&mut self.first_names, &metadata, path) {
            header.set_entry_type(EntryType::Link);
            return append_link(&mut self.archive, header, path, &first);
        }
        self.attributes(&on_disk)?;
        if kind.is_symlink() {
            header.set_entry_type(EntryType::Symlink);
            return append_link(&mut self.archive, header, path, &on_disk.read_link()?);
        }
        if kind.is_file() {
            let flags = OFlag::O_NOFOLLOW.bits();
            let file = OpenOptions::new().read(true).custom_flags(flags).open(&on_disk)?;
            header.set_entry_type(EntryType::Regular);
            header.set_size(metadata.len());
            let content = Content { file, left: metadata.len() };
            return append(&mut self.archive, header, path, content);
        }
        header.set_entry_type(match kind {
            kind if kind.is_char_device() => EntryType::Char,
            kind if kind.is_block_device() => EntryType::Block,
            _ => EntryType::Fifo,
        });
        header.set_device_major(major(metadata.rdev()) as u32)?;
        header.set_device_minor(minor(metadata.rdev()) as u32)?;
        append(&mut self.archive, header, path, io::empty())
    }

    // An empty file whose name is all that counts.
    fn mark(&mut self, path: &Path) -> io::Result<()> {
        let mut header = Header::new_gnu();
        header.set_entry_type(EntryType::Regular);
        header.set_mode(0o600);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(0);
        header.set_size(0);
        append(&mut self.archive, header, path, io::empty())
    }

    // The extended attributes of the next entry, sorted: the kernel lists them in the
    // order in which they were set.
    fn attributes(&mut self, on_disk: &Path) -> io::Result<()> {
        let mut names: Vec<OsString> = xattr::list(on_disk)?.collect();
        names.sort();
        let mut records = Vec::new();
        for name in names {
            let name = name.to_str().ok_or(io::ErrorKind::InvalidData)?;
            let is_overlays =
                ["trusted.overlay.", "user.overlay."].iter().any(|own| name.starts_with(own));
            if !is_overlays && let Some(value) = attribute(on_disk, OsStr::new(name))? {
                records.push((format!("SCHILY.xattr.{name}"), value));
            }
        }
        let records = records.iter().map(|(key, value)| (key.as_str(), value.as_slice()));
        self.archive.append_pax_extensions(records)
    }
}

// What an entry of any kind says of its file.
pub(crate) fn header(metadata: &Metadata) -> Header {
    let mut header = Header::new_gnu();
    header.set_mode(metadata.mode() & 0o7777);
    header.set_uid(metadata.uid().into());
    header.set_gid(metadata.gid().into());
    set_time(&mut header, metadata.mtime());
    header.set_size(0);
    header
}

// Before 1970, the seconds are negative. Then the whole field is one binary number, as in
// GNU tar.
fn set_time(header: &mut Header, seconds: i64) {
    match u64::try_from(seconds) {
        Ok(seconds) => header.set_mtime(seconds),
        Err(_) => {
            let field = &mut header.as_old_mut().mtime;
            field.fill(0xff);
            field[4..].copy_from_slice(&seconds.to_be_bytes());
        }
    }
}

// Appends an entry. Its name stays as it is, byte by byte: append_data() of the crate
// refuses a long one that begins with a byte that is not UTF-8.
pub(crate) fn append<W: Write>(
    archive: &mut Builder<W>,
    mut header: Header,
    name: &Path,
    content: impl Read,
) -> io::Result<()> {
    put(archive, EntryType::GNULongName, &mut header.as_old_mut().name, name)?;
    header.set_cksum();
    archive.append(&header, content)
}

// Appends a link. Its target stays as it is, too: append_link() of the crate turns `a//b`
// into `a/b`.
pub(crate) fn append_link<W: Write>(
    archive: &mut Builder<W>,
    mut header: Header,
    name: &Path,
    target: &Path,
) -> io::Result<()> {
    put(archive, EntryType::GNULongLink, &mut header.as_old_mut().linkname, target)?;
    append(archive, header, name, io::empty())
}

// Puts a name or a target into its field of a header. If it is too long for that, an entry
// of this kind in front of the header contains all of it.
fn put<W: Write>(
    archive: &mut Builder<W>,
    kind: EntryType,
    field: &mut [u8],
    path: &Path,
) -> io::Result<()> {
    let bytes = path.as_os_str().as_bytes();
    if bytes.len() > field.len() {
        let mut long = Header::new_gnu();
        let usual = b"././@LongLink";
        long.as_old_mut().name[..usual.len()].copy_from_slice(usual);
        long.set_entry_type(kind);
        long.set_mode(0o644);
        long.set_uid(0);
        long.set_gid(0);
        // With a NUL at its end.
        long.set_size(bytes.len() as u64 + 1);
        long.set_cksum();
        archive.append(&long, bytes.chain(&b"\0"[..]))?;
    }
    let length = bytes.len().min(field.len());
    field[..length].copy_from_slice(&bytes[..length]);
    Ok(())
}

// The content of a file, as long as it was when its entry began: it may grow or shrink
// meanwhile.
pub(crate) struct Content {
    pub(crate) file: File,
    pub(crate) left: u64,
}

impl Read for Content {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = (&self.file).take(self.left).read(buffer)?;
        if count == 0 && self.left > 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.left -= count as u64;
        Ok(count)
    }
}

/// Makes the image `name`: the layers of the image `base`, and on top of them the one in
/// `archive`, which [`unpack_layer`] unpacks. Both are directories in `images`.
///
/// **Shared.** The layers below are not copied. Each is a symbolic link
/// `../../OTHER/layers/NN`, where OTHER is the image in which the layer is a directory:
/// no link leads to a link, and the links are still right if `images` is moved. NN is
/// the layer's number. `image.json` is copied. `base` stays as it is. All this holds for
/// any path of `images`. It may be relative, or lead through a symbolic link.
///
/// **Whole or not at all.** The image appears under its name when it is complete, even
/// if this process is killed halfway, or another call makes `name` at the same time.
/// Until then it is a directory in `images` whose name begins with a dot, which is not an
/// image. A call that was killed does not keep the next one from making the image. See
/// rename(2).
///
/// **Never instead of another.** If there is anything called `name` in `images`, even an
/// empty directory or a dangling link, it stays as it is. This also holds for anything
/// that appears during the call.
///
/// An image's name has 1 to 128 of the characters `A-Z a-z 0-9 _ . -` and begins with a
/// letter or a digit.
///
/// # Errors
/// - [`io::ErrorKind::InvalidInput`] if `name` or `base` is not a valid image name.
/// - [`io::ErrorKind::AlreadyExists`] if there is anything called `name`.
/// - [`io::ErrorKind::NotFound`] if there is nothing called `base`, or one of its layers is
///   missing.
/// - If the archive cannot be unpacked, or anything else fails.
///
/// After an error, nothing is in `images` that was not there before. Nothing is left open.
pub fn new_image(images: &Path, base: &str, name: &str, archive: &mut dyn Read) -> io::Result<()> {
    // 1. Nothing is begun that cannot become an image.
    check_name(base)?;
    check_name(name)?;
    let image = images.join(name);
    if image.symlink_metadata().is_ok() {
        return Err(io::ErrorKind::AlreadyExists.into());
    }
    // 2. All of it, under a name that is none of an image.
    let draft = mkdtemp(&images.join(".new-XXXXXX"))?;
    let made = fill(&draft, &images.join(base), archive).and_then(|()| {
        // 3. From one moment to the next it is there; or something else of that name is.
        renameat2(AT_FDCWD, &draft, AT_FDCWD, &image, RenameFlags::RENAME_NOREPLACE)?;
        Ok(())
    });
    if made.is_err() {
        fs::remove_dir_all(&draft)?;
    }
    made
}

// Fills the directory of an image on the image in `base`.
pub(crate) fn fill(draft: &Path, base: &Path, archive: &mut dyn Read) -> io::Result<()> {
    let (layers, below) = (draft.join("layers"), base.join("layers"));
    fs::create_dir(&layers)?;
    let count = names(&below)?.len();
    for number in (0..count).map(layer_name) {
        symlink(shared(&below.join(&number))?, layers.join(&number))?;
    }
    unpack_layer(archive, &layers.join(layer_name(count)))?;
    fs::copy(base.join("image.json"), draft.join("image.json"))?;
    Ok(())
}

pub(crate) fn layer_name(number: usize) -> String {
    format!("{number:02}")
}

// The link that leads to a layer from another image.
pub(crate) fn shared(layer: &Path) -> io::Result<PathBuf> {
    // It may be shared already.
    let real = layer.canonicalize()?;
    let mut names: Vec<&OsStr> = real.iter().rev().take(3).collect();
    names.reverse();
    Ok(["..", ".."].iter().map(OsStr::new).chain(names).collect())
}

pub(crate) fn check_name(name: &str) -> io::Result<()> {
    let is_right = name.len() <= 128
        && name.starts_with(|first: char| first.is_ascii_alphanumeric())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte));
    is_right.then_some(()).ok_or(io::ErrorKind::InvalidInput.into())
}

/// Given; there is nothing to write here. Unpacks the archive of a layer, as
/// [`write_layer_tar`] writes it, into the new directory `folder`, a layer of an overlay.
///
/// # Errors
/// If `folder` exists, the archive is damaged, or a file cannot be made. What was made
/// by then stays.
pub fn unpack_layer(archive: &mut dyn Read, folder: &Path) -> io::Result<()> {
    fs::create_dir(folder)?;
    let mut archive = Archive::new(archive);
    archive.set_preserve_permissions(true);
    for entry in archive.entries()? {
        let mut entry = entry?;
        let path = folder.join(entry.path()?);
        let name = path.file_name().unwrap_or_default().as_bytes();
        match name.strip_prefix(b".wh.") {
            Some(b".wh..opq") => {
                let marked = path.parent().expect("a mark is in a directory");
                xattr::set(marked, "trusted.overlay.opaque", b"y")
                    .or_else(|_| xattr::set(marked, "user.overlay.opaque", b"y"))?;
            }
            Some(hidden) => {
                let whiteout = path.with_file_name(OsStr::from_bytes(hidden));
                mknod(&whiteout, SFlag::S_IFCHR, Mode::empty(), makedev(0, 0))?;
            }
            None if entry.unpack_in(folder)? => {}
            None => return Err(io::Error::other(format!("{}: leads outside", path.display()))),
        }
    }
    Ok(())
}
