//! Where an archive is written to: a file that is there when all of it is, or stdout.

use std::fs::File;
use std::io::{BufWriter, IsTerminal, stdout};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use mydocker_image::{Exported, Format, Image, export};
use mydocker_kernel::{Error, OnPath, Result, if_there};
use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, AtFlags, OFlag};
use nix::unistd::linkat;

/// How much is written at once.
const BUFFER: usize = 128 * 1024;

/// Writes the image to `path`; `-` is stdout.
///
/// # Errors
/// There is such a file, or stdout is a terminal; as [`mydocker_image::export`].
pub fn write(image: &Image, format: Format, path: &Path) -> Result<Exported> {
    if path == Path::new("-") {
        if stdout().is_terminal() {
            return Err(Error::new("stdout is a terminal, and an archive is no text")
                .advise("name a file, or pipe it: mydocker image export NAME - | docker load"));
        }
        let out = stdout().as_fd().try_clone_to_owned().on("dup", path)?;
        return export(image, format, &mut BufWriter::with_capacity(BUFFER, File::from(out)), path);
    }
    match if_there(path.metadata()).on("stat", path)? {
        Some(there) if there.is_file() => return Err(is_taken(path)),
        // A pipe or a device takes it as it comes.
        Some(_) => {
            let out = File::options().write(true).open(path).on("open", path)?;
            return export(image, format, &mut BufWriter::with_capacity(BUFFER, out), path);
        }
        None => {}
    }
    // A file without a name: whatever ends us, nothing of it stays.
    let folder = match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    let mut options = File::options();
    options.write(true).mode(0o644).custom_flags(OFlag::O_TMPFILE.bits());
    let out = match options.open(folder) {
        Err(error) if has_no_unnamed_files(&error) => {
            return write_named(image, format, path);
        }
        other => other.on("open", folder)?,
    };
    let exported = export(image, format, &mut BufWriter::with_capacity(BUFFER, &out), path)?;
    let unnamed = PathBuf::from(format!("/proc/self/fd/{}", out.as_raw_fd()));
    match linkat(AT_FDCWD, &unnamed, AT_FDCWD, path, AtFlags::AT_SYMLINK_FOLLOW) {
        Err(Errno::EEXIST) => Err(is_taken(path)),
        other => other.on("linkat", path).map(|()| exported),
    }
}

/// Not all file systems do. See O_TMPFILE in open(2).
fn has_no_unnamed_files(error: &std::io::Error) -> bool {
    let errno = error.raw_os_error().map(Errno::from_raw);
    matches!(errno, Some(Errno::EOPNOTSUPP | Errno::EISDIR))
}

fn write_named(image: &Image, format: Format, path: &Path) -> Result<Exported> {
    let out = File::options().write(true).create_new(true).open(path).on("open", path)?;
    export(image, format, &mut BufWriter::with_capacity(BUFFER, out), path).inspect_err(|_| {
        // What is there is no whole archive.
        let _ = std::fs::remove_file(path);
    })
}

fn is_taken(path: &Path) -> Error {
    Error::new(format!("there is a file {path:?} already"))
        .advise("choose another name, or delete it first")
}
