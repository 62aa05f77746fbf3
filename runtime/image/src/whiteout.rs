//! Whiteouts: how a layer says that a file of a lower layer is deleted, and
//! opaque directories: that all of a lower directory is.
//!
//! An archive says it with the names `.wh.NAME` and `.wh..wh..opq`, see the
//! OCI image specification. On disk it is said in the form of the file system
//! that is to merge the layers.

use std::ffi::{OsStr, OsString};
use std::fs::Metadata;
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

use libc::dev_t;
use nix::sys::stat::SFlag;
use rustix::fs::lgetxattr;
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use mydocker_kernel::privileges::Privileges;
use mydocker_kernel::{OnPath, Result, if_there};

/// What the name of a whiteout begins with, in an archive and for AUFS.
pub const PREFIX: &str = ".wh.";

/// What marks the directory that it is in as opaque, in an archive and for AUFS.
pub const OPAQUE: &str = ".wh..wh..opq";

/// What the names begin with that AUFS keeps for itself, [`OPAQUE`] included.
pub(super) const AUFS_OWN: &str = ".wh..wh.";

/// The file system whose form of whiteouts the layers have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum WhiteoutForm {
    /// A whiteout is a character device 0:0, an opaque directory has the
    /// attribute `overlay.opaque`. See Documentation/filesystems/overlayfs.rst.
    Overlay,
    /// Empty regular files, with the names that they have in the archive.
    Aufs,
}

/// Where overlay looks for its attributes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum XattrNamespace {
    /// `trusted.overlay.*`, which only root of the machine may write.
    Trusted,
    /// `user.overlay.*`, which counts in mounts with the option `userxattr`.
    User,
}

impl XattrNamespace {
    /// The one that this process may write.
    ///
    /// # Errors
    /// As [`Privileges::known`].
    pub fn current() -> Result<XattrNamespace> {
        Ok(match Privileges::known()? {
            Privileges::Root => XattrNamespace::Trusted,
            Privileges::MappedRoot | Privileges::User => XattrNamespace::User,
        })
    }

    /// The name of the attribute that makes a directory opaque.
    pub fn opaque(self) -> &'static str {
        match self {
            XattrNamespace::Trusted => "trusted.overlay.opaque",
            XattrNamespace::User => "user.overlay.opaque",
        }
    }
}

/// Whether a file is an overlay whiteout: a character device 0:0.
pub fn is_whiteout(metadata: &Metadata) -> bool {
    metadata.file_type().is_char_device() && metadata.rdev() == 0
}

/// The same of what stat(2) says.
pub(super) fn is_whiteout_number(kind: SFlag, number: dev_t) -> bool {
    kind == SFlag::S_IFCHR && number == 0
}

/// Whether `directory` hides all that the layers below have at its place.
///
/// # Errors
/// As lgetxattr(2) and lstat(2).
pub fn hides_all(form: WhiteoutForm, directory: &Path) -> Result<bool> {
    match form {
        WhiteoutForm::Overlay => is_opaque(directory),
        WhiteoutForm::Aufs => is_there(&directory.join(OPAQUE)),
    }
}

/// Whether AUFS's whiteout of `name` lies in `directory`.
///
/// # Errors
/// As lstat(2).
pub(super) fn hides_name(directory: &Path, name: &OsStr) -> Result<bool> {
    let mut whiteout = OsString::from(PREFIX);
    whiteout.push(name);
    is_there(&directory.join(whiteout))
}

fn is_there(path: &Path) -> Result<bool> {
    match path.symlink_metadata() {
        // No file has a name as long as that.
        Err(error) if error.raw_os_error() == Some(libc::ENAMETOOLONG) => Ok(false),
        found => Ok(if_there(found).on("lstat", path)?.is_some()),
    }
}

/// Whether a directory is opaque for overlay: it hides all that lower layers
/// have at its place.
///
/// # Errors
/// As lgetxattr(2).
pub fn is_opaque(dir: &Path) -> Result<bool> {
    for namespace in [XattrNamespace::Trusted, XattrNamespace::User] {
        let mut value = [0; 2];
        match lgetxattr(dir, namespace.opaque(), &mut value) {
            Ok(1) if value[0] == b'y' => return Ok(true),
            // Another value, no such attribute, or no attributes at all.
            Ok(_) | Err(Errno::RANGE | Errno::NODATA | Errno::OPNOTSUPP) => {}
            // Deleted meanwhile, or closed to this process: whoever reads it hears so.
            Err(Errno::NOENT | Errno::ACCESS) => {}
            Err(errno) => return Err(io::Error::from(errno)).on("lgetxattr", dir),
        }
    }
    Ok(false)
}
