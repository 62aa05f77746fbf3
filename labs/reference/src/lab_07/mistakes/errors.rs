//! What is deleted or changed after an error, though somebody else has made it.

use std::fs;
use std::io;
use std::path::Path;

use crate::lab_07::solution;

/// Deletes what has the names of its own directories.
fn clear<const COUNT: usize>(workspace: &Path, names: [&str; COUNT]) {
    for name in names {
        let _ = fs::remove_dir_all(workspace.join(name));
    }
}

/// Leaves nothing half made; and what was there already goes with it.
pub fn write_layer_cleared(workspace: &Path) -> io::Result<()> {
    let made = solution::create_write_layer(workspace);
    made.inspect_err(|_| clear(workspace, ["write-layer", "work"]))
}

/// Whichever is in the way must be empty, so rmdir does no harm: but it is in use.
pub fn empty_work_removed(workspace: &Path) -> io::Result<()> {
    let made = solution::create_write_layer(workspace);
    made.inspect_err(|_| drop(fs::remove_dir(workspace.join("work"))))
}

/// The same for the init layer.
pub fn init_layer_cleared(workspace: &Path, image: &Path, hostname: &str) -> io::Result<()> {
    let made = solution::create_init_layer(workspace, image, hostname);
    made.inspect_err(|_| clear(workspace, ["init-layer"]))
}

/// A workspace without an init layer is of no use, so all of it goes.
pub fn workspace_cleared(workspace: &Path, image: &Path, hostname: &str) -> io::Result<()> {
    let made = solution::create_init_layer(workspace, image, hostname);
    let is_used = |error: &io::Error| error.kind() == io::ErrorKind::AlreadyExists;
    made.inspect_err(|error| {
        if !is_used(error) {
            let _ = fs::remove_dir_all(workspace);
        }
    })
}

/// Keeps the error of mkdir for the end, and has written its files by then.
pub fn init_layer_written_first(workspace: &Path, image: &Path, name: &str) -> io::Result<()> {
    let init_layer = workspace.join("init-layer");
    if init_layer.is_dir() {
        fs::create_dir_all(init_layer.join("etc"))?;
        fs::write(init_layer.join("etc/hostname"), format!("{name}\n"))?;
    }
    solution::create_init_layer(workspace, image, name)
}

/// Without a mount nobody needs the layers, it seems.
pub fn layers_cleared(workspace: &Path, image: &Path, user_xattr: bool) -> io::Result<()> {
    let made = solution::create_mount_point(workspace, image, user_xattr);
    let is_used = |error: &io::Error| error.kind() == io::ErrorKind::AlreadyExists;
    made.inspect_err(|error| {
        if !is_used(error) {
            clear(workspace, ["init-layer", "write-layer", "work", "mnt"]);
        }
    })
}

/// Takes away the mount point, whoever has made it.
pub fn mnt_cleared(workspace: &Path, image: &Path, user_xattr: bool) -> io::Result<()> {
    let made = solution::create_mount_point(workspace, image, user_xattr);
    made.inspect_err(|_| clear(workspace, ["mnt"]))
}

/// The same with AUFS.
pub fn aufs_mnt_cleared(workspace: &Path, image: &Path) -> io::Result<()> {
    let made = solution::create_aufs_mount_point(workspace, image);
    made.inspect_err(|_| clear(workspace, ["mnt"]))
}

/// And the write layer, for the blog's program makes it just before.
pub fn aufs_write_layer_cleared(workspace: &Path, image: &Path) -> io::Result<()> {
    let made = solution::create_aufs_mount_point(workspace, image);
    let is_used = |error: &io::Error| error.kind() == io::ErrorKind::AlreadyExists;
    made.inspect_err(|error| {
        if !is_used(error) {
            clear(workspace, ["mnt", "write-layer"]);
        }
    })
}
