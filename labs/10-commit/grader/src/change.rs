//! What a write layer changes: the types that the lab's functions speak of.

use std::path::PathBuf;

/// How a path of the write layer changes the layers below.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The layers below do not have it.
    Added,
    /// The layers below have it, or something else of that name.
    Changed,
    /// A directory that the layers below have too, and that hides all they have in it.
    Emptied,
    /// The layers below have it, and the write layer has a whiteout of that name.
    Deleted,
}

/// One path that a write layer changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// How it is changed.
    pub kind: Kind,
    /// The path from the top of the write layer, `root/notes`.
    pub path: PathBuf,
    /// If an earlier change is another name of this file: the path of the first one.
    pub hard_link: Option<PathBuf>,
}
