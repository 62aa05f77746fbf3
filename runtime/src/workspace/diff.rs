//! What a container changed: its write layer, compared with the layers below.

use std::ffi::OsStr;
use std::fmt;
use std::fs::Metadata;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::aufs::{self, Name};
use mydocker_image::stack::{Found, Stack};
use mydocker_image::whiteout::{WhiteoutForm, hides_all, is_whiteout};
use mydocker_kernel::printable::printable_path;
use mydocker_kernel::{OnPath, Result, if_there};

/// How a path was changed; its letter is docker's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Not in the layers below.
    Added,
    /// In the layers below, and different.
    Changed,
    /// In the layers below, and gone.
    Deleted,
}

/// One changed path; its text form is docker's, `A /root/new`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// How it was changed.
    pub kind: Kind,
    /// The path in the container.
    pub path: PathBuf,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let letter = match self.kind {
            Kind::Added => 'A',
            Kind::Changed => 'C',
            Kind::Deleted => 'D',
        };
        write!(f, "{letter} {}", printable_path(&self.path))
    }
}

/// The changes that `write_layer` makes to the layers below, sorted by path.
/// Its marks for what is deleted have the same form as theirs; the driver's
/// housekeeping is left out.
///
/// # Errors
/// The write layer cannot be read.
pub fn diff(write_layer: &Path, lower: &Stack) -> Result<Vec<Change>> {
    let mut diff = Diff { form: lower.form, changes: Vec::new() };
    diff.directory(write_layer, Path::new("/"), lower)?;
    diff.changes.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(diff.changes)
}

struct Diff {
    form: WhiteoutForm,
    changes: Vec<Change>,
}

/// What a name in the write layer says.
enum Entry {
    File,
    Deleted,
    Ignored,
}

impl Diff {
    /// Compares the directory `upper` with those of the same path below it.
    fn directory(&mut self, upper: &Path, path: &Path, lower: &Stack) -> Result<()> {
        // The container may run, and delete what was there a moment ago; not its top.
        let entries = match std::fs::read_dir(upper) {
            Err(error) if path != Path::new("/") && error.kind() == ErrorKind::NotFound => {
                return Ok(());
            }
            other => other.on("readdir", upper)?,
        };
        for entry in entries {
            let entry = entry.on("readdir", upper)?;
            let Some(metadata) = if_there(entry.metadata()).on("lstat", &entry.path())? else {
                continue;
            };
            let name = entry.file_name();
            let (name, kind) = self.read(&name, &metadata);
            let here = path.join(name);
            match (kind, lower.lookup(name)?) {
                (Entry::Ignored, _) | (Entry::Deleted, Found::Nothing) => {}
                (Entry::Deleted, _) => self.note(Kind::Deleted, here),
                (Entry::File, below) => self.entry(&entry.path(), &metadata, here, below)?,
            }
        }
        Ok(())
    }

    fn read<'a>(&self, name: &'a OsStr, metadata: &Metadata) -> (&'a OsStr, Entry) {
        match self.form {
            WhiteoutForm::Overlay if is_whiteout(metadata) => (name, Entry::Deleted),
            WhiteoutForm::Overlay => (name, Entry::File),
            WhiteoutForm::Aufs => match aufs::read_name(name) {
                Name::File(name) => (name, Entry::File),
                Name::Whiteout(hidden) => (hidden, Entry::Deleted),
                Name::Opaque | Name::Housekeeping => (name, Entry::Ignored),
            },
        }
    }

    fn entry(
        &mut self,
        upper: &Path,
        metadata: &Metadata,
        path: PathBuf,
        below: Found,
    ) -> Result<()> {
        let kind = if matches!(below, Found::Nothing) { Kind::Added } else { Kind::Changed };
        if !metadata.is_dir() {
            self.note(kind, path);
            return Ok(());
        }
        let Found::Directory(lower) = below else {
            self.note(kind, path.clone());
            return self.directory(upper, &path, &Stack { directories: vec![], form: self.form });
        };
        // An opaque folder hides those below: all that it lacks is deleted.
        let opaque = hides_all(self.form, upper)?;
        // A folder is copied up when something in it changes; that alone is no
        // change of the folder.
        if opaque || differs(metadata, &lower.directories[0])? {
            self.note(Kind::Changed, path.clone());
        }
        if opaque {
            self.hidden(upper, &path, &lower)?;
        }
        self.directory(upper, &path, &lower)
    }

    /// The names of the folders below that an opaque one does not have itself.
    fn hidden(&mut self, upper: &Path, path: &Path, lower: &Stack) -> Result<()> {
        let mut names = std::collections::BTreeSet::new();
        for directory in &lower.directories {
            for entry in std::fs::read_dir(directory).on("readdir", directory)? {
                names.insert(entry.on("readdir", directory)?.file_name());
            }
        }
        for name in names {
            let is_there = !matches!(lower.lookup(&name)?, Found::Nothing);
            let upper = upper.join(&name);
            if is_there && if_there(upper.symlink_metadata()).on("lstat", &upper)?.is_none() {
                self.note(Kind::Deleted, path.join(name));
            }
        }
        Ok(())
    }

    fn note(&mut self, kind: Kind, path: PathBuf) {
        self.changes.push(Change { kind, path });
    }
}

/// Whether a folder itself is not as it was below.
fn differs(upper: &Metadata, lower: &Path) -> Result<bool> {
    let lower = lower.metadata().on("stat", lower)?;
    let what = |m: &Metadata| (m.mode(), m.uid(), m.gid(), m.mtime(), m.mtime_nsec());
    Ok(what(upper) != what(&lower))
}
