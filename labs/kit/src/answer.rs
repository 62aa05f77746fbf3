//! The files that a student writes, and whether they are those that were graded.

use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::canary::contents;

/// What is the student's in the directory of a lab.
pub fn files(folder: &Path) -> [PathBuf; 2] {
    [folder.join("src"), folder.join("predictions.toml")]
}

/// A SHA-256 sum of some files, and of all files in some directories. A missing file counts
/// as nothing. Modification times say less: they are coarse, and change without the
/// content.
pub fn digest(paths: &[PathBuf]) -> String {
    let mut sum = Sha256::new();
    for path in paths {
        for (file, content) in contents(path).unwrap_or_default() {
            let name = file.strip_prefix(path).unwrap_or(&file);
            sum.update(name.as_os_str().as_encoded_bytes());
            sum.update([0]);
            sum.update(content.len().to_le_bytes());
            sum.update(content);
        }
    }
    sum.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn it_tells_other_contents_from_the_same() {
        let folder = tempfile::tempdir().expect("a directory");
        let answer = || digest(&files(folder.path()));
        let write = |name: &str, content: &str| {
            fs::write(folder.path().join(name), content).expect("written");
        };
        fs::create_dir(folder.path().join("src")).expect("a directory");
        write("src/lib.rs", "first");
        let first = answer();
        write("src/lib.rs", "second");
        assert_ne!(answer(), first);
        write("src/lib.rs", "first");
        write("README.md", "not the student's");
        assert_eq!(answer(), first);
        write("predictions.toml", "a = 1");
        assert_ne!(answer(), first);
    }
}
