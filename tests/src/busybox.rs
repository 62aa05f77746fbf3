//! The image that the tests run: busybox in the layout of the official image.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The archive as `docker export` would write it: that of `$BUSYBOX_TAR`, else
/// one that scripts/busybox-image makes, once.
///
/// # Panics
/// The script fails; its message says what to install.
pub fn busybox_tar() -> &'static Path {
    static TAR: OnceLock<PathBuf> = OnceLock::new();
    TAR.get_or_init(|| {
        if let Some(given) = std::env::var_os("BUSYBOX_TAR") {
            return given.into();
        }
        let folder = tempfile::tempdir().expect("a folder for busybox.tar").keep();
        let tar = folder.join("busybox.tar");
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts/busybox-image");
        let status = Command::new(&script).arg(&tar).status().expect("scripts/busybox-image runs");
        assert!(status.success(), "scripts/busybox-image has made no image: see above");
        tar
    })
}
