//! A container that has run: its write layer is as the kernel has left it.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use labkit::host::Host;
use labkit::overlay::mount_overlay;
use nix::mount::{MntFlags, umount2};

use crate::acts::Layers;
use crate::oracle::World;
use crate::world::{Tree, directory, file, lay, link_to, name_of, opaque, tree, whiteout};

/// What it has left.
pub struct Ran {
    /// Where its layers are.
    pub layers: Layers,
    /// What is in them.
    pub world: World,
}

/// Mounts an overlay on two layers, changes some of it, and unmounts it.
///
/// # Panics
/// The sandbox does not allow it.
pub fn run(host: &Host) -> Ran {
    let place = host.path("container");
    let [write, work, mnt] = ["write-layer", "work", "mnt"].map(|it| place.join(it));
    let below = [place.join("below-0"), place.join("below-1")];
    let layers = [of_the_top(), image()];
    for (tree, path) in layers.iter().zip(&below) {
        lay(tree, path);
    }
    for directory in [&write, &work, &mnt] {
        fs::create_dir(directory).expect("the scratch directory");
    }
    mount_overlay(&below, &write, &work, &mnt).expect("this promise needs overlayfs");
    change(&mnt).expect("an overlay can be written to");
    umount2(&mnt, MntFlags::empty()).expect("nobody holds it");

    let layers_below = below.iter().map(|it| it.clone().into_os_string()).collect();
    let layers = Layers { write_layer: write.into_os_string(), layers: layers_below };
    Ran { layers, world: World { write: changed(), below: vec![of_the_top(), image()] } }
}

/// A root file system of one layer.
pub fn image() -> Tree {
    tree([
        ("bin/sh", file("a shell")),
        ("etc/hosts", file("127.0.0.1")),
        ("etc/motd", file("welcome")),
        ("etc/ssl/cert", file("a certificate")),
        ("home/ann/notes", file("notes")),
        ("home/ann/todo", file("todo")),
        ("lib", link_to("usr/lib")),
        ("usr/lib/libc", file("a library")),
    ])
}

/// What the upper one of its image's layers has.
fn of_the_top() -> Tree {
    tree([("etc/motd", whiteout()), ("srv/www/index", file("of the top"))])
}

/// What the container does.
fn change(mnt: &Path) -> io::Result<()> {
    fs::write(mnt.join("etc/hosts"), "127.0.0.1 box")?;
    fs::write(mnt.join("etc/motd"), "there again")?;
    fs::remove_file(mnt.join("bin/sh"))?;
    fs::remove_dir_all(mnt.join("home/ann"))?;
    fs::create_dir(mnt.join("home/ann"))?;
    fs::write(mnt.join("home/ann/notes"), "new ones")?;
    fs::create_dir_all(mnt.join("opt/tool"))?;
    fs::write(mnt.join("opt/tool/run"), "a tool")?;
    fs::hard_link(mnt.join("opt/tool/run"), mnt.join("opt/tool/start"))?;
    fs::set_permissions(mnt.join("srv/www"), Permissions::from_mode(0o700))?;
    // Copied up, and nothing else.
    fs::OpenOptions::new().append(true).open(mnt.join("usr/lib/libc")).map(drop)
}

/// What its write layer has then.
fn changed() -> Tree {
    // A directory has another time when a name in it comes or goes.
    let touched = || directory().with_mtime(0, 0);
    tree([
        ("bin", touched()),
        ("bin/sh", whiteout()),
        ("etc", touched()),
        ("etc/hosts", file("127.0.0.1 box")),
        ("etc/motd", file("there again")),
        ("home", touched()),
        ("home/ann", opaque()),
        ("home/ann/notes", file("new ones")),
        ("opt", opaque()),
        ("opt/tool", directory()),
        ("opt/tool/run", file("a tool")),
        ("opt/tool/start", name_of("opt/tool/run")),
        ("srv/www", directory().with_mode(0o700)),
        ("usr/lib/libc", file("a library")),
    ])
}
