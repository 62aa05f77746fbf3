//! What an answer prints: a file in memory. The report shows a part of it.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use nix::sys::memfd::{MFdFlags, memfd_create};

/// How much of what is printed is kept, in bytes.
const KEPT: u64 = 2_000;

/// A file for it.
///
/// # Errors
/// As memfd_create(2).
pub fn file() -> io::Result<File> {
    Ok(memfd_create("printed", MFdFlags::MFD_CLOEXEC)?.into())
}

/// What is in a file. Of a long one, the beginning and the end, because the last words
/// before a failure say most.
pub fn beginning_and_end_of(file: &File) -> String {
    let length = file.metadata().map_or(0, |metadata| metadata.len());
    let part = |from: u64, count: u64| {
        let mut bytes = vec![0; count as usize];
        let read = file.read_at(&mut bytes, from).unwrap_or(0);
        String::from_utf8_lossy(&bytes[..read]).into_owned()
    };
    if length <= KEPT {
        return part(0, length);
    }
    let half = KEPT / 2;
    format!("{}\n…\n{}", part(0, half), part(length - half, half))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn the_last_words_are_kept() {
        let mut file = file().expect("a file");
        file.write_all(b"few").expect("written");
        assert_eq!(beginning_and_end_of(&file), "few");
        file.write_all(&[b'.'; 100_000]).expect("written");
        file.write_all(b"the last words").expect("written");
        let kept = beginning_and_end_of(&file);
        assert!(kept.starts_with("few...") && kept.ends_with("...the last words"), "{kept}");
        assert!(kept.len() < 2_100, "{}", kept.len());
    }
}
