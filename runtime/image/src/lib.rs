//! The image store: `ROOT/images/NAME/` holds `image.json` and `layers/00`,
//! `layers/01`, …, of which 00 is the bottom one. A layer that an image has from
//! another one is a link to it: `layers/00 -> ../../OTHER/layers/00`.
//!
//! An image exists if and only if its folder does. A running container holds a
//! shared lock on the folder, so that nobody removes the image under its feet.

mod allowance;
mod archive;
mod closed;
mod commit;
mod compression;
mod draft;
mod export;
mod import;
mod layer;
mod leftovers;
mod meaning;
mod notes;
mod on_disk;
mod progress;
pub mod stack;
mod tar;
mod tree;
pub mod whiteout;

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, OFlag, RenameFlags, renameat2};
use serde::{Deserialize, Serialize};

pub use commit::{Changes, Committed, commit};
pub use export::{Exported, Format, export};
pub use import::{ImportOptions, Summary, import};
pub use leftovers::{Cleared, clear_leftovers};
use whiteout::{WhiteoutForm, XattrNamespace};

use mydocker_kernel::delete::delete_tree;
use mydocker_kernel::lock::{FlockOperation, Lock};
use mydocker_kernel::{Error, OnPath, Result, if_there, store_file};

/// The layout of an image's folder that this program writes and reads.
const FORMAT: u32 = 1;

/// What `image.json` says of an image.
#[derive(Debug, Serialize, Deserialize)]
struct Manifest {
    format: u32,
    /// The archive that it was imported from, or the container.
    source: String,
    /// In seconds since 1970.
    imported: u64,
    layers: usize,
    entries: u64,
    bytes: u64,
    whiteouts: WhiteoutForm,
    xattrs: XattrNamespace,
    env: Vec<String>,
    working_dir: Option<String>,
}

/// An image, as a list of all images shows it.
#[derive(Debug, PartialEq, Eq)]
pub struct Listed {
    /// The name under which it was imported.
    pub name: String,
    /// How many layers it has; 0 if its `image.json` is damaged.
    pub layers: usize,
    /// How many bytes the files in its layers have.
    pub bytes: u64,
    /// When it was imported, in seconds since 1970.
    pub imported: u64,
}

/// An image that is in use: as long as this lives, it cannot be removed.
#[derive(Debug)]
pub struct Image {
    name: String,
    folder: PathBuf,
    manifest: Manifest,
    lock: Lock,
}

impl Image {
    /// Opens the image `name` and locks it against removal.
    ///
    /// # Errors
    /// There is no such image, or it is damaged.
    pub fn open(root: &Path, name: &str) -> Result<Image> {
        let folder = folder(root, name)?;
        // A lock that cannot be had is held by whoever is removing the image.
        let Some(lock) = lock(&folder, FlockOperation::NonBlockingLockShared)? else {
            return Err(missing(root, name));
        };
        let manifest = read_manifest(&folder)?;
        let folder = folder.canonicalize().on("realpath", &folder)?;
        let image = Image { name: name.into(), folder, manifest, lock };
        // One by one: a damaged record may tell of more than fit into memory.
        for layer in (0..image.manifest.layers).map(|number| image.layer(number)) {
            let there = if_there(layer.metadata()).on("stat", &layer)?;
            if !there.is_some_and(|there| there.is_dir()) {
                return Err(damaged(&image.folder, format!("there is no directory {layer:?}")));
            }
        }
        Ok(image)
    }

    /// The name under which it was imported.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The folder that holds `image.json` and the layers, as an absolute path.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The descriptor that keeps the image from being removed, while it is open.
    pub fn lock(&self) -> RawFd {
        self.lock.0.as_raw_fd()
    }

    /// The layers, topmost first, as absolute paths.
    pub fn layers(&self) -> Vec<PathBuf> {
        (0..self.manifest.layers).rev().map(|number| self.layer(number)).collect()
    }

    /// The environment that the image wants, `NAME=VALUE` each.
    pub fn env(&self) -> &[String] {
        &self.manifest.env
    }

    /// The directory in which the image wants its command to start.
    pub fn working_dir(&self) -> Option<&str> {
        self.manifest.working_dir.as_deref()
    }

    /// How the layers say that a file of a lower one is deleted.
    pub fn whiteouts(&self) -> WhiteoutForm {
        self.manifest.whiteouts
    }

    /// Whether opaque directories have `user.*` attributes, which count only
    /// in an overlay mounted with the option `userxattr`.
    pub fn has_user_xattrs(&self) -> bool {
        self.manifest.xattrs == XattrNamespace::User
    }

    fn layer(&self, number: usize) -> PathBuf {
        self.folder.join(layer_path(number))
    }
}

/// The images there are, sorted by name.
///
/// # Errors
/// The folder of the images cannot be read.
pub fn list(root: &Path) -> Result<Vec<Listed>> {
    let names = names(root)?.into_iter().filter(|name| is_name(name));
    let listed = |name: String| match read_manifest(&images(root).join(&name)) {
        Ok(Manifest { layers, bytes, imported, .. }) => Listed { name, layers, bytes, imported },
        // `Image::open` says what is wrong with it.
        Err(_) => Listed { name, layers: 0, bytes: 0, imported: 0 },
    };
    Ok(names.map(listed).collect())
}

