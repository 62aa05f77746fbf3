//! What is kept of a run.

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use crate::checkout;

/// The steps of a run: `figures/run.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// In the order in which they are told.
    pub steps: Vec<Step>,
}

/// One step, with what is mounted after it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// Who does it.
    pub side: Side,
    /// Its name in the trace.
    pub step: String,
    /// The kernel calls.
    pub calls: Vec<String>,
    /// The mount table of this side.
    pub mounts: Vec<Mount>,
    /// The files of the workspace, where the figure is about them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<String>,
}

/// Who does a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    /// mydocker itself, in the host's mount namespace; and the keeper, which stays there.
    #[serde(alias = "keeper")]
    Parent,
    /// The container's PID 1, in its own.
    Container,
}

/// One mount.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mount {
    /// The same in all steps.
    pub id: usize,
    /// The mount that it is on; none for the lowest.
    pub parent: Option<usize>,
    /// Where it is mounted, as its side sees it.
    pub at: String,
    /// The file system, and which part of it: `tmpfs[/null]`.
    pub what: String,
    /// Of this mount alone.
    pub options: String,
    /// `shared:1`, `private` …
    pub propagation: String,
    /// Whether it is one of the host's, or a copy of one.
    pub of_host: bool,
}

/// What lies in the layers before and after a command: `figures/whiteout.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Layers {
    /// The first is before any command.
    pub states: Vec<State>,
}

/// The layers after a command of the container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// What the container ran; none at first.
    pub command: Option<String>,
    /// Each layer, from the merged view down to the image.
    pub layers: Vec<Layer>,
}

/// One layer, or the merged view.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Layer {
    /// `mnt`, `write-layer`, `init-layer`, `image`.
    pub name: String,
    /// What is there of the paths that the figure shows.
    pub entries: Vec<Entry>,
}

/// One path in one layer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// As the container names it.
    pub path: String,
    /// What it is.
    pub kind: Kind,
    /// Which contents: the same letter, the same bytes. Empty for a folder.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub contents: String,
}

/// What a path is in a layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A regular file.
    File,
    /// A folder.
    Folder,
    /// A folder that hides the one below it: `trusted.overlay.opaque` is `y`.
    Opaque,
    /// A device 0:0, which hides what is below it.
    Whiteout,
}

/// A recording as it is kept in `book/figures`.
///
/// # Errors
/// There is none of this name, or it is damaged.
pub fn read<T: serde::de::DeserializeOwned>(name: &str) -> Result<T> {
    let path = checkout::book().join("figures").join(name).with_extension("json");
    let text = checkout::read(&path)?;
    serde_json::from_str(&text).with_context(|| format!("in {}", path.display()))
}
