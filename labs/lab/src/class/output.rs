//! A file for the grades: that it can be written is made sure of before the hours
//! that grading may take, and what was there stays until the new one is whole.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use tempfile::{Builder, NamedTempFile};

use crate::trouble::Trouble;

/// A file that can be written.
pub struct Output {
    pub path: PathBuf,
    /// Not of a regular file: a pipe, a terminal, `/dev/stdout`.
    other: Option<File>,
}

impl Output {
    /// Makes sure that a file can be written, and changes nothing of what is there.
    pub fn open(path: &Path) -> Result<Output, Trouble> {
        // A link stays one, and where it leads to is written.
        let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        let opened = try_open(&path);
        match opened {
            Ok(other) => Ok(Output { path, other }),
            Err(error) => Err(Trouble::cannot("open", path, error)),
        }
    }

    /// Writes it: whole, or not at all.
    pub fn write(self, content: &[u8]) -> Result<(), Trouble> {
        let written = match self.other {
            Some(mut file) => file.write_all(content),
            None => unfinished(&self.path).and_then(|mut file| {
                file.write_all(content)?;
                file.persist(&self.path)?;
                Ok(())
            }),
        };
        written.map_err(|error| Trouble::cannot("write", self.path, error))
    }
}

fn try_open(path: &Path) -> io::Result<Option<File>> {
    match fs::metadata(path) {
        Ok(metadata) if metadata.is_dir() => Err(io::ErrorKind::IsADirectory.into()),
        Ok(metadata) if !metadata.is_file() => OpenOptions::new().write(true).open(path).map(Some),
        Ok(_) => {
            OpenOptions::new().write(true).open(path)?;
            unfinished(path).map(|_| None)
        }
        Err(_) => unfinished(path).map(|_| None),
    }
}

/// A file beside `path`, which is removed unless it is put into that place.
fn unfinished(path: &Path) -> io::Result<NamedTempFile> {
    let parent = path.parent().filter(|it| *it != Path::new(""));
    let readable = Permissions::from_mode(0o666);
    Builder::new().permissions(readable).tempfile_in(parent.unwrap_or(Path::new(".")))
}
