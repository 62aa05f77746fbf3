//! A layer as it is on disk, and as it must become.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fmt::Write;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, symlink};
use std::path::{Path, PathBuf};

use arbitrary::{Result, Unstructured};
use labkit::describe::{kind, walk};
use labkit::generated::list;
use nix::sys::stat::{Mode, SFlag, mknod};

use crate::overlay::opaque_attribute;

/// What an entry of a layer is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kind {
    Directory,
    /// It hides all that the layers below have in it.
    OpaqueDirectory,
    File,
    /// A file whose name hides nothing, though it begins as if.
    OddFile,
    /// A symbolic link out of the layer.
    Link,
    /// A fifo, which has no device number.
    Fifo,
    /// A socket, which has none either.
    Socket,
    /// It hides the file of this name.
    Whiteout,
    /// A file with a name of AUFS's own.
    OfAufs,
    /// A directory with such a name.
    DirectoryOfAufs,
}

/// What is in a layer: each directory comes before what is in it, and the layer
/// itself, which has no name, is the first.
#[derive(Debug, Clone, PartialEq)]
pub struct Layer {
    pub entries: Vec<(PathBuf, Kind)>,
}

/// Names of AUFS's own: all that begin so are. The first two are in every branch; the next
/// one is that of a file while it is deleted, and the others only begin so.
const OF_AUFS: [&[u8]; 6] = [
    b".wh..wh.aufs",
    b".wh..wh.plnk",
    b".wh..wh.aufs",
    b".wh..wh.a.7f3c",
    b".wh..wh..opq2",
    b".wh..wh.\xff",
];

/// The name of the file that makes its directory opaque for AUFS.
pub const OPAQUE: &str = ".wh..wh..opq";

/// Each path of a layer, and what is there, in words.
pub type Listing = BTreeMap<PathBuf, String>;

impl Layer {
    /// A layer that is made up by chance.
    ///
    /// # Errors
    /// None.
    pub fn generate(choices: &mut Unstructured) -> Result<Layer> {
        // Some of them, and whiteouts of them, sort before the opaque mark, others after it.
        let names: [&[u8]; 8] =
            [b"a", b".b", b".c", b"-d e", b"x.wh.y", b".whale", "é".as_bytes(), b"\xff"];
        let top = *choices.choose(&[Kind::Directory, Kind::OpaqueDirectory])?;
        let mut entries = vec![(PathBuf::new(), top)];
        list(choices, 12, |choices| {
            let is_directory = |kind| matches!(kind, Kind::Directory | Kind::OpaqueDirectory);
            let directories: Vec<PathBuf> = entries
                .iter()
                .filter(|(_, kind)| is_directory(*kind))
                .map(|(path, _)| path.clone())
                .collect();
            let parent = choices.choose(&directories)?.clone();
            let kind = *choices.choose(&[
                Kind::File,
                Kind::Whiteout,
                Kind::Directory,
                Kind::OpaqueDirectory,
                Kind::OfAufs,
                Kind::DirectoryOfAufs,
                Kind::Link,
                Kind::OddFile,
                Kind::Fifo,
                Kind::Socket,
            ])?;
            let path = match kind {
                Kind::OddFile => parent.join(*choices.choose(&[".wh.", ".wh..."])?),
                Kind::OfAufs | Kind::DirectoryOfAufs => {
                    parent.join(OsStr::from_bytes(choices.choose(&OF_AUFS)?))
                }
                _ => parent.join(OsStr::from_bytes(choices.choose(&names)?)),
            };
            if entries.iter().all(|(other, _)| *other != path) {
                entries.push((path, kind));
            }
            Ok(())
        })?;
        Ok(Layer { entries })
    }

    /// Writes it to disk as AUFS would leave it. Links lead to `outside`.
    ///
    /// # Panics
    /// The scratch directory is full.
    pub fn write_for_aufs(&self, layer: &Path, outside: &Path) {
        for (path, kind) in &self.entries {
            let at = layer.join(path);
            let made = match kind {
                Kind::Directory => fs::create_dir_all(&at),
                Kind::OpaqueDirectory => {
                    fs::create_dir_all(&at).and_then(|()| fs::write(at.join(OPAQUE), ""))
                }
                Kind::File | Kind::OddFile => fs::write(&at, "content"),
                Kind::Link => symlink(outside, &at),
                Kind::Fifo => special(&at, SFlag::S_IFIFO),
                Kind::Socket => special(&at, SFlag::S_IFSOCK),
                Kind::Whiteout => fs::write(layer.join(aufs_whiteout(path)), ""),
                Kind::OfAufs => fs::write(&at, ""),
                Kind::DirectoryOfAufs => {
                    fs::create_dir(&at).and_then(|()| fs::write(at.join("17.1000"), ""))
                }
            };
            made.expect("the scratch directory");
        }
    }

