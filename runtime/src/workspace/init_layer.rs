//! The container-init layer: files that belong to one container and yet are
//! not its own work, above the image and below the write layer.

use std::fs::{DirBuilder, Permissions, set_permissions};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt, chown, symlink};
use std::path::Path;

use mydocker_image::stack::{Found, Stack};
use mydocker_kernel::privileges::Privileges;
use mydocker_kernel::{OnPath, Result, if_there};
use nix::errno::Errno;

/// Who a container is to others.
#[derive(Debug, Clone, Copy)]
pub struct Identity<'a> {
    /// Its host name.
    pub hostname: &'a str,
    /// Whether it is on the host's network, and so knows the same names.
    pub host_network: bool,
}

/// The mount points that every container needs at its root.
const MOUNT_POINTS: [&str; 3] = ["dev", "proc", "sys"];

/// Fills `init_layer`, an empty folder, for an image of these layers:
/// /etc/hostname, hosts, resolv.conf and mtab, and the mount points
/// that the image lacks.
///
/// Where the image has a symbolic link for `/etc`, the files go to where it
/// leads inside the image; a link in place of a file is covered, not followed.
/// So nothing is ever written into the image or outside of the layer.
///
/// # Errors
/// A file cannot be made.
pub fn create_init_layer(init_layer: &Path, image: &Stack, identity: Identity) -> Result<()> {
    let etc = image.resolve_directory(Path::new("etc"))?;
    let etc_here = init_layer.join(&etc);
    DirBuilder::new().mode(0o755).recursive(true).create(&etc_here).on("mkdir", &etc_here)?;
    let of_host = Path::new("/etc/resolv.conf");
    let resolv_conf = if_there(std::fs::read(of_host)).on("read", of_host)?.unwrap_or_default();
    let hostname = identity.hostname;
    let own_hosts = format!(
        "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n127.0.1.1\t{hostname}\n"
    );
    let of_host = Path::new("/etc/hosts");
    let hosts = match identity.host_network {
        true => if_there(std::fs::read(of_host)).on("read", of_host)?,
        false => None,
    };
    for (name, content) in [
        ("hostname", format!("{hostname}\n").into_bytes()),
        ("hosts", hosts.unwrap_or(own_hosts.into_bytes())),
        ("resolv.conf", resolv_conf),
    ] {
        let file = etc_here.join(name);
        std::fs::write(&file, content).on("write", &file)?;
    }
    let mtab = etc_here.join("mtab");
    symlink("/proc/mounts", &mtab).on("symlink", &mtab)?;

    for name in MOUNT_POINTS {
        // Also where the image has a link or a file: a mount must not land
        // where a link of the image leads.
        if !matches!(if_open(image.lookup(name.as_ref()))?, Some(Found::Directory(_))) {
            let mount_point = init_layer.join(name);
            if !mount_point.is_dir() {
                DirBuilder::new().mode(0o755).create(&mount_point).on("mkdir", &mount_point)?;
            }
        }
    }
    make_like_image(init_layer, image, &etc)
}

/// Gives the folder `path` in the init layer, and those above it, the mode and
/// owner that they have in the image: in the merged view the topmost directory's
/// count. That comes last, as the image's may be closed to all but root.
fn make_like_image(init_layer: &Path, image: &Stack, path: &Path) -> Result<()> {
    let folders = path.ancestors().filter(|folder| !folder.as_os_str().is_empty());
    for folder in folders {
        if let Some(Found::Directory(merged)) = if_open(image.lookup_path(folder))? {
            copy_attributes(&merged.directories[0], &init_layer.join(folder))?;
        }
    }
    Ok(())
}

/// `None` for what lies in a folder of the image that is closed to its owner: an
/// ordinary user cannot look, and is root only in the container. What is not
/// known is covered, as what does not suit is.
fn if_open<T>(found: Result<T>) -> Result<Option<T>> {
    match found {
        Err(error) if error.errno() == Some(Errno::EACCES) => Ok(None),
        other => other.map(Some),
    }
}

/// Gives the folder `to` the mode of `from`, and as root its owner.
///
/// # Errors
/// As stat(2), chown(2) and chmod(2).
pub fn copy_attributes(from: &Path, to: &Path) -> Result<()> {
    let wanted = from.metadata().on("stat", from)?;
    let present = to.metadata().on("stat", to)?;
    let owner_differs = (wanted.uid(), wanted.gid()) != (present.uid(), present.gid());
    if owner_differs && Privileges::known()? != Privileges::User {
        chown(to, Some(wanted.uid()), Some(wanted.gid())).on("chown", to)?;
    }
    if wanted.mode() != present.mode() {
        set_permissions(to, Permissions::from_mode(wanted.mode() & 0o7777)).on("chmod", to)?;
    }
    Ok(())
}
