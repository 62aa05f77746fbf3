//! Overlays that the grader mounts with its own hands, so that a promise on one
//! function does not break with another.

use std::io;
use std::path::Path;

use mydocker_kernel::privileges::Privileges;
use nix::mount::{MsFlags, mount};

/// Whether overlayfs must keep its marks in `user.*` attributes here: only root
/// of the machine may write `trusted.*`.
pub fn user_xattr() -> bool {
    Privileges::current() != Privileges::Root
}

/// The attribute that makes a directory opaque.
pub fn opaque_attribute(user_xattr: bool) -> &'static str {
    if user_xattr { "user.overlay.opaque" } else { "trusted.overlay.opaque" }
}

/// Mounts an overlay at `at`, on `lower`, the topmost first. No path has a
/// separator in it.
pub fn mount_overlay(lower: &[&Path], upper: &Path, work: &Path, at: &Path) -> io::Result<()> {
    let lower: Vec<String> = lower.iter().map(|layer| layer.display().to_string()).collect();
    let lower = lower.join(":");
    // Without these, kernels that are built differently copy up differently.
    let marks = if user_xattr() { "userxattr" } else { "redirect_dir=off,metacopy=off" };
    let (upper, work) = (upper.display(), work.display());
    let options = format!("lowerdir={lower},upperdir={upper},workdir={work},index=off,{marks}");
    Ok(mount(Some("overlay"), at, Some("overlay"), MsFlags::empty(), Some(options.as_str()))?)
}
