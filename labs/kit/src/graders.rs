//! Whether the graders are as they were released: a changed one grades nothing.

use std::fs;
use std::io;
use std::path::Path;

use sha2::{Digest, Sha256};

use crate::canary::contents;

/// The list of what belongs to the graders, with a SHA-256 sum each.
pub const LIST: &str = "graders.sha256";

/// The lines of the list as it must be now, in the folder `labs`.
///
/// # Errors
/// A file cannot be read.
pub fn sums(labs: &Path) -> io::Result<Vec<String>> {
    let mut lines = Vec::new();
    let mut folders: Vec<_> = fs::read_dir(labs)?.collect::<Result<_, _>>()?;
    folders.sort_by_key(fs::DirEntry::file_name);
    for folder in folders {
        // The student's file is src/lib.rs; the teacher's solutions grade nobody.
        let parts: &[&str] = match folder.file_name().to_str() {
            Some("kit") => &["src", "kit.toml", "locales", "Cargo.toml", "build.rs"],
            Some(name) if name.starts_with(|c: char| c.is_ascii_digit()) => {
                &["grader", "tests", "lab.toml", "Cargo.toml"]
            }
            _ => continue,
        };
        for part in parts {
            let path = folder.path().join(part);
            if !path.exists() {
                continue;
            }
            for (file, content) in contents(&path)? {
                let name = file.strip_prefix(labs).unwrap_or(&file);
                let sum = Sha256::digest(&content);
                let sum: String = sum.iter().map(|byte| format!("{byte:02x}")).collect();
                lines.push(format!("{sum}  {}", name.display()));
            }
        }
    }
    Ok(lines)
}

/// The files that are not as the list says; none: all is well.
///
/// # Errors
/// The list or a file cannot be read.
pub fn changed(labs: &Path) -> io::Result<Vec<String>> {
    let list = fs::read_to_string(labs.join(LIST))?;
    let now = sums(labs)?;
    let released: Vec<&str> = list.lines().collect();
    let name = |line: &str| line.split_once("  ").map_or(line, |(_, name)| name).to_owned();
    let is_new = |line: &&String| !released.contains(&line.as_str());
    let mut changed: Vec<String> = now.iter().filter(is_new).map(|line| name(line)).collect();
    let names: Vec<String> = now.iter().map(|line| name(line)).collect();
    changed.extend(released.iter().map(|line| name(line)).filter(|name| !names.contains(name)));
    Ok(changed)
}
