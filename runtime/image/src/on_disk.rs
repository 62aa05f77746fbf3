//! A layer on disk, read entry by entry: as an archive would have it.
//!
//! It may be the write layer of a container that runs and exchanges folders with
//! links meanwhile. So every path is resolved below the layer's folder, the last
//! name is never followed, and from there on only the descriptor counts.

use std::collections::HashMap;
use std::ffi::OsString;
use std::fs::File;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{OFlag, open, readlinkat};
use nix::sys::stat::{FileStat, Mode, SFlag, fstat, major, minor};
use nix::sys::time::TimeSpec;

use super::meaning::{Meaning, meaning};
use super::tree::{Attributes, xattrs_of};
use super::whiteout::{WhiteoutForm, hides_all, is_whiteout_number};
use mydocker_kernel::sys::open_in_root;
use mydocker_kernel::{OnPath, Result};

/// What a layer has at a path, or does to the layers below there.
#[derive(Debug)]
pub enum Item {
    Directory,
    /// A regular file, open for reading, and its size.
    File(File, u64),
    Symlink(OsString),
    /// Another name of the file that an earlier item was.
    HardLink(PathBuf),
    /// A character or block device, with its number; or a fifo.
    Node(SFlag, (u32, u32)),
    /// A socket: no archive can hold one.
    Socket,
    /// What the layers below have here is deleted.
    Deleted,
    /// All that the layers below have in this directory is deleted.
    Emptied,
}

/// Goes through the layer in `folder`, whose marks have this `form`: the root comes
/// first, with an empty path; then all in the order of their bytes, a directory
/// before what is in it. What vanishes meanwhile is not there.
///
/// # Errors
/// A file cannot be read, or as `visit`.
pub fn read_layer(
    folder: &Path,
    form: WhiteoutForm,
    visit: &mut dyn FnMut(&Path, Item, Attributes) -> Result<()>,
) -> Result<()> {
    let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    let root = open(folder, flags, Mode::empty()).on("open", folder)?;
    let mut reader = Reader { folder, root, form, names: HashMap::new(), visit };
    reader.entry(PathBuf::new())
}

struct Reader<'a> {
    folder: &'a Path,
    root: OwnedFd,
    form: WhiteoutForm,
    /// The first names of files that have several, by device and inode number.
    names: HashMap<(u64, u64), PathBuf>,
    visit: &'a mut dyn FnMut(&Path, Item, Attributes) -> Result<()>,
}

impl Reader<'_> {
    fn entry(&mut self, path: PathBuf) -> Result<()> {
        let on_disk = self.folder.join(&path);
        let Some(file) = self.open(&path)? else { return Ok(()) };
        let stat = fstat(&file).on("fstat", &on_disk)?;
        let kind = SFlag::from_bits_truncate(stat.st_mode) & SFlag::S_IFMT;
        let attributes = attributes(&file, &stat)?;
        if self.form == WhiteoutForm::Overlay && is_whiteout_number(kind, stat.st_rdev) {
            return (self.visit)(&path, Item::Deleted, attributes);
        }
        if kind == SFlag::S_IFDIR {
            return self.directory(path, &file, attributes);
        }
        // AUFS says it with names.
        if self.form == WhiteoutForm::Aufs {
            match meaning(&path) {
                Ok(Meaning::File) => {}
                Ok(Meaning::Deleted(path)) => {
                    return (self.visit)(&path, Item::Deleted, attributes);
                }
                Ok(Meaning::Emptied(_) | Meaning::Ignored) | Err(_) => return Ok(()),
            }
        }
        if stat.st_nlink > 1 {
            let inode = (stat.st_dev as u64, stat.st_ino as u64);
            if let Some(first) = self.names.get(&inode) {
                return (self.visit)(&path, Item::HardLink(first.clone()), attributes);
            }
            self.names.insert(inode, path.clone());
        }
        let item = match kind {
            SFlag::S_IFREG => {
                let readable = reopen(&file, OFlag::O_RDONLY).on("open", &on_disk)?;
                Item::File(readable.into(), stat.st_size as u64)
            }
            SFlag::S_IFLNK => Item::Symlink(readlinkat(&file, "").on("readlinkat", &on_disk)?),
            SFlag::S_IFSOCK => Item::Socket,
            SFlag::S_IFIFO => Item::Node(kind, (0, 0)),
            _ => Item::Node(kind, (major(stat.st_rdev) as u32, minor(stat.st_rdev) as u32)),
        };
        (self.visit)(&path, item, attributes)
    }

    fn directory(&mut self, path: PathBuf, file: &OwnedFd, attributes: Attributes) -> Result<()> {
        // AUFS's own, as .wh..wh.plnk.
        if self.form == WhiteoutForm::Aufs && !matches!(meaning(&path), Ok(Meaning::File)) {
            return Ok(());
        }
        let through_proc = through_proc(file);
        let is_emptied = hides_all(self.form, &through_proc.join("."))?;
        let on_disk = self.folder.join(&path);
        let mut names: Vec<OsString> = Vec::new();
        for entry in std::fs::read_dir(&through_proc).on("opendir", &on_disk)? {
            names.push(entry.on("readdir", &on_disk)?.file_name());
        }
        names.sort_unstable_by(|one, other| one.as_bytes().cmp(other.as_bytes()));

        (self.visit)(&path, Item::Directory, attributes)?;
        // The roots of all layers are one, whatever they say.
        if is_emptied && path != Path::new("") {
            (self.visit)(&path, Item::Emptied, Attributes::new(0o444, (0, 0)))?;
        }
        names.into_iter().try_for_each(|name| self.entry(path.join(name)))
    }

    /// What is at `path`, whatever it is; `None` if it is gone.
    fn open(&self, path: &Path) -> Result<Option<OwnedFd>> {
        let below = if path == Path::new("") { Path::new(".") } else { path };
        loop {
            match open_in_root(&self.root, below, OFlag::O_PATH | OFlag::O_NOFOLLOW) {
                Err(Errno::ENOENT | Errno::ENOTDIR) => return Ok(None),
                // Something was renamed meanwhile, and the kernel asks to try again.
                Err(Errno::EAGAIN) => continue,
                other => return other.on("openat2", &self.folder.join(path)).map(Some),
            }
        }
    }
}

fn attributes(file: &OwnedFd, stat: &FileStat) -> Result<Attributes> {
    let mtime = TimeSpec::new(stat.st_mtime, stat.st_mtime_nsec);
    let xattrs = xattrs_of(&through_proc(file))?;
    let owner = (stat.st_uid, stat.st_gid);
    Ok(Attributes { mtime, xattrs, ..Attributes::new(stat.st_mode & 0o7777, owner) })
}

/// A name of what a descriptor stands for, whatever lies at its path by now.
fn through_proc(file: &OwnedFd) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()))
}

/// The same file once more, to be used.
fn reopen(file: &OwnedFd, flags: OFlag) -> nix::Result<OwnedFd> {
    open(&through_proc(file), flags | OFlag::O_CLOEXEC, Mode::empty())
}
