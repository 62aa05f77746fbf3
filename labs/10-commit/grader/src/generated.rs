//! Generated worlds: a write layer on some layers.

use std::path::PathBuf;

use arbitrary::{Result, Unstructured};

use crate::oracle::World;
use crate::world::{Node, Tree, What, directory, file, link_to, name_of, opaque, tree, whiteout};

/// Names that come up in every layer, so that layers meet.
const NAMES: [&str; 5] = ["a", "b", "a-b", "\u{e4}", "c"];

/// A world.
///
/// # Errors
/// There are no more choices.
pub fn any_world(choices: &mut Unstructured) -> Result<World> {
    let mut write = layer(choices)?;
    write.insert(PathBuf::from("zz-plain"), file("new"));
    let below = (0..choices.int_in_range(0..=3u8)?).map(|_| layer(choices));
    Ok(World { write, below: below.collect::<Result<_>>()? })
}

/// A write layer, with files of several names in it.
///
/// # Errors
/// There are no more choices.
pub fn any_write_layer(choices: &mut Unstructured) -> Result<Tree> {
    let mut write = layer(choices)?;
    write.insert(PathBuf::from("zz-plain"), file("new"));
    let files = write.iter().filter(|(_, node)| matches!(node.what, What::File(_)));
    let files: Vec<PathBuf> = files.map(|(path, _)| path.clone()).collect();
    for first in files {
        if choices.ratio(1, 3)? {
            let path = first.with_file_name(choices.choose(&["zz", "zy"])?);
            // The first of the names is that of the file.
            if path > first {
                write.entry(path).or_insert_with(|| name_of(first));
            }
        }
    }
    Ok(write)
}

fn layer(choices: &mut Unstructured) -> Result<Tree> {
    let nodes =
        labkit::generated::list(choices, 8, |choices| Ok((path(choices)?, node(choices)?)))?;
    let mut layer = Tree::new();
    for (path, node) in nodes {
        let is_below_a_file = path
            .ancestors()
            .skip(1)
            .any(|it| layer.get(it).is_some_and(|node: &Node| node.what != What::Directory));
        // What exists already stays.
        if !is_below_a_file && !layer.contains_key(&path) {
            for (path, node) in tree([(path, node)]) {
                layer.entry(path).or_insert(node);
            }
        }
    }
    Ok(layer)
}

fn path(choices: &mut Unstructured) -> Result<PathBuf> {
    let depth = choices.int_in_range(1..=3u8)?;
    (0..depth).map(|_| choices.choose(&NAMES).copied()).collect()
}

fn node(choices: &mut Unstructured) -> Result<Node> {
    Ok(match choices.int_in_range(0..=7u8)? {
        0 | 1 => file(""),
        2 => whiteout(),
        3 => directory(),
        4 => opaque(),
        5 => directory().with_mode(0o700),
        6 => link_to("a"),
        _ => file("other"),
    })
}
