//! What the student writes, and how it is called. Only this file runs in the
//! process of an answer.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use labkit::act::{Act, Each, Performable, given};
use labkit::describe::Failure;
use labkit::frame::Returned;
use serde::{Deserialize, Serialize};

use crate::change::{Change, Kind};

/// The functions that the student writes. A mistake is the solution with one of
/// them replaced.
pub struct Answers {
    /// See labs/10-commit/src/lib.rs, as for the others.
    pub changed_files: fn(&Path, &[PathBuf]) -> io::Result<Vec<Change>>,
    /// Writes a layer as an archive.
    pub write_layer_tar: fn(&Path, &mut dyn Write) -> io::Result<()>,
    /// Makes an image of another one and an archive.
    pub new_image: fn(&Path, &str, &str, &mut dyn Read) -> io::Result<()>,
}

/// All that an answer can be asked to do.
pub static ACTS: &[&dyn Performable<Answers>] = &[
    &CHANGED_FILES,
    &CHANGED_FILES_OF_EACH,
    &WRITE_LAYER_TAR,
    &WRITE_LAYER_TAR_OF_EACH,
    &WRITE_TO_GIVEN,
    &NEW_IMAGE,
];

/// Compares a write layer with the layers below it.
pub static CHANGED_FILES: Act<Answers, Layers, Result<Vec<Told>, Failure>> =
    Act { name: "changed_files", function: "changed_files", perform: changed_files };

/// The same for several, one after the other.
pub static CHANGED_FILES_OF_EACH: Each<Answers, Layers, Result<Vec<Told>, Failure>> =
    Each { name: "changed_files_of_each", function: "changed_files", perform: changed_files };

fn changed_files(answers: &Answers, it: Layers) -> Result<Vec<Told>, Failure> {
    let layers: Vec<PathBuf> = it.layers.into_iter().map(PathBuf::from).collect();
    let changes = (answers.changed_files)(Path::new(&it.write_layer), &layers)?;
    Ok(changes.iter().map(Told::from).collect())
}

/// Writes a layer to a new file.
pub static WRITE_LAYER_TAR: Act<Answers, Archiving, Returned> =
    Act { name: "write_layer_tar", function: "write_layer_tar", perform: write_layer_tar };

/// The same for several, one after the other.
pub static WRITE_LAYER_TAR_OF_EACH: Each<Answers, Archiving, Returned> =
    Each { name: "write_layer_tar_of_each", function: "write_layer_tar", perform: write_layer_tar };

fn write_layer_tar(answers: &Answers, it: Archiving) -> Returned {
    let file = File::create(&it.archive)?;
    let mut out = Narrow { file, at_once: it.at_once, room: it.room };
    Ok((answers.write_layer_tar)(Path::new(&it.write_layer), &mut out)?)
}

/// Writes a layer to the descriptor that is given.
pub static WRITE_TO_GIVEN: Act<Answers, OsString, Returned> = Act {
    name: "write_to_given",
    function: "write_layer_tar",
    perform: |answers, write_layer| {
        let mut out = File::from(given(0));
        Ok((answers.write_layer_tar)(Path::new(&write_layer), &mut out)?)
    },
};

/// Makes an image of the archive that is read from the descriptor that is given.
pub static NEW_IMAGE: Act<Answers, Making, Returned> = Act {
    name: "new_image",
    function: "new_image",
    perform: |answers, it| {
        let mut archive = File::from(given(0));
        Ok((answers.new_image)(Path::new(&it.images), &it.base, &it.name, &mut archive)?)
    },
};

/// A write layer and those below it, the topmost first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Layers {
    /// The write layer.
    pub write_layer: OsString,
    /// The layers below it.
    pub layers: Vec<OsString>,
}

/// A write layer, and where its archive goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Archiving {
    /// The write layer.
    pub write_layer: OsString,
    /// The archive.
    pub archive: OsString,
    /// How many bytes are taken at once, at most.
    pub at_once: usize,
    /// How many bytes there is room for.
    pub room: usize,
}

/// An image to be made.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Making {
    /// The directory of all images.
    pub images: OsString,
    /// The image below.
    pub base: String,
    /// The new image.
    pub name: String,
}

/// A [`Change`] as it is told: its paths may have any bytes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Told {
    /// Its path.
    pub path: Vec<u8>,
    /// `A`, `C`, `E` or `D`.
    pub kind: char,
    /// The first name of the file.
    pub hard_link: Option<Vec<u8>>,
}

impl From<&Change> for Told {
    fn from(change: &Change) -> Told {
        let bytes = |path: &PathBuf| path.as_os_str().as_bytes().to_vec();
        let kind = match change.kind {
            Kind::Added => 'A',
            Kind::Changed => 'C',
            Kind::Emptied => 'E',
            Kind::Deleted => 'D',
        };
        Told { path: bytes(&change.path), kind, hard_link: change.hard_link.as_ref().map(bytes) }
    }
}

/// A file that takes some bytes at a time, as a pipe does, and not more than it has room
/// for, as a disk does.
struct Narrow {
    file: File,
    at_once: usize,
    room: usize,
}

impl Write for Narrow {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.room == 0 && !bytes.is_empty() {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let count = self.file.write(&bytes[..bytes.len().min(self.at_once).min(self.room)])?;
        self.room -= count;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}
