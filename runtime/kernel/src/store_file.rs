//! Files of a store. Anybody else who may write to it can put something in their place: a
//! FIFO that keeps the reader waiting, a link that leads elsewhere.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::OFlag;

use crate::error::{Error, Result};
use crate::on_path::{OnPath, if_there};

/// The most bytes of a file in a store that is read at once; none has as many.
const AT_MOST: u64 = 64 << 20;

/// Opens a file, and nothing else that may be in its place; `None` if there is nothing.
/// `options` say how.
///
/// # Errors
/// Something else is there; as open(2).
pub fn open(path: &Path, options: &mut OpenOptions) -> Result<Option<File>> {
    let flags = OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK;
    let opened = match options.custom_flags(flags.bits()).open(path) {
        Err(error) if is_of_another_kind(&error) => return Err(no_file(path)),
        other => if_there(other).on("open", path)?,
    };
    match opened {
        Some(file) if !file.metadata().on("fstat", path)?.is_file() => Err(no_file(path)),
        opened => Ok(opened),
    }
}

/// What is in a file; `None` if there is none.
///
/// # Errors
/// As [`open`] and read(2); it is too large for a file of a store.
pub fn read(path: &Path) -> Result<Option<Vec<u8>>> {
    let opened = open(path, File::options().read(true))?;
    opened.map(|file| read_all(&file, path)).transpose()
}

/// What is in an open file, from its present position on. `path` is its name.
///
/// # Errors
/// As [`read`].
pub fn read_all(file: &File, path: &Path) -> Result<Vec<u8>> {
    let mut content = Vec::new();
    file.take(AT_MOST + 1).read_to_end(&mut content).on("read", path)?;
    match content.len() as u64 > AT_MOST {
        true => Err(Error::new(format!("{path:?} is too large")).because("it is no file of ours")),
        false => Ok(content),
    }
}

/// Whether open(2) has met a link, a directory, or a FIFO or socket that nobody reads.
fn is_of_another_kind(error: &io::Error) -> bool {
    let errno = error.raw_os_error().map(Errno::from_raw);
    matches!(errno, Some(Errno::ELOOP | Errno::EISDIR | Errno::ENXIO))
}

fn no_file(path: &Path) -> Error {
    Error::new(format!("{path:?} is no file of ours"))
        .because("it is a link, a directory, or of another kind")
        .advise("see what it is; then delete it")
}