/// Removes an image for good. `used_by` names the containers, running or kept,
/// whose files lie on this image.
///
/// # Errors
/// There is no such image, a container uses it, or it cannot be deleted.
pub fn remove(root: &Path, name: &str, used_by: &[String]) -> Result<()> {
    let folder = folder(root, name)?;
    if !folder.is_dir() {
        return Err(missing(root, name));
    }
    if !used_by.is_empty() {
        return Err(Error::new(format!("the image {name:?} cannot be removed"))
            .because(format!("containers use it, running or kept: {}", used_by.join(", ")))
            .advise("end them; what is kept is cleared by: mydocker prune --kept"));
    }
    let Some(lock) = lock(&folder, FlockOperation::NonBlockingLockExclusive)? else {
        return Err(Error::new(format!("the image {name:?} cannot be removed"))
            .because("it is in use by a running container")
            .advise("end that container first"));
    };
    // Whoever commits holds the lock of the image below until the new one is there.
    commit::require_unshared(name, &commit::sharing(&images(root), &names(root)?, name)?)?;
    // A rename is whole or not at all: after a kill the image is still there
    // or is a leftover, never half an image. No other folder has the inode
    // number of this one, so the name is free.
    let inode = lock.0.metadata().on("fstat", &folder)?.ino();
    let removed = images(root).join(format!("{}{name}-{inode}", leftovers::REMOVE));
    rename(&folder, &removed)?;
    delete_tree(&removed).map_err(|error| {
        error.after(format_args!("{name} is no image any more, but not all of it is deleted: "))
    })
}

fn images(root: &Path) -> PathBuf {
    root.join("images")
}

/// The folder of the image `name`, whether it is there or not.
fn folder(root: &Path, name: &str) -> Result<PathBuf> {
    check_name(name, "image")?;
    Ok(images(root).join(name))
}

/// The path of a layer inside its image's folder; 0 is the bottom one.
fn layer_path(number: usize) -> String {
    format!("layers/{number:02}")
}

/// All names in the folder of the images, sorted; none if there is no folder.
fn names(root: &Path) -> Result<Vec<String>> {
    let folder = images(root);
    let entries = match std::fs::read_dir(&folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.on("opendir", &folder)?,
    };
    let mut names = Vec::new();
    for entry in entries {
        // A name that is not UTF-8 is nothing of ours.
        names.extend(entry.on("readdir", &folder)?.file_name().into_string());
    }
    names.sort();
    Ok(names)
}

/// Checks that `name` can be the name of a `what`: image or container.
///
/// # Errors
/// Says what is wrong with it.
pub fn check_name(name: &str, what: &str) -> Result<()> {
    if is_name(name) {
        return Ok(());
    }
    let error = Error::new(format!("{name:?} is no valid {what} name")).because(
        "a name has up to 128 of the characters A-Z a-z 0-9 _ . - and begins with none of _ . -",
    );
    // Docker's habit: busybox:latest, library/busybox.
    let plain = name.rsplit('/').next().and_then(|last| last.split(':').next()).unwrap_or("");
    Err(match is_name(plain) {
        true => error.advise(format!("there are no tags and no registries here: try {plain}")),
        false => error,
    })
}

fn is_name(name: &str) -> bool {
    name.len() <= 128
        && name.starts_with(|first: char| first.is_ascii_alphanumeric())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte))
}

fn missing(root: &Path, name: &str) -> Error {
    let mut there = names(root).unwrap_or_default();
    there.retain(|name| is_name(name));
    Error::new(format!("there is no image {name:?}"))
        .because(match there.as_slice() {
            [] => format!("{:?} has no images yet", images(root)),
            there => format!("the images in {:?} are: {}", images(root), there.join(", ")),
        })
        .advise(format!("mydocker image import {name} FILE"))
}

fn damaged(folder: &Path, why: String) -> Error {
    let name = folder.file_name().unwrap_or_default().display();
    Error::new(format!("the image {name} is damaged")).because(why).advise(format!(
        "import it again: mydocker image rm {name}; mydocker image import {name} FILE"
    ))
}

fn read_manifest(folder: &Path) -> Result<Manifest> {
    let path = folder.join("image.json");
    let text = store_file::read(&path)?
        .ok_or_else(|| damaged(folder, format!("there is no file {path:?}")))?;
    let manifest: Manifest = serde_json::from_slice(&text)
        .map_err(|error| damaged(folder, format!("{path:?}: {error}")))?;
    if manifest.format != FORMAT {
        let format = manifest.format;
        return Err(damaged(folder, format!("{path:?} is of format {format}, and not {FORMAT}")));
    }
    Ok(manifest)
}

/// Opens a folder and locks it without waiting. `None` if it is not there
/// (any more), or if somebody else's lock forbids it.
fn lock(folder: &Path, how: FlockOperation) -> Result<Option<Lock>> {
    let flags = (OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW).bits();
    let opened = match File::options().read(true).custom_flags(flags).open(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        opened => opened.on("open", folder)?,
    };
    let locked = match Lock::take(opened, how) {
        Err(Errno::EWOULDBLOCK) => return Ok(None),
        locked => locked.on("flock", folder)?,
    };
    Ok(locked.is_on(folder)?.then_some(locked))
}

/// Renames a folder to a name that must be free.
fn rename(from: &Path, to: &Path) -> Result<()> {
    renameat2(AT_FDCWD.as_fd(), from, AT_FDCWD.as_fd(), to, RenameFlags::RENAME_NOREPLACE)
        .on("renameat2", to)
}
