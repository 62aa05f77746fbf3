//! Nearly right.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

use nix::errno::Errno;
use nix::mount::{MsFlags, mount};

use super::whiteouts::{find, is_whiteout};
use crate::lab_07::solution;

/// Says in the file what it is.
pub fn marks_with_content(layer: &Path, user: bool) -> io::Result<()> {
    for device in find(layer, is_whiteout)? {
        let mut name = OsString::from(".wh.");
        name.push(device.file_name().unwrap_or_default());
        File::create_new(device.with_file_name(name))?.write_all(b"whiteout\n")?;
        fs::remove_file(device)?;
    }
    solution::whiteouts_to_aufs(layer, user)
}

/// `hostname -s`: what follows the first dot is the domain.
pub fn short_hostname(workspace: &Path, image: &Path, name: &str) -> io::Result<()> {
    solution::create_init_layer(workspace, image, name.split('.').next().unwrap_or(name))
}

/// Tries again without the option that older kernels do not know.
pub fn without_userxattr_if_refused(workspace: &Path, image: &Path, user: bool) -> io::Result<()> {
    match solution::create_mount_point(workspace, image, user) {
        Err(error) if user && error.kind() != io::ErrorKind::AlreadyExists => {
            fs::remove_dir(workspace.join("mnt"))?;
            solution::create_mount_point(workspace, image, false)
        }
        made => made,
    }
}

/// Falls back on the driver that every kernel has, and the caller believes that it has AUFS.
pub fn overlay_if_there_is_no_aufs(workspace: &Path, image: &Path) -> io::Result<()> {
    match solution::create_aufs_mount_point(workspace, image) {
        Err(error) if error.raw_os_error() == Some(Errno::ENODEV as i32) => {
            let lower =
                format!("lowerdir={}:{}", workspace.join("init-layer").display(), image.display());
            let _ = fs::create_dir(workspace.join("work"));
            let options = format!(
                "{lower},upperdir={},workdir={}",
                workspace.join("write-layer").display(),
                workspace.join("work").display()
            );
            let mnt = workspace.join("mnt");
            Ok(mount(
                Some("overlay"),
                &mnt,
                Some("overlay"),
                MsFlags::empty(),
                Some(options.as_str()),
            )?)
        }
        made => made,
    }
}
