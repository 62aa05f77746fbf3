//! The image that the tests run: busybox in the layout of the official image.

use std::path::PathBuf;

/// The archive as `docker export` would write it: that of `$BUSYBOX_TAR`, else
/// the one that was made when the tests were built.
pub fn busybox_tar() -> PathBuf {
    std::env::var_os("BUSYBOX_TAR").unwrap_or_else(|| env!("BUSYBOX_TAR").into()).into()
}
