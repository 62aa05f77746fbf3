//! What must hold for every input, whatever it is.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use mydocker_image::{self as image, Image, ImportOptions};
use mydocker_kernel::limit::Limit;
use mydocker_kernel::mountinfo::{MountTable, difference};

/// An archive is imported or refused: never anything outside of the image is
/// touched, never half an image is left, and the words are fit for a terminal.
///
/// # Panics
/// When one of these does not hold.
pub fn import(archive: &[u8]) {
    let folder = tempfile::tempdir().expect("a folder");
    let (root, canary) = (folder.path().join("root"), folder.path().join("canary"));
    let source = folder.path().join("archive");
    fs::write(&canary, "untouched").expect("a canary");
    fs::write(&source, with_checksums(archive)).expect("the archive");

    let options = ImportOptions { max_size: Limit::At(1 << 20), ..ImportOptions::default() };
    match image::import(&root, "it", &source, &options) {
        Ok(summary) => {
            let opened = Image::open(&root, "it").expect("an image that was imported");
            assert_eq!(opened.layers().len(), summary.layers);
            drop(opened);
            image::remove(&root, "it", &[]).expect("an image that nobody uses");
        }
        Err(error) => assert_printable(&error.to_string()),
    }
    assert_eq!(names(&root.join("images")), [""; 0], "something is left of the image");
    assert_eq!(names(folder.path()), ["archive", "canary", "root"], "something was made outside");
    assert_eq!(fs::read(&canary).expect("the canary"), b"untouched");
}

/// A mount table is parsed or refused, and what was parsed can be asked for
/// anything and drawn.
///
/// # Panics
/// When that does not hold.
pub fn mountinfo(table: &[u8]) {
    let table = match MountTable::parse(table) {
        Err(error) => return assert_printable(&error.to_string()),
        Ok(table) => table,
    };
    assert_printable(&table.to_string());
    // Two mounts of one number are no table of the kernel's.
    let numbers: BTreeSet<u32> = table.mounts.iter().map(|mount| mount.id).collect();
    if numbers.len() == table.mounts.len() {
        assert_eq!(difference(&table, &table), []);
    }
    let nothing = MountTable { mounts: Vec::new() };
    assert_eq!(difference(&nothing, &table).len(), table.mounts.len());
    for change in difference(&table, &nothing) {
        assert_printable(&change.to_string());
    }
    for mount in &table.mounts {
        let below = table.below(&mount.mount_point);
        assert!(below.contains(&mount), "{mount:?} is not at its own place");
        assert!(table.at(&mount.mount_point).is_some());
        assert!(table.holding(&mount.mount_point).is_some());
        table.is_covered(mount);
    }
    serde_json::to_string(&table).expect("text and numbers");
}

/// Gives every block that looks like a header a checksum that is right: else
/// hardly any input would get past it.
fn with_checksums(archive: &[u8]) -> Vec<u8> {
    let mut archive = archive.to_vec();
    for block in archive.chunks_exact_mut(512).filter(|block| &block[257..262] == b"ustar") {
        block[148..156].fill(b' ');
        let sum: u32 = block.iter().map(|&byte| u32::from(byte)).sum();
        block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    }
    archive
}

fn assert_printable(text: &str) {
    let unfit = |c: char| c.is_control() && c != '\n';
    assert!(!text.contains(unfit), "a control character in {text:?}");
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<String> =
        entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}
