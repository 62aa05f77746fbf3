//! What is in a program's directories.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use labkit::describe;
use serde::{Deserialize, Serialize};

/// How a deleted file is marked in a write layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Whiteout {
    /// A character device 0:0, or a mark in an extended attribute.
    Overlay,
    /// A file `.wh.NAME`.
    Aufs,
    /// Not at all.
    Missing,
}

/// What is in the write layer, or below `mnt`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Layer {
    /// The directory, as the adapter says.
    pub path: String,
    /// Whether it is there.
    pub is_there: bool,
    /// What is in root/exam/new, which the container has written.
    pub new: Option<String>,
    /// How the deletion of root/exam/doomed is marked.
    pub whiteout: Whiteout,
    /// Whether the container has changed root/exam/changed.
    pub has_changed: bool,
}

impl Layer {
    /// Looks at a directory.
    pub fn look(folder: &Path) -> Layer {
        let exam = folder.join("root/exam");
        let read = |name: &str| fs::read_to_string(exam.join(name)).ok();
        let whiteout = match exam.join("doomed").symlink_metadata() {
            Ok(data) if data.file_type().is_char_device() && data.rdev() == 0 => Whiteout::Overlay,
            _ if exam.join(".wh.doomed").exists() => Whiteout::Aufs,
            _ => Whiteout::Missing,
        };
        Layer {
            path: folder.display().to_string(),
            is_there: folder.is_dir(),
            new: read("new").map(|words| words.trim_end().to_owned()),
            whiteout,
            has_changed: read("changed").is_some(),
        }
    }
}

/// The names in a directory except those that AUFS uses itself; nothing if it is missing.
pub fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    let mut names: Vec<String> = names.filter(|name| !name.starts_with(".wh..wh.")).collect();
    names.sort();
    names
}

/// What tells whether the files of a directory were touched: all that the kernel
/// notes of them. Writing to a file always changes its ctime.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stamp(BTreeMap<PathBuf, String>);

impl Stamp {
    /// Takes the stamp of a directory. It is empty if the directory is missing.
    pub fn of(folder: &Path) -> Stamp {
        let mut stamp = BTreeMap::new();
        let _ = describe::walk(folder, &mut |path, m| {
            let changed = (m.mtime(), m.mtime_nsec(), m.ctime(), m.ctime_nsec());
            let what = (m.ino(), m.mode(), m.uid(), m.gid(), m.nlink(), m.len(), m.rdev());
            let name = path.strip_prefix(folder).expect("below the directory").to_owned();
            stamp.insert(name, format!("{what:?} {changed:?}"));
        });
        Stamp(stamp)
    }

    /// Whether there is nothing.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The paths that are new, gone or not the same any more.
    pub fn difference(&self, after: &Stamp) -> Vec<String> {
        let paths = self.0.keys().chain(after.0.keys());
        let mut paths: Vec<String> = paths
            .filter(|path| self.0.get(*path) != after.0.get(*path))
            .map(|path| format!("/{}", path.display()))
            .collect();
        paths.sort();
        paths.dedup();
        paths
    }
}
