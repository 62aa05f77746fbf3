//! What a write layer changes, by the lists of what is in the layers. Nothing is read
//! from a disk here.

use std::collections::HashMap;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use crate::acts::Told;
use crate::world::{Node, Tree, What};

/// A write layer and the layers below it, the topmost first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct World {
    pub write: Tree,
    pub below: Vec<Tree>,
}

/// What the layers below show at a path.
#[derive(Debug)]
pub enum Below<'a> {
    Nothing,
    /// A file of whatever kind.
    File,
    /// The directories of that path that are merged, the topmost first.
    Directories(Vec<&'a Node>),
}

impl World {
    /// All changes, in their order.
    pub fn changes(&self) -> Vec<Told> {
        let mut first_names: HashMap<&Path, &Path> = HashMap::new();
        let mut changes = Vec::new();
        for (path, node) in &self.write {
            let below = if self.is_cut_off(path) { Below::Nothing } else { self.below(path) };
            let Some(kind) = kind(node, &below) else { continue };
            let file = match &node.what {
                What::Link(first) => first.as_path(),
                _ => path.as_path(),
            };
            let first = first_names.entry(file).or_insert(path);
            let hard_link = (*first != path).then(|| bytes(first));
            changes.push(Told { path: bytes(path), kind, hard_link });
        }
        changes
    }

    /// Whether a directory of the write layer lets nothing of the layers below show at
    /// this path.
    pub fn is_cut_off(&self, path: &Path) -> bool {
        let mut parents = path.ancestors().skip(1).filter(|it| *it != Path::new(""));
        parents.any(|parent| {
            self.write.get(parent).is_some_and(Node::is_opaque)
                || !matches!(self.below(parent), Below::Directories(_))
        })
    }

    /// What the layers below show at a path.
    pub fn below(&self, path: &Path) -> Below<'_> {
        let mut merged: Vec<&Tree> = self.below.iter().collect();
        let mut nodes = Vec::new();
        let mut here = PathBuf::new();
        for name in path {
            here.push(name);
            nodes.clear();
            let mut next = Vec::new();
            for layer in merged {
                let Some(node) = layer.get(&here) else { continue };
                if node.what != What::Directory {
                    if next.is_empty() && node.what != What::Whiteout {
                        return if here == path { Below::File } else { Below::Nothing };
                    }
                    break;
                }
                next.push(layer);
                nodes.push(node);
                if node.is_opaque() {
                    break;
                }
            }
            if next.is_empty() {
                return Below::Nothing;
            }
            merged = next;
        }
        Below::Directories(nodes)
    }
}

fn kind(node: &Node, below: &Below) -> Option<char> {
    match (&node.what, below) {
        (What::Whiteout, Below::Nothing) => None,
        (What::Whiteout, _) => Some('D'),
        (_, Below::Nothing) => Some('A'),
        (What::Directory, Below::Directories(_)) if node.is_opaque() => Some('E'),
        (What::Directory, Below::Directories(below)) => {
            let is_same = (node.mode, node.mtime) == (below[0].mode, below[0].mtime);
            (!is_same).then_some('C')
        }
        _ => Some('C'),
    }
}

fn bytes(path: &Path) -> Vec<u8> {
    path.as_os_str().as_bytes().to_vec()
}
