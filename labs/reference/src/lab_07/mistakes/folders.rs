//! Init layers and write layers that are made wrongly.

use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use nix::mount::{MsFlags, mount};
use nix::sys::stat::{Mode, umask};

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
    for name in ["", "etc", "dev", "proc", "sys"] {
        fs::create_dir(init_layer.join(name))?;
    }
    let etc = init_layer.join("etc");
    fs::write(etc.join("hostname"), format!("{hostname}\n"))?;
    fs::write(etc.join("hosts"), format!("127.0.0.1 localhost\n127.0.1.1 {hostname}\n"))?;
    let resolver = match fs::read("/etc/resolv.conf") {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        read => read?,
    };
    fs::write(etc.join("resolv.conf"), resolver)
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
    in_open_etc(workspace, |etc| fs::write(etc.join("hosts"), "127.0.0.1 localhost\n"))
}

/// Changes what is in the init layer's `etc`, which may have a mode that closes it.
pub fn in_open_etc(
    workspace: &Path,
    change: impl FnOnce(&Path) -> io::Result<()>,
) -> io::Result<()> {
    let etc = workspace.join("init-layer/etc");
    let closed = etc.metadata()?.permissions();
    fs::set_permissions(&etc, Permissions::from_mode(0o700))?;
    change(&etc)?;
    fs::set_permissions(etc, closed)
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

/// `?` where the host may have nothing.
pub fn host_without_resolver_refused(
    workspace: &Path,
    image: &Path,
    hostname: &str,
) -> io::Result<()> {
    fs::read("/etc/resolv.conf")?;
    solution::create_init_layer(workspace, image, hostname)
}

/// `metadata` follows a link, and takes the mode of what it leads to.
pub fn mode_of_a_links_target(workspace: &Path, image: &Path, hostname: &str) -> io::Result<()> {
    solution::create_init_layer(workspace, image, hostname)?;
    for name in ["etc", "dev", "proc", "sys"] {
        if let Ok(data) = image.join(name).metadata() {
            fs::set_permissions(workspace.join("init-layer").join(name), data.permissions())?;
        }
    }
    Ok(())
}

/// A mode that cannot be set is only a mode.
pub fn closed_mode_is_no_error(workspace: &Path, image: &Path, hostname: &str) -> io::Result<()> {
    init_layer_with_the_umask(workspace, image, hostname)?;
    let init_layer = workspace.join("init-layer");
    let modes = [
        ("", 0o755),
        ("etc/hostname", 0o644),
        ("etc/hosts", 0o644),
        ("etc/resolv.conf", 0o644),
        ("etc", 0o755),
        ("dev", 0o755),
        ("proc", 0o755),
        ("sys", 0o755),
    ];
    for (name, mode) in modes {
        let data = image.join(name).symlink_metadata();
        let of_image = data.ok().filter(|data| data.is_dir() && !name.is_empty());
        let mode = of_image.map_or(Permissions::from_mode(mode), |data| data.permissions());
        let _ = fs::set_permissions(init_layer.join(name), mode);
    }
    Ok(())
}

/// `into_raw_fd` and never closed.
pub fn a_file_left_open(workspace: &Path, image: &Path, hostname: &str) -> io::Result<()> {
    solution::create_init_layer(workspace, image, hostname)?;
    std::mem::forget(fs::File::open(workspace.join("init-layer"))?);
    Ok(())
}

/// Open for whoever it concerns: everybody can write into the container's `/`.
pub fn write_layer_for_all(workspace: &Path) -> io::Result<()> {
    solution::create_write_layer(workspace)?;
    fs::set_permissions(workspace.join("write-layer"), Permissions::from_mode(0o777))
}

/// The modes come out right; and all that this process makes later is open, too.
pub fn umask_set_for_good(workspace: &Path) -> io::Result<()> {
    umask(Mode::from_bits_truncate(0o022));
    solution::create_write_layer(workspace)
}

/// The `?` between the two calls leaves the function without the second.
pub fn umask_lost_with_an_error(workspace: &Path, image: &Path, hostname: &str) -> io::Result<()> {
    let before = umask(Mode::empty());
    solution::create_init_layer(workspace, image, hostname)?;
    umask(before);
    Ok(())
}

/// Begins with what can fail, and one `?` stands between the two calls.
pub fn umask_lost_with_the_resolver(
    workspace: &Path,
    image: &Path,
    hostname: &str,
) -> io::Result<()> {
    let before = umask(Mode::empty());
    if let Err(error) = fs::read("/etc/resolv.conf")
        && error.kind() != io::ErrorKind::NotFound
    {
        return Err(error);
    }
    let made = solution::create_init_layer(workspace, image, hostname);
    umask(before);
    made
}

/// A resolver that cannot be read is as good as none.
pub fn unreadable_resolver_is_none(workspace: &Path, image: &Path, name: &str) -> io::Result<()> {
    let made = solution::create_init_layer(workspace, image, name);
    let has_files = workspace.join("init-layer/etc/hosts").exists();
    if made.is_err() && has_files && fs::read("/etc/resolv.conf").is_err() {
        let resolver = workspace.join("init-layer/etc/resolv.conf");
        fs::write(&resolver, "")?;
        return fs::set_permissions(resolver, Permissions::from_mode(0o644));
    }
    made
}

/// What cannot be looked at has the usual mode.
pub fn unseen_modes_are_usual(workspace: &Path, image: &Path, hostname: &str) -> io::Result<()> {
    solution::create_init_layer(workspace, image, hostname)?;
    for name in ["etc", "dev", "proc", "sys"] {
        let mode = match image.join(name).symlink_metadata() {
            Ok(data) if data.is_dir() => data.permissions().mode() & 0o7777,
            _ => 0o755,
        };
        let path = workspace.join("init-layer").join(name);
        fs::set_permissions(path, Permissions::from_mode(mode))?;
    }
    Ok(())
}

/// Of the special bits only the sticky one means anything for a directory.
pub fn only_the_sticky_bit(workspace: &Path, image: &Path, hostname: &str) -> io::Result<()> {
    solution::create_init_layer(workspace, image, hostname)?;
    for name in ["etc", "dev", "proc", "sys"] {
        let path = workspace.join("init-layer").join(name);
        let mode = path.metadata()?.permissions().mode() & 0o1777;
        fs::set_permissions(path, Permissions::from_mode(mode))?;
    }
    Ok(())
}

/// Looks what the image has, by a list of it.
pub fn image_listed(workspace: &Path, image: &Path, hostname: &str) -> io::Result<()> {
    if fs::read_dir(image)?.count() == 0 {
        eprintln!("the image is empty");
    }
    solution::create_init_layer(workspace, image, hostname)
}

/// From an attempt before, so it must be right.
pub fn init_layer_reused(workspace: &Path, image: &Path, hostname: &str) -> io::Result<()> {
    if workspace.join("init-layer").is_dir() {
        return Ok(());
    }
    solution::create_init_layer(workspace, image, hostname)
}

/// "Already exists" is what was asked for.
pub fn write_layer_reused(workspace: &Path) -> io::Result<()> {
    match solution::create_write_layer(workspace) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        made => made,
    }
}
