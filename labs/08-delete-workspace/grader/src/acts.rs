//! What the student writes, and how it is called. Only this file runs in the
//! process of an answer.

use std::ffi::OsString;
use std::io;
use std::path::Path;

use labkit::act::{Act, Performable};
use labkit::describe::Failure;
use labkit::frame::Returned;

/// A function that the student writes.
pub type Function = fn(&Path) -> io::Result<()>;

/// The functions that the student writes. A mistake is the solution with one of
/// them replaced.
pub struct Answers {
    /// See labs/08-delete-workspace/src/lib.rs, as for the others.
    pub delete_mount_point: Function,
    /// Deletes what the container has written.
    pub delete_write_layer: Function,
    /// Unmounts and deletes everything.
    pub delete_workspace: Function,
}

/// All that an answer can be asked to do.
pub static ACTS: &[&dyn Performable<Answers>] =
    &[&DELETE_MOUNT_POINT, &DELETE_WRITE_LAYER, &DELETE_WORKSPACE];

/// An act on a workspace, whose name may have any bytes in it.
pub type Deletion = Act<Answers, OsString, Returned>;

/// Unmounts, and deletes nothing.
pub static DELETE_MOUNT_POINT: Deletion = Act {
    name: "delete_mount_point",
    function: "delete_mount_point",
    perform: |answers, path| call(answers.delete_mount_point, &path),
};

/// Deletes what the container has written.
pub static DELETE_WRITE_LAYER: Deletion = Act {
    name: "delete_write_layer",
    function: "delete_write_layer",
    perform: |answers, path| call(answers.delete_write_layer, &path),
};

/// Unmounts and deletes everything.
pub static DELETE_WORKSPACE: Deletion = Act {
    name: "delete_workspace",
    function: "delete_workspace",
    perform: |answers, path| call(answers.delete_workspace, &path),
};

fn call(function: Function, workspace: &OsString) -> Returned {
    function(Path::new(workspace)).map_err(Failure::from)
}
