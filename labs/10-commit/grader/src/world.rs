//! Layers that the grader makes: as a list of what is in them, and on disk.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::{self, Permissions};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use nix::fcntl::AT_FDCWD;
use nix::sys::stat::{Mode, SFlag, UtimensatFlags, makedev, mknod, utimensat};
use nix::sys::time::TimeSpec;

/// A layer: what there is at each path. The order is that of the names, and a
/// directory comes before what is in it.
pub type Tree = BTreeMap<PathBuf, Node>;

/// The time of everything without its own time, in seconds and nanoseconds.
pub const TIME: (i64, i64) = (1_600_000_000, 123_456_789);

/// What there is at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    pub what: What,
    pub mode: u32,
    /// In seconds and nanoseconds.
    pub mtime: (i64, i64),
    /// Extended attributes, in the order in which they are set.
    pub xattrs: Vec<(String, Vec<u8>)>,
}

/// What kind of file it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    Directory,
    File(Vec<u8>),
    Symlink(PathBuf),
    /// Another name of the file at this path, which comes before.
    Link(PathBuf),
    Whiteout,
    Fifo,
    Socket,
}

impl Node {
    pub fn new(what: What) -> Node {
        let mode = match what {
            What::Directory => 0o755,
            What::Symlink(_) => 0o777,
            _ => 0o644,
        };
        Node { what, mode, mtime: TIME, xattrs: Vec::new() }
    }

    pub fn with_mode(self, mode: u32) -> Node {
        Node { mode, ..self }
    }

    pub fn with_mtime(self, seconds: i64, nanoseconds: i64) -> Node {
        Node { mtime: (seconds, nanoseconds), ..self }
    }

    pub fn with_xattr(mut self, name: &str, value: &[u8]) -> Node {
        self.xattrs.push((name.to_owned(), value.to_vec()));
        self
    }

    /// Whether it hides all that lower layers have in it.
    pub fn is_opaque(&self) -> bool {
        self.what == What::Directory
            && self.xattrs.iter().any(|(name, value)| name == OPAQUE && value == b"y")
    }
}

/// What makes a directory opaque in a user namespace.
pub const OPAQUE: &str = "user.overlay.opaque";

pub fn directory() -> Node {
    Node::new(What::Directory)
}

pub fn opaque() -> Node {
    directory().with_xattr(OPAQUE, b"y")
}

pub fn file(content: impl AsRef<[u8]>) -> Node {
    Node::new(What::File(content.as_ref().to_vec()))
}

pub fn link_to(target: impl Into<PathBuf>) -> Node {
    Node::new(What::Symlink(target.into()))
}

pub fn name_of(first: impl Into<PathBuf>) -> Node {
    Node::new(What::Link(first.into()))
}

pub fn whiteout() -> Node {
    Node::new(What::Whiteout)
}

/// A path that need not be UTF-8.
pub fn name(bytes: &'static [u8]) -> &'static Path {
    Path::new(OsStr::from_bytes(bytes))
}

/// A layer of these, and of the directories that they need.
pub fn tree<P: Into<PathBuf>>(nodes: impl IntoIterator<Item = (P, Node)>) -> Tree {
    let mut tree = Tree::new();
    for (path, node) in nodes {
        let path = path.into();
        for parent in path.ancestors().skip(1).filter(|it| *it != Path::new("")) {
            tree.entry(parent.to_owned()).or_insert_with(directory);
        }
        tree.insert(path, node);
    }
    tree
}

/// Lays a layer to the new directory `top`.
///
/// # Panics
/// The sandbox does not allow it.
pub fn lay(tree: &Tree, top: &Path) {
    lay_in(tree.keys(), tree, top);
}

/// The same, with its files made the other way round: only the directories that they
/// need come before them.
pub fn lay_backwards(tree: &Tree, top: &Path) {
    let is_link = |path: &&PathBuf| matches!(tree[*path].what, What::Link(_));
    let links = tree.keys().filter(is_link);
    let others = tree.keys().rev().filter(|path| !is_link(path));
    lay_in(others.chain(links), tree, top);
}

fn lay_in<'a>(paths: impl Iterator<Item = &'a PathBuf>, tree: &Tree, top: &Path) {
    fs::create_dir_all(top).expect("the scratch directory");
    let mut whiteout = None;
    for path in paths {
        let made = make(&tree[path], &top.join(path), top, &mut whiteout);
        made.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }
    // The times of directories change with each file that is made in them.
    for (path, node) in tree.iter().rev() {
        let done = set_attributes(node, &top.join(path));
        done.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }
    set_time(top, TIME).expect("the scratch directory");
}

/// Makes what there is at a path. As a kernel does it, all whiteouts of a layer are names
/// of one: the first is kept in `whiteout`.
fn make(node: &Node, path: &Path, top: &Path, whiteout: &mut Option<PathBuf>) -> io::Result<()> {
    fs::create_dir_all(path.parent().expect("it is below the top"))?;
    match &node.what {
        // Something in it may have come first.
        What::Directory => fs::create_dir_all(path),
        What::File(content) => fs::write(path, content),
        What::Symlink(target) => symlink(target, path),
        What::Link(first) => fs::hard_link(top.join(first), path),
        What::Whiteout => match whiteout {
            Some(first) => fs::hard_link(first, path),
            None => {
                mknod(path, SFlag::S_IFCHR, Mode::empty(), makedev(0, 0))?;
                *whiteout = Some(path.to_owned());
                Ok(())
            }
        },
        What::Fifo => Ok(mknod(path, SFlag::S_IFIFO, Mode::empty(), 0)?),
        What::Socket => UnixListener::bind(path).map(drop),
    }
}

fn set_attributes(node: &Node, path: &Path) -> io::Result<()> {
    match node.what {
        What::Link(_) => return Ok(()),
        What::Symlink(_) | What::Whiteout => {}
        _ => {
            for (name, value) in &node.xattrs {
                xattr::set(path, name, value)?;
            }
            fs::set_permissions(path, Permissions::from_mode(node.mode))?;
        }
    }
    set_time(path, node.mtime)
}

/// Sets the modification time of a file, never of what a link leads to.
pub fn set_time(path: &Path, (seconds, nanoseconds): (i64, i64)) -> io::Result<()> {
    let time = TimeSpec::new(seconds, nanoseconds);
    Ok(utimensat(AT_FDCWD, path, &time, &time, UtimensatFlags::NoFollowSymlink)?)
}
