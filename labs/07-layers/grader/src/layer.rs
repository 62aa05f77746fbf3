//! Layers that the grader fills for an answer.

use std::fs;
use std::path::Path;

/// Makes a folder and files in it, each with its content.
///
/// # Panics
/// The scratch folder is full.
pub fn fill(folder: &Path, files: &[(&str, &str)]) {
    for (name, content) in files {
        let file = folder.join(name);
        let parent = file.parent().expect("a file in a folder");
        fs::create_dir_all(parent).expect("a folder in the scratch folder");
        fs::write(file, content).expect("a file in the scratch folder");
    }
}

/// Makes folders in a folder.
///
/// # Panics
/// The scratch folder is full.
pub fn folders<const COUNT: usize>(folder: &Path, names: [&str; COUNT]) {
    for name in names {
        fs::create_dir_all(folder.join(name)).expect("a folder in the scratch folder");
    }
}
