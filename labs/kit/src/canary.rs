//! Files that must stay as they are, with words that nobody can know.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use crate::describe;

/// Words that differ in each run, so that no answer can predict them.
///
/// # Errors
/// /dev/urandom cannot be read.
pub fn random_words() -> io::Result<String> {
    let mut bytes = [0; 16];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// A directory of files that must stay as they are.
#[derive(Debug)]
pub struct Canary {
    /// The directory.
    pub folder: PathBuf,
    before: String,
}

impl Canary {
    /// Makes the directory, with a file and a directory in it.
    ///
    /// # Errors
    /// They cannot be made.
    pub fn new(folder: PathBuf) -> io::Result<Canary> {
        fs::create_dir_all(folder.join("photos"))?;
        fs::write(folder.join("thesis.txt"), random_words()?)?;
        fs::write(folder.join("photos/cat.jpg"), random_words()?)?;
        Canary::watch(folder)
    }

    /// Watches an existing directory.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn watch(folder: PathBuf) -> io::Result<Canary> {
        let before = describe::exact(&folder)?;
        Ok(Canary { folder, before })
    }

    /// Whether nothing was changed, not even a time.
    pub fn is_untouched(&self) -> bool {
        describe::exact(&self.folder).is_ok_and(|now| now == self.before)
    }

    /// The random words in the file `thesis.txt`.
    ///
    /// # Errors
    /// The file no longer exists.
    pub fn words(&self) -> io::Result<String> {
        fs::read_to_string(self.file())
    }

    /// The file with the random words.
    pub fn file(&self) -> PathBuf {
        self.folder.join("thesis.txt")
    }
}

/// The files below `folder` and what is in them.
///
/// # Errors
/// They cannot be read.
pub fn contents(folder: &Path) -> io::Result<Vec<(PathBuf, Vec<u8>)>> {
    let mut files = Vec::new();
    describe::walk(folder, &mut |path, metadata| {
        if metadata.is_file() {
            files.push(path.to_owned());
        }
    })?;
    files.into_iter().map(|path| Ok((path.clone(), fs::read(path)?))).collect()
}
