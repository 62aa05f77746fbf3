//! Modes that depend on the directory around them, are set too early, or are asked for in a way
//! that needs permission.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use nix::sys::stat::{Mode, umask};

/// Does this without a umask, which is put back whatever comes of it.
fn without_umask(make: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
    let before = umask(Mode::empty());
    let made = make();
    umask(before);
    made
}

fn directory(path: &Path, mode: u32) -> io::Result<()> {
    DirBuilder::new().mode(mode).create(path)
}

fn set_mode(path: &Path, mode: u32) -> io::Result<()> {
    fs::set_permissions(path, Permissions::from_mode(mode))
}

/// The mode that a directory has in the image, if it is a directory there.
fn mode_in_the_image(image: &Path, name: &str) -> io::Result<Option<u32>> {
    match image.join(name).symlink_metadata() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        data => Ok(Some(data?).filter(|it| it.is_dir()).map(|it| it.permissions().mode() & 0o7777)),
    }
}

/// The init layer and the directories in it, open to everybody.
fn directories(init_layer: &Path) -> io::Result<()> {
    for name in ["", "etc", "dev", "proc", "sys"] {
        directory(&init_layer.join(name), 0o755)?;
        set_mode(&init_layer.join(name), 0o755)?;
    }
    Ok(())
}

/// Gives the directories in the init layer the modes that they have in the image.
fn modes_of_the_image(init_layer: &Path, image: &Path) -> io::Result<()> {
    for name in ["etc", "dev", "proc", "sys"] {
        if let Some(mode) = mode_in_the_image(image, name)? {
            set_mode(&init_layer.join(name), mode)?;
        }
    }
    Ok(())
}

/// The files in etc; `then` gets the path of each.
fn files(etc: &Path, hostname: &str, then: fn(&Path) -> io::Result<()>) -> io::Result<()> {
    let resolver = match fs::read("/etc/resolv.conf") {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        read => read?,
    };
    let hosts = format!("127.0.0.1 localhost\n127.0.1.1 {hostname}\n");
    let hostname = format!("{hostname}\n");
    for (name, content) in [
        ("hostname", hostname.as_bytes()),
        ("hosts", hosts.as_bytes()),
        ("resolv.conf", resolver.as_slice()),
    ] {
        let path = etc.join(name);
        let mut how = OpenOptions::new();
        how.write(true).create_new(true).mode(0o644).open(&path)?.write_all(content)?;
        then(&path)?;
    }
    Ok(())
}

/// Without a umask, mkdir(2) makes exactly what it is asked for, it seems.
pub fn write_layer_by_the_umask_alone(workspace: &Path) -> io::Result<()> {
    without_umask(|| {
        directory(&workspace.join("write-layer"), 0o755)?;
        directory(&workspace.join("work"), 0o755)
    })
}

/// The same, and chmod(2) only where the image has another mode.
pub fn init_layer_by_the_umask_alone(
    workspace: &Path,
    image: &Path,
    hostname: &str,
) -> io::Result<()> {
    without_umask(|| {
        let init_layer = workspace.join("init-layer");
        directory(&init_layer, 0o755)?;
        for name in ["etc", "dev", "proc", "sys"] {
            directory(&init_layer.join(name), 0o755)?;
        }
        files(&init_layer.join("etc"), hostname, |path| set_mode(path, 0o644))?;
        modes_of_the_image(&init_layer, image)
    })
}

/// Directories have special bits, and need chmod(2); files have none.
pub fn init_files_by_the_umask_alone(
    workspace: &Path,
    image: &Path,
    hostname: &str,
) -> io::Result<()> {
    without_umask(|| {
        let init_layer = workspace.join("init-layer");
        directories(&init_layer)?;
        files(&init_layer.join("etc"), hostname, |_| Ok(()))?;
        modes_of_the_image(&init_layer, image)
    })
}

/// Finishes a directory before it makes what is in it. Root may write there anyway.
pub fn etc_closed_before_it_is_filled(
    workspace: &Path,
    image: &Path,
    hostname: &str,
) -> io::Result<()> {
    let init_layer = workspace.join("init-layer");
    directory(&init_layer, 0o755)?;
    set_mode(&init_layer, 0o755)?;
    for name in ["etc", "dev", "proc", "sys"] {
        directory(&init_layer.join(name), 0o755)?;
        let mode = mode_in_the_image(image, name)?.unwrap_or(0o755);
        set_mode(&init_layer.join(name), mode)?;
    }
    files(&init_layer.join("etc"), hostname, |path| set_mode(path, 0o644))
}

/// Asks for modes by fstat(2): no other directory can get in between. To open one for that,
/// the caller must be allowed to read it.
pub fn image_opened_for_its_modes(
    workspace: &Path,
    image: &Path,
    hostname: &str,
) -> io::Result<()> {
    let init_layer = workspace.join("init-layer");
    directories(&init_layer)?;
    files(&init_layer.join("etc"), hostname, |path| set_mode(path, 0o644))?;
    for name in ["etc", "dev", "proc", "sys"] {
        if mode_in_the_image(image, name)?.is_some() {
            let data = File::open(image.join(name))?.metadata()?;
            set_mode(&init_layer.join(name), data.permissions().mode() & 0o7777)?;
        }
    }
    Ok(())
}

/// Sets all modes at the end, from the top: by then, the files can be out of reach.
pub fn files_chmodded_in_a_closed_etc(
    workspace: &Path,
    image: &Path,
    hostname: &str,
) -> io::Result<()> {
    let init_layer = workspace.join("init-layer");
    directories(&init_layer)?;
    files(&init_layer.join("etc"), hostname, |_| Ok(()))?;
    modes_of_the_image(&init_layer, image)?;
    for name in ["etc/hostname", "etc/hosts", "etc/resolv.conf"] {
        set_mode(&init_layer.join(name), 0o644)?;
    }
    Ok(())
}
