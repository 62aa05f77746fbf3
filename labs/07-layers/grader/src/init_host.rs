//! The host on which create_init_layer is called, and the image.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use labkit::canary::Canary;
use nix::mount::{MsFlags, mount};
use nix::sys::stat::{Mode, umask};

use crate::layer::{directories, fill};

/// Where the image may lead an answer astray.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Links {
    /// Nowhere.
    None,
    /// Its `etc` and its `proc` are links to directories of the host.
    Directories,
    /// Its `etc/resolv.conf` and `etc/hosts` are links to a file of the host.
    Files,
}

/// What the host has as /etc/resolv.conf.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Resolver {
    /// A file.
    File,
    /// A link to one, as systemd-resolved has it.
    Link,
    /// A file with a byte that is no UTF-8.
    Bytes,
    /// A file whose lines end as on other systems, the last one not at all.
    Lines,
    /// A file that is too long for one read(2) of any usual buffer.
    Long,
    /// A file with a server on the machine itself, as systemd-resolved writes it.
    Local,
    /// Nothing, as where there is no network.
    None,
    /// A link that leads nowhere, as where systemd-resolved does not run.
    Dangling,
    /// What cannot be read.
    Unreadable,
}

impl Resolver {
    /// Whether there is something to be read.
    pub fn is_there(self) -> bool {
        !matches!(self, Resolver::None | Resolver::Dangling)
    }

    /// What is to be read there, with `words` in a comment.
    pub fn content(self, words: &str) -> Vec<u8> {
        match self {
            Resolver::File | Resolver::Link => {
                format!("nameserver 192.0.2.1\n# {words}\n").into_bytes()
            }
            Resolver::Bytes => b"# caf\xe9\nnameserver 192.0.2.1\n".to_vec(),
            Resolver::Lines => b"nameserver 192.0.2.1\r\noptions edns0".to_vec(),
            Resolver::Local => {
                b"# by hand\nnameserver 127.0.0.53\noptions edns0 trust-ad\nsearch .\n".to_vec()
            }
            Resolver::Long => b"nameserver 192.0.2.1\n".repeat(7_000),
            Resolver::None | Resolver::Dangling | Resolver::Unreadable => Vec::new(),
        }
    }
}

/// A line of the host's file that is not in a copy, if that has no others: a server's, or
/// else the first.
pub fn dropped_line(of_the_host: &[u8], copy: &[u8]) -> Option<String> {
    let [of_the_host, copy] = [of_the_host, copy]
        .map(|content| content.split(|byte| *byte == b'\n').collect::<Vec<&[u8]>>());
    let has_others = copy.iter().any(|line| !of_the_host.contains(line));
    let mut dropped = of_the_host.iter().filter(|line| !has_others && !copy.contains(line));
    let of_a_server = dropped.clone().find(|line| line.starts_with(b"nameserver"));
    of_a_server.or_else(|| dropped.next()).map(|line| String::from_utf8_lossy(line).into_owned())
}

/// With this umask each mode must be set.
pub fn with_umask_077() -> io::Result<()> {
    umask(Mode::from_bits_truncate(0o077));
    Ok(())
}

/// Gives the process an /etc of its own, with nothing but this in it.
pub fn furnish_etc(resolver: Resolver, resolv_conf: &[u8]) -> io::Result<()> {
    let nothing: Option<&str> = None;
    mount(nothing, "/", nothing, MsFlags::MS_PRIVATE | MsFlags::MS_REC, nothing)?;
    mount(Some("etc"), "/etc", Some("tmpfs"), MsFlags::empty(), Some("mode=755"))?;
    match resolver {
        Resolver::File | Resolver::Bytes | Resolver::Lines | Resolver::Long | Resolver::Local => {
            fs::write("/etc/resolv.conf", resolv_conf)?;
            // The copy's mode does not depend on it.
            fs::set_permissions("/etc/resolv.conf", Permissions::from_mode(0o640))
        }
        Resolver::Link => {
            fs::write("/etc/stub-resolv.conf", resolv_conf)?;
            symlink("stub-resolv.conf", "/etc/resolv.conf")
        }
        Resolver::None => Ok(()),
        Resolver::Dangling => symlink("nothing", "/etc/resolv.conf"),
        // Root can read every file.
        Resolver::Unreadable => fs::create_dir("/etc/resolv.conf"),
    }
}

/// The mode of the image's `etc`, if that is a directory: the usual one here, and one that
/// closes it even to its owner.
pub const ETC: u32 = 0o711;
pub const CLOSED_ETC: u32 = 0o555;
/// Modes with which not even the owner may read it. With the last one, the owner cannot reach
/// what is in it either.
pub const UNREADABLE_ETC: [u32; 2] = [0o311, 0o000];

pub fn fill_image(image: &Path, outside: &Canary, links: Links, etc: u32) -> Canary {
    fill(image, &[("bin/sh", ""), ("sys/keep", "")]);
    fs::remove_file(image.join("sys/keep")).expect("just made");
    let link = |target: PathBuf, name: &str| {
        symlink(target, image.join(name)).expect("a link in the scratch directory");
    };
    match links {
        Links::Directories => {
            link(outside.folder.clone(), "etc");
            link(outside.folder.join("photos"), "proc");
        }
        Links::Files => {
            directories(image, ["etc", "proc"]);
            link(outside.file(), "etc/resolv.conf");
            link(outside.file(), "etc/hosts");
        }
        Links::None => {
            fill(image, &[("etc/hostname", "image\n"), ("etc/hosts", ""), ("etc/passwd", "")]);
            directories(image, ["proc", "dev"]);
            for (name, mode) in [("proc", 0o1777), ("dev", 0o2775), ("etc", etc)] {
                let mode = Permissions::from_mode(mode);
                fs::set_permissions(image.join(name), mode).expect("just made");
            }
        }
    }
    // As the images of Debian have it.
    fs::set_permissions(image.join("sys"), Permissions::from_mode(0o555)).expect("just made");
    Canary::watch(image.to_owned()).expect("just made")
}
