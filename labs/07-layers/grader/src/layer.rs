//! Layers that the grader fills for an answer.

use std::fs;
use std::path::Path;

/// Makes a directory and files in it, each with its content.
///
/// # Panics
/// The scratch directory is full.
pub fn fill(directory: &Path, files: &[(&str, &str)]) {
    for (name, content) in files {
        let file = directory.join(name);
        let parent = file.parent().expect("a file in a directory");
        fs::create_dir_all(parent).expect("a directory in the scratch directory");
        fs::write(file, content).expect("a file in the scratch directory");
    }
}

/// Makes directories in a directory.
///
/// # Panics
/// The scratch directory is full.
pub fn directories<const COUNT: usize>(directory: &Path, names: [&str; COUNT]) {
    for name in names {
        fs::create_dir_all(directory.join(name)).expect("a directory in the scratch directory");
    }
}
