//! Mounts of AUFS that are asked for wrongly, or whose failure is not told.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::Path;

use nix::mount::{MsFlags, mount};

use crate::lab_07::solution::aufs_options;

/// Mounts a file system of this type.
fn mount_type(fs_type: &str, target: &Path, options: &OsStr) -> io::Result<()> {
    Ok(mount(Some("none"), target, Some(fs_type), MsFlags::empty(), Some(options))?)
}

/// Mounts these read-only branches below the write layer.
fn mount_branches(workspace: &Path, read_only: &[&Path]) -> io::Result<()> {
    let mnt = workspace.join("mnt");
    fs::create_dir(&mnt)?;
    let options = aufs_options(&workspace.join("write-layer"), read_only)?;
    mount_type("aufs", &mnt, &options)
}

/// Whether mnt could be made, mount(2) will say.
pub fn mkdir_ignored(workspace: &Path, image: &Path) -> io::Result<()> {
    let mnt = workspace.join("mnt");
    let _ = fs::create_dir(&mnt);
    let init_layer = workspace.join("init-layer");
    let options = aufs_options(&workspace.join("write-layer"), &[&init_layer, image])?;
    mount_type("aufs", &mnt, &options)
}

/// Whether the options are right, mount(2) will say, too.
pub fn options_ignored(workspace: &Path, image: &Path) -> io::Result<()> {
    let mnt = workspace.join("mnt");
    fs::create_dir(&mnt)?;
    let init_layer = workspace.join("init-layer");
    let options = aufs_options(&workspace.join("write-layer"), &[&init_layer, image]);
    mount_type("aufs", &mnt, &options.unwrap_or_default())
}

/// There is no AUFS here anyway, so the error is only printed: the container starts in an
/// empty directory.
pub fn failure_only_printed(workspace: &Path, image: &Path) -> io::Result<()> {
    let mnt = workspace.join("mnt");
    fs::create_dir(&mnt)?;
    let init_layer = workspace.join("init-layer");
    let options = aufs_options(&workspace.join("write-layer"), &[&init_layer, image])?;
    if let Err(error) = mount_type("aufs", &mnt, &options) {
        eprintln!("mount: {error}");
    }
    Ok(())
}

/// The blog's two layers.
pub fn without_the_init_layer(workspace: &Path, image: &Path) -> io::Result<()> {
    mount_branches(workspace, &[image])
}

/// The order in which the layers were made.
pub fn image_on_the_init_layer(workspace: &Path, image: &Path) -> io::Result<()> {
    mount_branches(workspace, &[image, &workspace.join("init-layer")])
}

/// Copied from create_mount_point, except for the type.
pub fn options_for_an_overlay(workspace: &Path, image: &Path) -> io::Result<()> {
    let mnt = workspace.join("mnt");
    fs::create_dir(&mnt)?;
    let init_layer = workspace.join("init-layer");
    let options = aufs_options(&workspace.join("write-layer"), &[&init_layer, image])?;
    mount_type("overlay", &mnt, &options)
}

/// Mounts on the workspace itself, and hides the layers under what is made of them.
pub fn beside_mnt(workspace: &Path, image: &Path) -> io::Result<()> {
    fs::create_dir(workspace.join("mnt"))?;
    let init_layer = workspace.join("init-layer");
    let options = aufs_options(&workspace.join("write-layer"), &[&init_layer, image])?;
    mount_type("aufs", workspace, &options)
}
