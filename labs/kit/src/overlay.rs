//! Overlays that a grader mounts itself.

use std::io;
use std::path::Path;

use mydocker_kernel::privileges::Privileges;
use nix::mount::{MsFlags, mount};

/// Whether overlayfs must keep its marks in `user.*` attributes here: only the root user of
/// the machine may write `trusted.*`.
pub fn user_xattr() -> bool {
    Privileges::current() != Privileges::Root
}

/// Mounts an overlay at `at`, on the layers `lower`, the topmost first. No path may contain
/// a separator.
///
/// # Errors
/// Those of mount(2).
pub fn mount_overlay(
    lower: &[impl AsRef<Path>],
    upper: &Path,
    work: &Path,
    at: &Path,
) -> io::Result<()> {
    let lower: Vec<String> = lower.iter().map(|it| it.as_ref().display().to_string()).collect();
    let lower = lower.join(":");
    // Without these, kernels that are built differently copy up differently.
    let marks = if user_xattr() { "userxattr" } else { "redirect_dir=off,metacopy=off" };
    let (upper, work) = (upper.display(), work.display());
    let options = format!("lowerdir={lower},upperdir={upper},workdir={work},index=off,{marks}");
    Ok(mount(Some("overlay"), at, Some("overlay"), MsFlags::empty(), Some(options.as_str()))?)
}
