//! An image in the making: a folder that is no image until all of it is there.

use std::fs::{DirBuilder, File};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use nix::sys::stat::{Mode, umask};
use nix::unistd::mkdtemp;

use super::{Manifest, folder, images, leftovers, lock, rename};
use mydocker_kernel::delete::delete_tree;
use mydocker_kernel::folder::make_folder;
use mydocker_kernel::lock::{FlockOperation, Lock};
use mydocker_kernel::{Error, OnPath, Result, if_there};

/// The folder that an image is made in. When this is dropped before it has become
/// the image, it is deleted; should that fail too, the next import does it.
pub struct Draft {
    /// Where `layers/` and `image.json` go.
    pub folder: PathBuf,
    image: PathBuf,
    _lock: Lock,
    _no_umask: NoUmask,
}

impl Draft {
    /// Begins the image `name`, with an empty folder `layers`. All modes in it are
    /// given in full, so the umask is 0 as long as this lives.
    ///
    /// # Errors
    /// As mkdir(2) and mkdtemp(3).
    pub fn begin(root: &Path, name: &str) -> Result<Draft> {
        let image = folder(root, name)?;
        let no_umask = NoUmask::set();
        let images = images(root);
        make_folder(&images, 0o700)?;
        let (folder, lock) = make_draft(&images)?;
        let draft = Draft { folder, image, _lock: lock, _no_umask: no_umask };
        let layers = draft.folder.join("layers");
        DirBuilder::new().mode(0o755).create(&layers).on("mkdir", &layers)?;
        Ok(draft)
    }

    /// Writes `image.json`.
    ///
    /// # Errors
    /// As open(2) and write(2).
    pub fn describe(&self, manifest: &Manifest) -> Result<()> {
        let path = self.folder.join("image.json");
        let json = serde_json::to_vec_pretty(manifest)
            .map_err(|error| Error::new(format!("{path:?} cannot be written: {error}")))?;
        let mut options = File::options();
        options.write(true).create_new(true).mode(0o644);
        let mut file = options.open(&path).on("open", &path)?;
        file.write_all(&json).on("write", &path)
    }

    /// Gives it the name of the image, and so makes it one.
    ///
    /// # Errors
    /// As renameat2(2): EEXIST if there is such an image by now.
    pub fn become_image(self) -> Result<()> {
        rename(&self.folder, &self.image)
    }
}

impl Drop for Draft {
    /// After the rename there is nothing of that name any more.
    fn drop(&mut self) {
        let _ = delete_tree(&self.folder);
    }
}

/// Whether the name of an image is free.
///
/// # Errors
/// It is not, or it is no name of an image.
pub fn require_free_name(root: &Path, name: &str) -> Result<()> {
    let image = folder(root, name)?;
    match if_there(image.symlink_metadata()).on("lstat", &image)? {
        None => Ok(()),
        Some(_) => Err(Error::new(format!("there is an image {name:?} already"))
            .advise(format!("choose another name, or first: mydocker image rm {name}"))),
    }
}

/// Seconds since 1970.
pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs())
}

/// As long as this lives, the umask is 0. It belongs to the whole process, so
/// there is only one image made at a time.
struct NoUmask {
    before: Mode,
    _alone: MutexGuard<'static, ()>,
}

impl NoUmask {
    fn set() -> NoUmask {
        static ALONE: Mutex<()> = Mutex::new(());
        let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        NoUmask { before: umask(Mode::empty()), _alone: alone }
    }
}

impl Drop for NoUmask {
    fn drop(&mut self) {
        umask(self.before);
    }
}

/// Makes the folder of a draft, locked as that of an image in use is, so that
/// nobody takes it for left over.
fn make_draft(images: &Path) -> Result<(PathBuf, Lock)> {
    loop {
        let template = images.join(format!("{}XXXXXX", leftovers::IMPORT));
        let draft = mkdtemp(&template).on("mkdtemp", &template)?;
        // In the moment before it is locked it may be cleared away.
        if let Some(lock) = lock(&draft, FlockOperation::NonBlockingLockShared)? {
            return Ok((draft, lock));
        }
    }
}
