//! What the student writes, and how it is called. Only this file runs in the
//! process of an answer.

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};

use labkit::act::{Act, Each, Performable};
use labkit::describe::Failure;
use labkit::frame::Returned;
use serde::{Deserialize, Serialize};

/// The functions that the student writes. A mistake is the solution with one of
/// them replaced.
pub struct Answers {
    /// See labs/07-layers/src/lib.rs, as for the others.
    pub overlay_options: fn(&[&Path], &Path, &Path, bool) -> OsString,
    /// The same for AUFS.
    pub aufs_options: fn(&Path, &[&Path]) -> io::Result<OsString>,
    /// What `.wh.NAME` hides.
    pub hidden_name: fn(&OsStr) -> Option<&OsStr>,
    /// From `.wh.` names to overlayfs's marks.
    pub whiteouts_to_overlay: fn(&Path, bool) -> io::Result<()>,
    /// The way back.
    pub whiteouts_to_aufs: fn(&Path, bool) -> io::Result<()>,
    /// The container's own /etc/hosts and the like.
    pub create_init_layer: fn(&Path, &Path, &str) -> io::Result<()>,
    /// What the container will write.
    pub create_write_layer: fn(&Path) -> io::Result<()>,
    /// All layers as one tree.
    pub create_mount_point: fn(&Path, &Path, bool) -> io::Result<()>,
    /// The same with AUFS.
    pub create_aufs_mount_point: fn(&Path, &Path) -> io::Result<()>,
    /// The text of predictions.toml.
    pub predictions: &'static str,
}

/// All that an answer can be asked to do.
pub static ACTS: &[&dyn Performable<Answers>] = &[
    &OVERLAY_OPTIONS,
    &AUFS_OPTIONS,
    &HIDDEN_NAME,
    &WHITEOUTS_TO_OVERLAY,
    &WHITEOUTS_TO_AUFS,
    &CREATE_INIT_LAYER,
    &CREATE_WRITE_LAYER,
    &CREATE_MOUNT_POINT,
    &CREATE_AUFS_MOUNT_POINT,
    &PREDICTIONS,
];

/// Layers, and the options for them.
pub static OVERLAY_OPTIONS: Each<Answers, Layers, OsString> = Each {
    name: "overlay_options",
    function: "overlay_options",
    perform: |answers, layers| {
        let lower: Vec<&Path> = layers.lower.iter().map(Path::new).collect();
        let (upper, work) = (Path::new(&layers.upper), Path::new(&layers.work));
        (answers.overlay_options)(&lower, upper, work, layers.user_xattr)
    },
};

/// The writable branch and the others, and the options for them.
pub static AUFS_OPTIONS: Each<Answers, Branches, Result<OsString, Refusal>> = Each {
    name: "aufs_options",
    function: "aufs_options",
    perform: |answers, branches| {
        let read_only: Vec<&Path> = branches.read_only.iter().map(Path::new).collect();
        let options = (answers.aufs_options)(Path::new(&branches.write), &read_only);
        options.map_err(Refusal::from)
    },
};

/// The name of a file, and the name that it hides.
pub static HIDDEN_NAME: Each<Answers, OsString, Option<OsString>> = Each {
    name: "hidden_name",
    function: "hidden_name",
    perform: |answers, name| (answers.hidden_name)(&name).map(OsStr::to_owned),
};

/// Rewrites a layer. More than one of them, one after the other.
pub static WHITEOUTS_TO_OVERLAY: Each<Answers, Layer, Returned> = Each {
    name: "whiteouts_to_overlay",
    function: "whiteouts_to_overlay",
    perform: |answers, it| {
        (answers.whiteouts_to_overlay)(&it.layer, it.user_xattr).map_err(Failure::from)
    },
};

/// The same the other way round.
pub static WHITEOUTS_TO_AUFS: Each<Answers, Layer, Returned> = Each {
    name: "whiteouts_to_aufs",
    function: "whiteouts_to_aufs",
    perform: |answers, it| {
        (answers.whiteouts_to_aufs)(&it.layer, it.user_xattr).map_err(Failure::from)
    },
};

/// In a workspace, beside an image, for a host's name.
pub static CREATE_INIT_LAYER: Act<Answers, (PathBuf, PathBuf, String), Returned> = Act {
    name: "create_init_layer",
    function: "create_init_layer",
    perform: |answers, (workspace, image, hostname)| {
        (answers.create_init_layer)(&workspace, &image, &hostname).map_err(Failure::from)
    },
};

/// In a workspace.
pub static CREATE_WRITE_LAYER: Act<Answers, PathBuf, Returned> = Act {
    name: "create_write_layer",
    function: "create_write_layer",
    perform: |answers, workspace| (answers.create_write_layer)(&workspace).map_err(Failure::from),
};

/// In a workspace, on an image, with `user_xattr` or without.
pub static CREATE_MOUNT_POINT: Act<Answers, (PathBuf, PathBuf, bool), Returned> = Act {
    name: "create_mount_point",
    function: "create_mount_point",
    perform: |answers, (workspace, image, user_xattr)| {
        (answers.create_mount_point)(&workspace, &image, user_xattr).map_err(Failure::from)
    },
};

/// The same with AUFS, which knows no `user_xattr`.
pub static CREATE_AUFS_MOUNT_POINT: Act<Answers, (PathBuf, PathBuf, bool), Returned> = Act {
    name: "create_aufs_mount_point",
    function: "create_aufs_mount_point",
    perform: |answers, (workspace, image, _)| {
        (answers.create_aufs_mount_point)(&workspace, &image).map_err(Failure::from)
    },
};

/// Tells what is in predictions.toml.
pub static PREDICTIONS: Act<Answers, (), String> = Act {
    name: "predictions.toml",
    function: "predictions.toml",
    perform: |answers, ()| answers.predictions.to_owned(),
};

/// What an overlay is made of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Layers {
    /// The layers that are only read, the topmost first.
    pub lower: Vec<OsString>,
    /// The write layer.
    pub upper: OsString,
    /// overlayfs's own directory.
    pub work: OsString,
    /// Whether the marks are in user.* attributes.
    pub user_xattr: bool,
}

/// What AUFS merges.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Branches {
    /// The writable branch.
    pub write: OsString,
    /// The others, the topmost first.
    pub read_only: Vec<OsString>,
}

/// A layer to be rewritten.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Layer {
    /// Its directory.
    pub layer: PathBuf,
    /// Whether the marks are in user.* attributes.
    pub user_xattr: bool,
}

/// The error for a path.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Refusal {
    /// The error.
    pub failure: Failure,
    /// Whether it is of the kind that was asked for.
    pub is_invalid_input: bool,
}

impl From<io::Error> for Refusal {
    fn from(error: io::Error) -> Refusal {
        let is_invalid_input = error.kind() == io::ErrorKind::InvalidInput;
        Refusal { failure: error.into(), is_invalid_input }
    }
}
