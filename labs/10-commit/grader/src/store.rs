//! A directory of images, and what is in it after a call.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{Seek, SeekFrom, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt, symlink};
use std::path::{Path, PathBuf};

use labkit::describe::exact;
use labkit::host::Host;
use nix::sys::memfd::{MFdFlags, memfd_create};
use tar::{Builder, EntryType, Header};

use crate::acts::Making;
use crate::world::{TIME, Tree, What, file, lay, tree};

/// What `image.json` of the image below says.
pub const CONFIGURATION: &str = "{\"env\": [\"PATH=/bin\"], \"working_dir\": \"/srv\"}\n";

/// The name of the new image.
pub const NEW: &str = "new";

/// In which images the layers of `base` are directories.
pub const OWNERS: [&str; 2] = ["base", "base"];

/// A directory of images.
pub struct Store {
    pub images: PathBuf,
    /// What was in it.
    before: BTreeMap<String, String>,
}

/// What the new image is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    Nothing,
    /// It exists, and this is wrong with it.
    Wrong(Vec<Fault>),
    Right,
}

impl Found {
    /// For a reader.
    pub fn shown(&self) -> String {
        match self {
            Found::Nothing => "nothing".to_owned(),
            Found::Right => "a whole image".to_owned(),
            Found::Wrong(faults) => faults.iter().map(Fault::shown).collect::<Vec<_>>().join(", "),
        }
    }
}

/// What can be wrong with an image.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    NoDirectory,
    NoLayer(String),
    /// A layer below is the new one.
    Misplaced(String),
    /// A layer below is a copied directory.
    Copied(String),
    /// The link to a layer is an absolute one.
    Absolute(String),
    /// It leads to another link.
    ToALink(String),
    /// It leads nowhere, or to another layer.
    Elsewhere(String, String),
    /// There is more than that.
    More(String),
    /// The new layer lacks this, or has it otherwise.
    Layer(String),
    Configuration(String),
}

impl Fault {
    pub fn shown(&self) -> String {
        match self {
            Fault::NoDirectory => "not a directory".to_owned(),
            Fault::Misplaced(layer) => format!("layers/{layer} is the new layer"),
            Fault::Copied(layer) => format!("layers/{layer} is a directory"),
            Fault::Absolute(target) | Fault::ToALink(target) => format!("a link to {target}"),
            Fault::Elsewhere(layer, target) => format!("layers/{layer} -> {target}"),
            Fault::NoLayer(layer) => format!("no layers/{layer}"),
            Fault::More(name) => format!("also {name}"),
            Fault::Layer(path) => format!("in the new layer: {path}"),
            Fault::Configuration(seen) => format!("image.json: {seen}"),
        }
    }
}

impl Store {
    /// One with the image `base`, of two layers.
    pub fn new(host: &Host, name: &str) -> Store {
        Store::with(host, name, |_| ())
    }

    /// One that has more, which `lay` adds to its directory of images.
    pub fn with(host: &Host, name: &str, lay: impl FnOnce(&Path)) -> Store {
        Store::at(&host.path(name), lay)
    }

    /// The same, in the new directory `place`.
    pub fn at(place: &Path, lay: impl FnOnce(&Path)) -> Store {
        let images = place.join("images");
        add_image(&images, "base", 2);
        // A name that begins the same.
        add_image(&images, "new-too", 1);
        lay(&images);
        Store { before: look(&images), images }
    }

    pub fn making(&self, base: &str, name: &str) -> Making {
        let images = self.images.clone().into_os_string();
        Making { images, base: base.to_owned(), name: name.to_owned() }
    }

    /// Names that were not there, that of `image` left out; and those that were, of what is
    /// not as it was.
    pub fn differences(&self, image: &str) -> (Vec<String>, Vec<String>) {
        let now = look(&self.images);
        let is_new = |name: &&String| !self.before.contains_key(*name) && *name != image;
        let is_other = |(name, was): &(&String, &String)| now.get(*name) != Some(*was);
        let new = now.keys().filter(is_new).map(|name| without_chance(name)).collect();
        (new, self.before.iter().filter(is_other).map(|(name, _)| name.clone()).collect())
    }

    /// What the image `name` is, which was made of `base` and [`archive`]; `owners` are
    /// the images in which the layers below are directories, from the bottom.
    pub fn find(&self, name: &str, owners: &[&str]) -> Found {
        let image = self.images.join(name);
        let Ok(metadata) = image.symlink_metadata() else { return Found::Nothing };
        if !metadata.is_dir() {
            return Found::Wrong(vec![Fault::NoDirectory]);
        }
        let mut faults = Vec::new();
        for (number, owner) in owners.iter().enumerate() {
            faults.extend(self.fault_of_shared(&image, number, owner));
        }
        let number = layer_name(owners.len());
        let top = image.join("layers").join(&number);
        match top.symlink_metadata() {
            Ok(it) if it.is_dir() => {
                faults.extend(fault_of_new(&top).map(|it| Fault::Layer(it.to_owned())));
            }
            _ => faults.push(Fault::NoLayer(number)),
        }
        for (number, name) in names(&image.join("layers")).iter().enumerate() {
            if number > owners.len() {
                faults.push(Fault::More(format!("layers/{name}")));
            }
        }
        for name in names(&image) {
            if !["layers", "image.json"].contains(&name.as_str()) {
                faults.push(Fault::More(name));
            }
        }
        match fs::read_to_string(image.join("image.json")) {
            Ok(text) if text == CONFIGURATION => {}
            Ok(text) => faults.push(Fault::Configuration(format!("{text:?}"))),
            Err(_) => faults.push(Fault::Configuration("-".to_owned())),
        }
        faults.sort();
        if faults.is_empty() { Found::Right } else { Found::Wrong(faults) }
    }

