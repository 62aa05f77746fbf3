//! The solution taken to its steps, so that a mistake can replace one.

use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt, lchown};
use std::path::{Path, PathBuf};

use nix::unistd::{getegid, geteuid};
use tar::{Archive, Entry, EntryType, Header};

use super::solution::{make, naming, place, remove, set_attributes};

/// What the solution does for each entry of an archive.
pub struct Steps {
    /// Makes what an entry says, below the folder; returns its path.
    pub make: fn(&mut Entry<File>, &Path, &Path) -> io::Result<PathBuf>,
    /// Makes entries of this type at a path, below the folder, in place of `make`.
    pub make_such: Option<(EntryType, MakeAt)>,
    /// Gives a file what its entry says of it.
    pub set_attributes: fn(&Path, &Header) -> io::Result<()>,
    /// What an entry is called in an error.
    pub shown: fn(&Entry<File>) -> io::Result<PathBuf>,
    /// What becomes of the error of an entry.
    pub failed: fn(&Path, io::Error) -> io::Result<()>,
}

/// Makes what an entry says at the first path, below the second.
pub type MakeAt = fn(&mut Entry<File>, &Path, &Path) -> io::Result<()>;

/// The steps of the solution.
pub const STEPS: Steps = Steps {
    make,
    make_such: None,
    set_attributes,
    shown: |entry| Ok(entry.path()?.into_owned()),
    failed: |name, error| Err(naming(name, error)),
};

impl Steps {
    /// Those of the solution, but for the entries of one type.
    pub const fn making(such: EntryType, how: MakeAt) -> Steps {
        Steps { make_such: Some((such, how)), ..STEPS }
    }

    /// create_read_only_layer in these steps.
    pub fn create(&self, tar: &Path, layer: &Path) -> io::Result<()> {
        create(tar, layer, |tar, folder| self.unpack(tar, folder))
    }

    /// Unpacks an archive to a folder.
    pub fn unpack(&self, tar: &Path, folder: &Path) -> io::Result<()> {
        self.unpack_entries(Archive::new(File::open(tar)?).entries()?, folder)
    }

    /// Unpacks these entries to a folder.
    pub fn unpack_entries<'a>(
        &self,
        entries: impl Iterator<Item = io::Result<Entry<'a, File>>>,
        folder: &Path,
    ) -> io::Result<()> {
        let mut folders = Vec::new();
        for entry in entries {
            let mut entry = entry?;
            let name = entry.path()?.into_owned();
            let shown = (self.shown)(&entry)?;
            let path = match self.make(&mut entry, &name, folder) {
                Ok(path) => path,
                Err(error) => {
                    (self.failed)(&shown, error)?;
                    continue;
                }
            };
            match entry.header().entry_type() {
                EntryType::Directory => folders.push((path, shown, entry.header().clone())),
                EntryType::Link => {}
                _ => (self.set_attributes)(&path, entry.header())
                    .or_else(|error| (self.failed)(&shown, error))?,
            }
        }
        folders.iter().try_for_each(|(path, shown, header)| {
            (self.set_attributes)(path, header).map_err(|error| naming(shown, error))
        })
    }

    fn make(&self, entry: &mut Entry<File>, name: &Path, folder: &Path) -> io::Result<PathBuf> {
        match self.make_such {
            Some((such, how)) if entry.header().entry_type() == such => {
                let path = place(folder, name)?;
                how(entry, &path, folder)?;
                Ok(path)
            }
            _ => (self.make)(entry, name, folder),
        }
    }
}

/// create_read_only_layer, by another way to unpack.
pub fn create(
    tar: &Path,
    layer: &Path,
    unpack: impl FnOnce(&Path, &Path) -> io::Result<()>,
) -> io::Result<()> {
    if layer.symlink_metadata().is_ok() {
        return Ok(());
    }
    let unfinished = layer.with_added_extension("unfinished");
    remove(&unfinished)?;
    fs::create_dir(&unfinished)?;
    unpack_and_rename(tar, &unfinished, layer, unpack)
}

/// Unpacks to a folder that is there, and renames it if that goes well.
pub fn unpack_and_rename(
    tar: &Path,
    unfinished: &Path,
    layer: &Path,
    unpack: impl FnOnce(&Path, &Path) -> io::Result<()>,
) -> io::Result<()> {
    let made = own(unfinished)
        .and_then(|()| unpack(tar, unfinished))
        .and_then(|()| fs::rename(unfinished, layer));
    made.or_else(|error| remove(unfinished).and(Err(error)))
}

/// Gives the layer itself what it has if the archive says nothing of it.
pub fn own(folder: &Path) -> io::Result<()> {
    let (user, group) = (geteuid().as_raw(), getegid().as_raw());
    let is = folder.symlink_metadata()?;
    if (is.uid(), is.gid()) != (user, group) {
        lchown(folder, Some(user), Some(group))?;
    }
    fs::set_permissions(folder, Permissions::from_mode(0o755))
}
