//! Whether the graders are those that were released. A changed one does not count.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::canary::contents;

/// The list of the graders' files, with their SHA-256 sums.
pub const LIST: &str = "graders.sha256";

/// What a verdict depends on outside the directory `labs`, as seen from there: how
/// everything is built, and the crate with which kit and graders call the kernel.
const BELOW_THE_TOP: [&str; 8] = [
    "../.cargo/config.toml",
    "../Cargo.lock",
    "../Cargo.toml",
    "../rust-toolchain.toml",
    "../runtime/kernel/Cargo.toml",
    "../runtime/kernel/build.rs",
    "../runtime/kernel/src",
    "../scripts/busybox-image",
];

/// The lines of the list as it must be now, in the directory `labs`: everything that a
/// student's verdict depends on. `sha256sum -c` reads them there.
///
/// # Errors
/// A file cannot be read.
pub fn sums(labs: &Path) -> io::Result<Vec<String>> {
    let mut paths: Vec<PathBuf> = BELOW_THE_TOP.iter().map(|it| labs.join(it)).collect();
    let mut folders: Vec<_> = fs::read_dir(labs)?.collect::<Result<_, _>>()?;
    folders.sort_by_key(fs::DirEntry::file_name);
    for folder in folders {
        // The student's files are in src; the teacher's solutions grade nobody.
        let parts: &[&str] = match folder.file_name().to_str() {
            Some("kit") => &["src", "kit.toml", "locales", "Cargo.toml", "build.rs"],
            Some("lab" | "launch") => &["src", "locales", "Cargo.toml", "build.rs"],
            Some(name) if name.starts_with(|c: char| c.is_ascii_digit()) => &[
                "adapters",
                "build.rs",
                "grader",
                "process",
                "tests",
                "lab.toml",
                "later.toml",
                "Cargo.toml",
            ],
            _ => continue,
        };
        paths.extend(parts.iter().map(|part| folder.path().join(part)));
    }
    let mut lines = Vec::new();
    for path in paths.iter().filter(|path| path.exists()) {
        for (file, content) in contents(path)? {
            let name = file.strip_prefix(labs).unwrap_or(&file);
            let sum = Sha256::digest(&content);
            let sum: String = sum.iter().map(|byte| format!("{byte:02x}")).collect();
            lines.push(format!("{sum}  {}", name.display()));
        }
    }
    Ok(lines)
}

/// The files that differ from the list, by their paths in the checkout. None means that
/// all is well.
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
    let in_the_checkout = |name: &String| match name.strip_prefix("../") {
        Some(name) => name.to_owned(),
        None => format!("labs/{name}"),
    };
    Ok(changed.iter().map(in_the_checkout).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Everything that a verdict depends on: each change is named.
    #[test]
    fn what_a_verdict_stands_on_is_listed() {
        let folder = tempfile::tempdir().expect("a directory");
        let labs = folder.path().join("labs");
        let files = [
            ".cargo/config.toml",
            "Cargo.lock",
            "Cargo.toml",
            "labs/02-run/Cargo.toml",
            "labs/02-run/build.rs",
            "labs/02-run/grader/src/lib.rs",
            "labs/02-run/lab.toml",
            "labs/02-run/process/src/lib.rs",
            "labs/02-run/tests/grade.rs",
            "labs/09-mydocker/adapters/blog.toml",
            "labs/kit/build.rs",
            "labs/kit/src/sandbox.rs",
            "labs/lab/src/main.rs",
            "runtime/kernel/src/sys.rs",
            "scripts/busybox-image",
        ];
        let own = ["labs/02-run/src/lib.rs", "labs/reference/src/lib.rs", "book/src/SUMMARY.md"];
        for file in files.iter().chain(&own) {
            let path = folder.path().join(file);
            fs::create_dir_all(path.parent().expect("a directory")).expect("a directory");
            fs::write(path, "as released").expect("a file");
        }
        let list = sums(&labs).expect("sums").join("\n");
        fs::write(labs.join(LIST), list).expect("the list");
        assert_eq!(changed(&labs).expect("sums"), Vec::<String>::new());
        for file in files.iter().chain(&own) {
            let path = folder.path().join(file);
            fs::write(&path, "another").expect("a file");
            let expected: &[&str] = if own.contains(file) { &[] } else { &[file] };
            assert_eq!(changed(&labs).expect("sums"), expected);
            fs::remove_file(&path).expect("it is there");
            assert_eq!(changed(&labs).expect("sums"), expected, "without {file}");
            fs::write(&path, "as released").expect("a file");
        }
    }
}
