//! Init layers and write layers that are made wrongly.

use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use nix::mount::{MsFlags, mount};

use crate::lab_07::solution;

const NOTHING: Option<&str> = None;

/// Writes where the container will read, into the image: all containers get the
/// name of the last one.
pub fn files_in_the_image(workspace: &Path, image: &Path, hostname: &str) -> io::Result<()> {
    fs::create_dir(workspace.join("init-layer"))?;
    fs::write(image.join("etc/hostname"), format!("{hostname}\n"))?;
    fs::write(image.join("etc/hosts"), format!("127.0.0.1 localhost\n127.0.1.1 {hostname}\n"))?;
    for name in ["dev", "proc", "sys"] {
        fs::create_dir_all(image.join(name))?;
    }
    Ok(())
}

/// Begins with a copy of the image's etc, links and all (`cp -a`), and writes
/// through the links: files of the host are overwritten.
pub fn links_copied(workspace: &Path, image: &Path, hostname: &str) -> io::Result<()> {
    solution::create_init_layer(workspace, image, hostname)?;
    let init_layer = workspace.join("init-layer");
    for name in ["etc/hosts", "etc/resolv.conf"] {
        if image.join(name).is_symlink() {
            let content = fs::read(init_layer.join(name))?;
            fs::remove_file(init_layer.join(name))?;
            symlink(image.join(name).read_link()?, init_layer.join(name))?;
            fs::write(init_layer.join(name), content)?;
        }
    }
    for name in ["etc", "proc"] {
        if image.join(name).is_symlink() {
            fs::remove_dir_all(init_layer.join(name))?;
            symlink(image.join(name).read_link()?, init_layer.join(name))?;
        }
    }
    Ok(())
}

/// Binds the files onto the image, as docker does it below mnt: a link of the
/// image leads the mount onto a file of the host, which is covered.
pub fn files_mounted(workspace: &Path, image: &Path, hostname: &str) -> io::Result<()> {
    solution::create_init_layer(workspace, image, hostname)?;
    let target = image.join("etc/resolv.conf");
    if !target.exists() {
        File::create(&target)?;
    }
    let file = workspace.join("init-layer/etc/resolv.conf");
    Ok(mount(Some(&file), &target, NOTHING, MsFlags::MS_BIND, NOTHING)?)
}

/// Has a umask of 022: with another one only root can read /etc/hosts.
pub fn init_layer_with_the_umask(workspace: &Path, _: &Path, hostname: &str) -> io::Result<()> {
    let init_layer = workspace.join("init-layer");
    for name in ["etc", "dev", "proc", "sys"] {
        fs::create_dir_all(init_layer.join(name))?;
    }
    let etc = init_layer.join("etc");
    fs::write(etc.join("hostname"), format!("{hostname}\n"))?;
    fs::write(etc.join("hosts"), format!("127.0.0.1 localhost\n127.0.1.1 {hostname}\n"))?;
    fs::write(etc.join("resolv.conf"), fs::read("/etc/resolv.conf").unwrap_or_default())
}

/// 0755 everywhere: the topmost folder's mode counts, so the image's is lost.
pub fn modes_of_the_image_lost(workspace: &Path, image: &Path, hostname: &str) -> io::Result<()> {
    solution::create_init_layer(workspace, image, hostname)?;
    fs::set_permissions(workspace.join("init-layer/sys"), Permissions::from_mode(0o755))
}

/// Makes no mount point where the image has something of that name, which may
/// be a link.
pub fn only_what_is_lacking(workspace: &Path, image: &Path, hostname: &str) -> io::Result<()> {
    solution::create_init_layer(workspace, image, hostname)?;
    for name in ["dev", "proc", "sys"] {
        if image.join(name).exists() {
            fs::remove_dir(workspace.join("init-layer").join(name))?;
        }
    }
    Ok(())
}

/// A hosts file without the container's own name: sudo waits for a time-out.
pub fn hosts_without_the_hostname(workspace: &Path, image: &Path, name: &str) -> io::Result<()> {
    solution::create_init_layer(workspace, image, name)?;
    fs::write(workspace.join("init-layer/etc/hosts"), "127.0.0.1 localhost\n")
}

/// Knows AUFS, which needs no such folder.
pub fn work_forgotten(workspace: &Path) -> io::Result<()> {
    solution::create_write_layer(workspace)?;
    fs::remove_dir(workspace.join("work"))
}

/// Puts it where it is deleted together with the write layer: EINVAL.
pub fn work_in_the_write_layer(workspace: &Path) -> io::Result<()> {
    work_forgotten(workspace)?;
    fs::create_dir(workspace.join("write-layer/work"))
}

/// A tmpfs, because it is quick: overlayfs cannot rename from there. EINVAL.
pub fn work_on_a_tmpfs(workspace: &Path) -> io::Result<()> {
    solution::create_write_layer(workspace)?;
    let work = workspace.join("work");
    Ok(mount(Some("tmpfs"), &work, Some("tmpfs"), MsFlags::empty(), NOTHING)?)
}

/// With a umask of 077 nobody but root can enter the container's `/`.
pub fn write_layer_with_the_umask(workspace: &Path) -> io::Result<()> {
    fs::create_dir(workspace.join("write-layer"))?;
    fs::create_dir(workspace.join("work"))
}

/// `Ok(())`, to see what the tests say.
pub fn init_layer_not_made(_: &Path, _: &Path, _: &str) -> io::Result<()> {
    Ok(())
}

/// `Ok(())`, to see what the tests say.
pub fn write_layer_not_made(_: &Path) -> io::Result<()> {
    Ok(())
}
