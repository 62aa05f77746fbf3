//! From the write layer of a container to a new image.

use std::collections::BTreeSet;
use std::fs::File;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use super::allowance::Allowance;
use super::closed::Closed;
use super::draft::{Draft, now, require_free_name};
use super::layer_path;
use super::on_disk::{Item, read_layer};
use super::stack::Stack;
use super::tree::{Attributes, Tree, copy_data};
use super::whiteout::{WhiteoutForm, XattrNamespace};
use super::{FORMAT, Image, Manifest};
use crate::notes;
use mydocker_kernel::limit::Limit;
use mydocker_kernel::{Error, OnPath, Result};

/// What a container changed.
#[derive(Debug)]
pub struct Changes<'a> {
    /// The container, in words.
    pub source: String,
    /// Its write layer.
    pub write_layer: &'a Path,
    /// Its container-init layer: the files in it belong to one container, and are no
    /// part of an image even where it has changed them.
    pub init_layer: &'a Path,
    /// How the write layer says what it deletes.
    pub form: WhiteoutForm,
}

/// What was committed.
#[derive(Debug)]
pub struct Committed {
    /// How many layers the image has.
    pub layers: usize,
    /// How many entries the new one has.
    pub entries: u64,
    /// What is not as in the container, a sentence each.
    pub warnings: Vec<String>,
}

/// Makes the image `name`: the layers of `base`, which are shared and not copied, and
/// `changes` as a new one on top of them. A folder of one layer of many images is a
/// symbolic link in all but the first.
///
/// # Errors
/// There is such an image already; a file cannot be read or made. No image is made then.
pub fn commit(root: &Path, name: &str, base: &Image, changes: &Changes) -> Result<Committed> {
    require_free_name(root, name)?;
    let draft = Draft::begin(root, name)?;
    let number = base.manifest.layers;
    for shared in 0..number {
        let link = draft.folder.join(layer_path(shared));
        symlink(shared_layer(&base.layer(shared))?, &link).on("symlink", &link)?;
    }

    let lower = Stack { directories: base.layers(), form: changes.form };
    let allowance = Allowance::new(Limit::Max);
    let mut closed = Closed::default();
    let folder = draft.folder.join(layer_path(number));
    let mut tree = Tree::create(&folder, &lower, &changes.source, &allowance, &mut closed)?;
    let of_the_container = names_of_files(changes.init_layer)?;
    let (mut entries, mut bytes, mut sockets) = (0, 0, 0);
    read_layer(changes.write_layer, changes.form, &mut |path, item, attributes| {
        if of_the_container.contains(path) && !matches!(item, Item::Directory) {
            return Ok(());
        }
        entries += 1;
        match item {
            Item::File(_, size) => bytes += size,
            Item::Socket => sockets += 1,
            _ => {}
        }
        add(&mut tree, path, item, attributes)
    })?;
    tree.write_deletions(changes.form)?;
    let left_out = tree.finish()?;
    closed.close()?;

    draft.describe(&Manifest {
        format: FORMAT,
        source: changes.source.clone(),
        imported: now(),
        layers: number + 1,
        entries: base.manifest.entries + entries,
        bytes: base.manifest.bytes.saturating_add(bytes),
        whiteouts: changes.form,
        xattrs: XattrNamespace::current()?,
        env: base.env().to_vec(),
        working_dir: base.working_dir().map(str::to_owned),
    })?;
    draft.become_image()?;
    let warnings = notes::of_commit(left_out, sockets);
    Ok(Committed { layers: number + 1, entries, warnings })
}

fn add(tree: &mut Tree, path: &Path, item: Item, attributes: Attributes) -> Result<()> {
    match item {
        Item::Directory => tree.make_directory(path, attributes),
        Item::File(mut from, _) => {
            tree.make_file(path, &attributes, |to| copy(&mut from, to, path))
        }
        Item::Symlink(target) => tree.make_symlink(path, &attributes, &target),
        Item::HardLink(first) => tree.make_hard_link(path, &first),
        Item::Node(kind, number) => tree.make_node(path, &attributes, kind, number),
        Item::Deleted => tree.delete(path.to_owned()),
        Item::Emptied => {
            tree.delete_contents(path.to_owned());
            Ok(())
        }
        Item::Socket => Ok(()),
    }
}

/// Holes stay holes.
fn copy(from: &mut File, to: &mut File, path: &Path) -> Result<()> {
    let metadata = from.metadata().on("fstat", path)?;
    copy_data(from, to, &metadata, |part| part).on("copy", path)
}

/// The link that a layer's folder becomes in another image: `../../BASE/layers/03`.
fn shared_layer(layer: &Path) -> Result<PathBuf> {
    // It may be shared already; so no link leads to a link.
    let real = layer.canonicalize().on("realpath", layer)?;
    let mut names: Vec<_> = real.iter().rev().take(3).collect();
    names.reverse();
    Ok([Path::new(".."), Path::new("..")].into_iter().chain(names.iter().map(Path::new)).collect())
}

/// The images that share a layer of the image in `folder`, by their names.
///
/// # Errors
/// The folder of the images cannot be read.
pub fn sharing(images: &Path, names: &[String], name: &str) -> Result<Vec<String>> {
    let mut sharing = Vec::new();
    for other in names.iter().filter(|other| *other != name) {
        let layers = images.join(other).join("layers");
        // It may be removed at this moment.
        let Ok(entries) = std::fs::read_dir(&layers) else { continue };
        for entry in entries {
            let layer = entry.on("readdir", &layers)?.path();
            let leads_here = |target: PathBuf| target.iter().nth(2).is_some_and(|it| it == name);
            if std::fs::read_link(&layer).is_ok_and(leads_here) {
                sharing.push(other.clone());
                break;
            }
        }
    }
    Ok(sharing)
}

/// The files of a layer, but its directories.
fn names_of_files(layer: &Path) -> Result<BTreeSet<PathBuf>> {
    let mut names = BTreeSet::new();
    read_layer(layer, WhiteoutForm::Overlay, &mut |path, item, _| {
        if !matches!(item, Item::Directory) {
            names.insert(path.to_owned());
        }
        Ok(())
    })?;
    Ok(names)
}

/// An image on which others lie cannot be removed.
///
/// # Errors
/// Names them.
pub fn require_unshared(name: &str, sharing: &[String]) -> Result<()> {
    if sharing.is_empty() {
        return Ok(());
    }
    Err(Error::new(format!("the image {name:?} cannot be removed"))
        .because(format!(
            "images that were committed from it share its layers: {}",
            sharing.join(", ")
        ))
        .advise("remove those first: mydocker image rm NAME"))
}
