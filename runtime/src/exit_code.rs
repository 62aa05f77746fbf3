//! How a container whose files stay has ended: the file `exit-code` in its folder.

use std::fs::File;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

use mydocker_kernel::{OnPath, Result, store_file};

/// Makes the file with room for any code: at the end the disk may be full, and what is
/// overwritten needs no more of it.
///
/// # Errors
/// As open(2) and write(2).
pub fn reserve(folder: &Path) -> Result<()> {
    put(folder, "    ")
}

/// Writes the code.
///
/// # Errors
/// As open(2) and write(2).
pub fn write(folder: &Path, code: u8) -> Result<()> {
    put(folder, &format!("{code:<4}"))
}

/// The code in the folder of a container; `None` if it has not ended, or its mydocker
/// was killed before it could say how.
pub fn read(folder: &Path) -> Option<u8> {
    let text = store_file::read(&folder.join("exit-code")).ok()??;
    std::str::from_utf8(&text).ok()?.trim().parse().ok()
}

fn put(folder: &Path, text: &str) -> Result<()> {
    let path = folder.join("exit-code");
    let mut options = File::options();
    options.write(true).create(true).truncate(false).mode(0o600);
    let file = store_file::open(&path, &mut options)?;
    file.map_or(Ok(()), |file| file.write_all_at(text.as_bytes(), 0)).on("write", &path)
}
