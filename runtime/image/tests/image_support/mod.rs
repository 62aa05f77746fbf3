//! Archives made in memory, and a store to import them into.

// Each test file uses a part of this.
#![allow(dead_code, missing_docs)]

mod items;

use std::fs::Metadata;
use std::io::Write;
use std::path::{Path, PathBuf};

pub use items::*;

use mydocker_image::whiteout::WhiteoutForm;
use mydocker_image::{self as image, Image, ImportOptions, Summary};
use mydocker_kernel::Result;
use mydocker_kernel::privileges::Privileges;
use tempfile::TempDir;

pub fn is_root() -> bool {
    Privileges::current() == Privileges::Root
}

/// A store in a folder of its own, beside a file that nobody may touch.
pub struct Store {
    folder: TempDir,
}

impl Store {
    pub fn new() -> Store {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("canary"), "alive").unwrap();
        Store { folder }
    }

    pub fn outside(&self) -> &Path {
        self.folder.path()
    }

    pub fn root(&self) -> PathBuf {
        self.folder.path().join("root")
    }

    pub fn images(&self) -> PathBuf {
        self.root().join("images")
    }

    /// Writes bytes to a file that can be imported.
    pub fn save(&self, bytes: &[u8]) -> PathBuf {
        let path = self.folder.path().join("archive");
        std::fs::File::create(&path).unwrap().write_all(bytes).unwrap();
        path
    }

    /// Imports an archive as the image `it`.
    pub fn import(&self, bytes: &[u8]) -> Result<Summary> {
        self.import_as(bytes, WhiteoutForm::Overlay)
    }

    pub fn import_as(&self, bytes: &[u8], form: WhiteoutForm) -> Result<Summary> {
        let options = ImportOptions { whiteouts: form, ..ImportOptions::default() };
        image::import(&self.root(), "it", &self.save(bytes), &options)
    }

    pub fn open(&self) -> Image {
        Image::open(&self.root(), "it").unwrap()
    }

    /// A path in the layer `number`, of which 0 is the bottom one.
    pub fn layer(&self, number: usize) -> PathBuf {
        self.layer_of("it", number)
    }

    /// The same of another image.
    pub fn layer_of(&self, image: &str, number: usize) -> PathBuf {
        self.images().join(format!("{image}/layers/{number:02}"))
    }

    /// What lies at `path` in the bottom layer.
    pub fn lstat(&self, path: &str) -> Metadata {
        let path = self.layer(0).join(path);
        path.symlink_metadata().unwrap_or_else(|error| panic!("{path:?}: {error}"))
    }

    pub fn read(&self, path: &str) -> String {
        std::fs::read_to_string(self.layer(0).join(path)).unwrap()
    }

    /// Imports an archive that must be refused: what remains is nothing, and
    /// nothing outside was touched. Returns the error's text.
    #[track_caller]
    pub fn refused(&self, bytes: &[u8]) -> String {
        let error = self.import(bytes).expect_err("it was imported").to_string();
        assert_eq!(self.left(), [""; 0], "something remains");
        self.assert_untouched();
        error
    }

    /// The names in the folder of the images.
    pub fn left(&self) -> Vec<String> {
        names(&self.images())
    }

    #[track_caller]
    pub fn assert_untouched(&self) {
        let outside: Vec<String> =
            names(self.outside()).into_iter().filter(|name| name != "archive").collect();
        assert_eq!(outside, ["canary", "root"], "something was made outside of the store");
        let canary = std::fs::read_to_string(self.outside().join("canary")).unwrap();
        assert_eq!(canary, "alive", "a file outside of the store was written");
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        // A layer may have directories that their owner cannot read.
        let _ = mydocker_kernel::delete::delete_tree(&self.root());
    }
}

/// The names in a folder, sorted; none if it is not there.
pub fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// An extended attribute, if there is one.
pub fn xattr(path: &Path, name: &str) -> Option<Vec<u8>> {
    let mut value = vec![0; 256];
    let length = rustix::fs::lgetxattr(path, name, &mut value).ok()?;
    value.truncate(length);
    Some(value)
}
