//! File trees as text.

use std::collections::BTreeSet;
use std::fs::Metadata;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

use nix::sys::stat::{major, minor};

/// One line an entry: kind and mode, path, and what it says: a link's target,
/// a file's content if it is short, a device's number, `whiteout`, `opaque`.
///
/// # Panics
/// The tree cannot be read.
pub fn tree(top: &Path) -> String {
    let mut lines = Vec::new();
    walk(top, &mut |path, metadata| {
        let name = path.strip_prefix(top).expect("below the top").display();
        let mode = metadata.mode() & 0o7777;
        let says = describe(path, metadata);
        // The top has no name, and is a folder all the same.
        let says = if path == top { says.trim_start_matches('/') } else { &says };
        lines.push(format!("{mode:04o} /{name}{says}\n"));
    });
    lines.concat()
}

/// Everything that tells whether a tree was touched: also owners, times,
/// sizes, inode numbers and contents.
///
/// # Panics
/// The tree cannot be read.
pub fn exact(top: &Path) -> String {
    let mut lines = Vec::new();
    let mut seen = BTreeSet::new();
    walk(top, &mut |path, m| {
        // All applets of busybox are one file with many names.
        let is_new = m.is_file() && seen.insert(m.ino());
        let content = if is_new { hash(&std::fs::read(path).expect("a file")) } else { 0 };
        lines.push(format!("{} {content:x}\n", stamp(path, m)));
    });
    lines.concat()
}

/// The same without the contents, for many looks at one tree: nobody can write
/// to a file and leave the time of its last change, ctime, as it was.
///
/// # Panics
/// The tree cannot be read.
pub fn stamps(top: &Path) -> String {
    let mut lines = Vec::new();
    walk(top, &mut |path, metadata| lines.push(stamp(path, metadata) + "\n"));
    lines.concat()
}

fn stamp(path: &Path, m: &Metadata) -> String {
    let times = (m.mtime(), m.mtime_nsec(), m.ctime(), m.ctime_nsec());
    let what = (m.ino(), m.mode(), m.uid(), m.gid(), m.nlink(), m.len(), m.rdev());
    format!("{path:?} {what:?} {times:?}")
}

fn hash(bytes: &[u8]) -> u64 {
    use std::hash::{DefaultHasher, Hasher};
    let mut hasher = DefaultHasher::new();
    hasher.write(bytes);
    hasher.finish()
}

fn walk(path: &Path, visit: &mut impl FnMut(&Path, &Metadata)) {
    let metadata = path.symlink_metadata().expect("an entry");
    visit(path, &metadata);
    if metadata.is_dir() {
        let entries = std::fs::read_dir(path).expect("a folder");
        let mut paths: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
        paths.sort();
        paths.iter().for_each(|path| walk(path, visit));
    }
}

fn describe(path: &Path, metadata: &Metadata) -> String {
    let kind = metadata.file_type();
    if kind.is_dir() {
        let marks = ["trusted.overlay.opaque", "user.overlay.opaque"];
        let opaque =
            marks.iter().any(|mark| xattr::get(path, mark).is_ok_and(|mark| mark.is_some()));
        return if opaque { "/  opaque".into() } else { "/".into() };
    }
    if kind.is_symlink() {
        return format!(" -> {}", path.read_link().expect("a link").display());
    }
    if kind.is_char_device() && metadata.rdev() == 0 {
        return "  whiteout".into();
    }
    if kind.is_char_device() {
        let (major, minor) = (major(metadata.rdev()), minor(metadata.rdev()));
        return format!("  char {major}:{minor}");
    }
    if kind.is_file() && metadata.len() <= 60 {
        let content = std::fs::read_to_string(path).unwrap_or_default();
        return format!("  {content:?}");
    }
    String::new()
}