    fn fault_of_shared(&self, image: &Path, number: usize, owner: &str) -> Option<Fault> {
        let layer = layer_name(number);
        let link = image.join("layers").join(&layer);
        let Ok(metadata) = link.symlink_metadata() else { return Some(Fault::NoLayer(layer)) };
        if !metadata.is_symlink() {
            return Some(match fault_of_new(&link) {
                None => Fault::Misplaced(layer),
                Some(_) => Fault::Copied(layer),
            });
        }
        let target = link.read_link().unwrap_or_default();
        let shown = target.display().to_string();
        if target.is_absolute() {
            return Some(Fault::Absolute(shown));
        }
        let leads_to = link.parent().expect("a layer is in a directory").join(&target);
        if leads_to.symlink_metadata().is_ok_and(|it| it.is_symlink()) {
            return Some(Fault::ToALink(shown));
        }
        let must = self.images.join(owner).join("layers").join(&layer);
        let inode = |path: &Path| path.metadata().ok().map(|it| (it.dev(), it.ino()));
        let is_it = inode(&leads_to).is_some() && inode(&leads_to) == inode(&must);
        // By way of the image's directory, and nothing that is above it.
        let is_inside = target.components().filter(|it| it.as_os_str() == "..").count() == 2;
        (!is_it || !is_inside).then_some(Fault::Elsewhere(layer, shown))
    }
}

/// A name without the letters that mkdtemp(3) has chosen: `.new-XXXXXX`.
fn without_chance(name: &str) -> String {
    let is_chosen = |end: &str| end.len() == 6 && end.bytes().all(|it| it.is_ascii_alphanumeric());
    match name.rsplit_once(['-', '.']) {
        Some((begin, end)) if is_chosen(end) => format!("{}XXXXXX", &name[..begin.len() + 1]),
        _ => name.to_owned(),
    }
}

fn layer_name(number: usize) -> String {
    format!("{number:02}")
}

/// Adds an image with `count` layers, all its own.
pub fn add_image(images: &Path, name: &str, count: usize) {
    for number in 0..count {
        let of = format!("of layer {number} of {name}");
        let layer = tree([("etc/hosts".to_owned(), file(&of)), (format!("n{number}"), file(of))]);
        lay(&layer, &images.join(name).join("layers").join(layer_name(number)));
    }
    fs::write(images.join(name).join("image.json"), CONFIGURATION).expect("the scratch directory");
}

/// Adds an image that shares the layers of `below` and has one of its own.
pub fn add_shared(images: &Path, name: &str, below: &str, count: usize) {
    add_image(images, name, count + 1);
    for number in (0..count).map(layer_name) {
        let link = images.join(name).join("layers").join(&number);
        fs::remove_dir_all(&link).expect("the scratch directory");
        symlink(format!("../../{below}/layers/{number}"), link).expect("the scratch directory");
    }
}

/// What is in the directory of images: each name, and all that is said of its files.
fn look(images: &Path) -> BTreeMap<String, String> {
    let look = |name: String| {
        let exact = exact(&images.join(&name)).unwrap_or_default();
        (name, exact)
    };
    names(images).into_iter().map(look).collect()
}

/// The names in a directory, sorted.
pub fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let mut names: Vec<String> =
        entries.map(|it| it.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// What is in the new layer.
fn new_layer() -> Tree {
    tree([("etc/hosts", file("changed")), ("root/notes", file(vec![b'n'; 20_000]))])
}

/// The archive of the new layer: files, and a whiteout of `n0`.
pub fn archive() -> Vec<u8> {
    let mut builder = Builder::new(Vec::new());
    let mut add = |name: &str, kind, content: &[u8]| {
        let mut header = Header::new_gnu();
        header.set_entry_type(kind);
        header.set_mode(0o755);
        header.set_mtime(TIME.0 as u64);
        header.set_size(content.len() as u64);
        builder.append_data(&mut header, name, content).expect("memory");
    };
    for (path, node) in new_layer() {
        let name = path.display().to_string();
        match node.what {
            What::File(content) => add(&name, EntryType::Regular, &content),
            _ => add(&name, EntryType::Directory, b""),
        }
    }
    add(".wh.n0", EntryType::Regular, b"");
    builder.into_inner().expect("memory")
}

/// An archive as an answer is given it.
pub fn as_descriptor(archive: &[u8]) -> OwnedFd {
    let mut file = File::from(memfd_create("layer.tar", MFdFlags::MFD_CLOEXEC).expect("memory"));
    file.write_all(archive).expect("memory");
    file.seek(SeekFrom::Start(0)).expect("memory");
    file.into()
}

/// The first path of the new layer that is not as it must be.
fn fault_of_new(top: &Path) -> Option<&'static str> {
    let is = |path: &str, content: &[u8]| fs::read(top.join(path)).is_ok_and(|it| it == content);
    if !is("etc/hosts", b"changed") {
        return Some("etc/hosts");
    }
    if !is("root/notes", &[b'n'; 20_000]) {
        return Some("root/notes");
    }
    let whiteout = top.join("n0").symlink_metadata();
    let is_whiteout = whiteout.is_ok_and(|it| it.file_type().is_char_device() && it.rdev() == 0);
    if !is_whiteout {
        return Some("n0, a whiteout");
    }
    (names(top) != ["etc", "n0", "root"]).then_some("something else")
}
