//! What a program has made of an archive, as text to be compared.

use std::collections::BTreeMap;
use std::fs::{self, Metadata};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;
use std::time::{Duration, SystemTime};

use nix::unistd::geteuid;

/// Attributes by which programs note something for themselves.
const NOTES: [&str; 3] = ["trusted.overlay.", "user.overlay.", "user.rootlesscontainers"];

/// A line for each file below `top`, with all that an archive can say of it.
/// What an ordinary user cannot give a file is left out.
///
/// # Panics
/// The tree cannot be read.
pub fn look(top: &Path) -> String {
    let mut look = Look { as_root: geteuid().is_root(), ..Look::default() };
    look.at(top, "");
    look.lines
}

#[derive(Default)]
struct Look {
    as_root: bool,
    lines: String,
    first_names: BTreeMap<u64, String>,
}

impl Look {
    fn at(&mut self, path: &Path, name: &str) {
        // What is closed is closed to its owner too, but not to root.
        let Ok(metadata) = path.symlink_metadata() else { return };
        let line = self.describe(path, name, &metadata);
        self.lines += &line;
        if metadata.is_dir() {
            let Ok(entries) = fs::read_dir(path) else { return };
            let mut paths: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
            paths.sort();
            for below in paths {
                let last = below.file_name().expect("a name").as_bytes().escape_ascii();
                self.at(&below, &format!("{name}/{last}"));
            }
        }
    }

    fn describe(&mut self, path: &Path, name: &str, metadata: &Metadata) -> String {
        let kind = metadata.file_type();
        let is_device = kind.is_char_device() || kind.is_block_device();
        if is_device && !self.as_root {
            return String::new();
        }
        let mut words = vec![format!("{name} {:o}", metadata.mode())];
        if self.as_root {
            words.push(format!("{}:{}", metadata.uid(), metadata.gid()));
        }
        // A time of today is that of the unpacking; umoci has 0 instead.
        let modified = metadata.modified().expect("a time");
        if metadata.mtime() != 0
            && SystemTime::now()
                .duration_since(modified)
                .is_ok_and(|age| age > Duration::from_hours(24))
        {
            words.push(format!("time {}.{}", metadata.mtime(), metadata.mtime_nsec()));
        }
        if is_device {
            words.push(format!("device {:#x}", metadata.rdev()));
        }
        if kind.is_symlink() {
            let target = fs::read_link(path).expect("a link");
            words.push(format!("-> {}", target.as_os_str().as_bytes().escape_ascii()));
        }
        if kind.is_file() {
            let content = fs::read(path).unwrap_or_default();
            let begin = content[..content.len().min(20)].escape_ascii();
            words.push(format!("{} bytes: {begin}", metadata.len()));
        }
        if !kind.is_dir() && metadata.nlink() > 1 {
            let first = self.first_names.entry(metadata.ino()).or_insert_with(|| name.to_owned());
            if first != name {
                words.push(format!("= {first}"));
            }
        }
        for attribute in xattr::list(path).into_iter().flatten() {
            let attribute = attribute.to_string_lossy().into_owned();
            let is_a_note = NOTES.iter().any(|note| attribute.starts_with(note));
            if !is_a_note && (self.as_root || attribute.starts_with("user.")) {
                let value = xattr::get(path, &attribute).ok().flatten().unwrap_or_default();
                words.push(format!("{attribute}={}", value.escape_ascii()));
            }
        }
        words.join(" ") + "\n"
    }
}
