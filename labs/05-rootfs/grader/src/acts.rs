//! What the student writes, and how it is called. Only this file runs in the
//! process of an answer.

use std::io;
use std::path::{Path, PathBuf};

use labkit::act::{Act, Performable};
use labkit::describe::Failure;
use labkit::frame::Returned;
use serde::{Deserialize, Serialize};

/// The function that the student writes.
pub struct Answers {
    /// See labs/05-rootfs/src/lib.rs.
    pub create_read_only_layer: fn(&Path, &Path) -> io::Result<()>,
}

/// All that an answer can be asked to do.
pub static ACTS: &[&dyn Performable<Answers>] = &[&CREATE, &CREATE_EACH];

/// Makes a layer of an archive.
pub static CREATE: Act<Answers, Place, Returned> = Act {
    name: "create",
    function: "create_read_only_layer",
    perform: |answers, place| place.create(answers),
};

/// Makes several layers, one after the other.
pub static CREATE_EACH: Act<Answers, Vec<Place>, Vec<Returned>> = Act {
    name: "create_each",
    function: "create_read_only_layer",
    perform: |answers, places| places.iter().map(|place| place.create(answers)).collect(),
};

/// Where an archive lies and its layer goes: a directory of its own.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Place {
    /// The archive.
    #[serde(with = "bytes")]
    pub tar: PathBuf,
    /// The layer.
    #[serde(with = "bytes")]
    pub layer: PathBuf,
}

/// A path that need not be UTF-8.
mod bytes {
    use std::ffi::OsString;
    use std::path::{Path, PathBuf};

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub fn serialize<S: Serializer>(path: &Path, serializer: S) -> Result<S::Ok, S::Error> {
        path.as_os_str().serialize(serializer)
    }

    pub fn deserialize<'d, D: Deserializer<'d>>(deserializer: D) -> Result<PathBuf, D::Error> {
        OsString::deserialize(deserializer).map(PathBuf::from)
    }
}

impl Place {
    fn create(&self, answers: &Answers) -> Returned {
        (answers.create_read_only_layer)(&self.tar, &self.layer).map_err(Failure::from)
    }
}