    /// Writes it to disk as overlayfs would leave it.
    ///
    /// # Panics
    /// The scratch directory is full, or the attribute cannot be set here.
    pub fn write_for_overlay(&self, layer: &Path, outside: &Path, user_xattr: bool) {
        for (path, kind) in self.entries.iter().filter(|entry| self.is_for_overlay(entry)) {
            let at = layer.join(path);
            match kind {
                Kind::Whiteout => special(&at, SFlag::S_IFCHR),
                Kind::Fifo => special(&at, SFlag::S_IFIFO),
                Kind::Socket => special(&at, SFlag::S_IFSOCK),
                Kind::Link => symlink(outside, &at),
                Kind::File | Kind::OddFile => fs::write(&at, "content"),
                _ => fs::create_dir_all(&at),
            }
            .expect("the scratch directory");
            if *kind == Kind::OpaqueDirectory {
                let set = xattr::set(&at, opaque_attribute(user_xattr), b"y");
                set.expect("an attribute in the scratch directory");
            }
        }
    }

    /// How it must be listed in overlayfs's form.
    pub fn for_overlay(&self) -> Listing {
        let entries = self.entries.iter().filter(|entry| self.is_for_overlay(entry));
        entries.map(|(path, kind)| (path.clone(), words(*kind).to_owned())).collect()
    }

    /// How it must be listed in AUFS's form, if it was in overlayfs's before.
    pub fn for_aufs(&self) -> Listing {
        let mut listing = Listing::new();
        for (path, kind) in self.entries.iter().filter(|entry| self.is_for_overlay(entry)) {
            match kind {
                Kind::Whiteout => {
                    listing.insert(aufs_whiteout(path), EMPTY.to_owned());
                }
                Kind::OpaqueDirectory => {
                    listing.insert(path.clone(), words(Kind::Directory).to_owned());
                    listing.insert(path.join(OPAQUE), EMPTY.to_owned());
                }
                kind => {
                    listing.insert(path.clone(), words(*kind).to_owned());
                }
            }
        }
        listing
    }

    /// Whether overlayfs has it: nothing of AUFS's own, and no whiteout where a
    /// directory is opaque.
    fn is_for_overlay(&self, (path, kind): &&(PathBuf, Kind)) -> bool {
        let is_opaque = |directory: &Path| {
            self.entries.iter().any(|(it, kind)| it == directory && *kind == Kind::OpaqueDirectory)
        };
        match kind {
            Kind::OfAufs | Kind::DirectoryOfAufs => false,
            Kind::Whiteout => !path.ancestors().skip(1).any(is_opaque),
            _ => true,
        }
    }
}

/// Makes a file that is none of data: one of the device 0:0, or of no device.
fn special(path: &Path, kind: SFlag) -> io::Result<()> {
    Ok(mknod(path, kind, Mode::empty(), 0)?)
}

/// Where AUFS has the mark that hides `path`.
pub fn aufs_whiteout(path: &Path) -> PathBuf {
    let mut name = std::ffi::OsString::from(".wh.");
    name.push(path.file_name().unwrap_or_default());
    path.with_file_name(name)
}

const EMPTY: &str = "\"\"";

fn words(kind: Kind) -> &'static str {
    match kind {
        Kind::Directory | Kind::DirectoryOfAufs => "/",
        Kind::OpaqueDirectory => "/ opaque",
        Kind::File | Kind::OddFile => "\"content\"",
        Kind::Link => "link",
        Kind::Fifo => "fifo",
        Kind::Socket => "socket",
        Kind::Whiteout => "whiteout",
        Kind::OfAufs => EMPTY,
    }
}

/// What is in a layer on disk. A link is one, wherever it leads.
pub fn read(layer: &Path, user_xattr: bool) -> Listing {
    let mut listing = Listing::new();
    let _ = walk(layer, &mut |path, data| {
        let name = path.strip_prefix(layer).expect("below the layer").to_owned();
        let opaque = || xattr::get(path, opaque_attribute(user_xattr)).ok().flatten();
        let words = if data.is_symlink() {
            "link".to_owned()
        } else if data.is_dir() {
            match opaque().as_deref() {
                None => "/".to_owned(),
                Some(b"y") => "/ opaque".to_owned(),
                Some(value) => format!("/ opaque={}", value.escape_ascii()),
            }
        } else if data.file_type().is_socket() {
            "socket".to_owned()
        } else {
            kind(path, data).trim_start().replace("whiteout (char 0:0)", "whiteout")
        };
        listing.insert(name, words);
    });
    listing
}

/// A listing, one line for each name.
pub fn drawn(listing: &Listing) -> String {
    let mut drawing = String::new();
    for (path, words) in listing {
        let name = path.as_os_str().as_bytes().escape_ascii();
        let _ = writeln!(drawing, "{}", format!("/{name}  {words}").replace("  /", "/"));
    }
    if drawing.is_empty() { "-".to_owned() } else { drawing }
}
