//! The mount table: `/proc/thread-self/mountinfo`, its tree and its changes.
//!
//! The file is read for the *thread*, because each thread can be in its own mount
//! namespace. Its format is in proc_pid_mountinfo(5).

mod difference;
mod tree;

use std::ffi::OsString;
use std::fs::File;
use std::io::Read;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use serde::{Serialize, Serializer};

pub use difference::{Change, difference};

use crate::error::{Error, Result};
use crate::on_path::OnPath;

/// Room for a mount table of about a hundred lines.
const TABLE_SIZE: usize = 16 * 1024;

/// One line of the mount table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Mount {
    /// The mount ID. The kernel reuses it when the mount is gone.
    pub id: u32,
    /// The mount ID of the mount that this one is mounted on.
    pub parent: u32,
    /// `major:minor` of the file system, the `st_dev` of its files.
    pub device: String,
    /// The directory of the file system that is mounted: `/`, or the directory that was
    /// bound.
    #[serde(serialize_with = "lossy")]
    pub root: PathBuf,
    /// Where it is mounted, as seen from the reader's root.
    #[serde(serialize_with = "lossy")]
    pub mount_point: PathBuf,
    /// The options of this mount alone: `rw,nosuid`.
    pub options: String,
    /// Propagation: `shared:N`, `master:N`, `propagate_from:N`, `unbindable`;
    /// none of them means private.
    pub optional_fields: Vec<String>,
    /// The type of the file system: `overlay`.
    pub fs_type: String,
    /// What was mounted: a device, or any word.
    #[serde(serialize_with = "lossy")]
    pub source: PathBuf,
    /// The options of the file system, the same in all its mounts.
    pub super_options: String,
}

/// Paths may be any bytes; JSON may not.
fn lossy<S: Serializer>(path: &Path, serializer: S) -> std::result::Result<S::Ok, S::Error> {
    serializer.serialize_str(&path.to_string_lossy())
}

impl Mount {
    /// Whether the mount passes mounts below it on to its peers, and receives theirs.
    pub fn is_shared(&self) -> bool {
        self.optional_fields.iter().any(|field| field.starts_with("shared:"))
    }

    /// The optional fields in one word, `private` if there are none.
    pub fn propagation(&self) -> String {
        match self.optional_fields.as_slice() {
            [] => "private".into(),
            fields => fields.join(","),
        }
    }

    /// The value of one option of the file system: `upperdir` of an overlay.
    pub fn super_option(&self, name: &str) -> Option<&str> {
        self.super_options
            .split(',')
            .find_map(|option| option.strip_prefix(name)?.strip_prefix('='))
    }

    /// Parses one line, without its line feed.
    ///
    /// # Errors
    /// Names the field that is missing or is not a number.
    pub fn parse(line: &[u8]) -> Result<Mount> {
        let complain = |field: &str| {
            let line = String::from_utf8_lossy(line);
            Error::new(format!("the mount table has a line without a valid {field}: {line:?}"))
        };
        let mut fields = line.split(|&byte| byte == b' ');
        let mut next = |field: &str| fields.next().ok_or_else(|| complain(field));
        let number = |bytes: &[u8], field: &str| {
            std::str::from_utf8(bytes)
                .ok()
                .and_then(|text| text.parse().ok())
                .ok_or_else(|| complain(field))
        };

        let id = number(next("mount ID")?, "mount ID")?;
        let parent = number(next("parent ID")?, "parent ID")?;
        let device = text(next("device")?);
        let root = PathBuf::from(unescape(next("root")?));
        let mount_point = PathBuf::from(unescape(next("mount point")?));
        let options = text(next("mount options")?);
        let mut optional_fields = Vec::new();
        loop {
            match next("separator \"-\"")? {
                b"-" => break,
                field => optional_fields.push(text(field)),
            }
        }
        let fs_type = text(next("file system type")?);
        let source = PathBuf::from(unescape(next("source")?));
        let super_options = text(next("super options")?);
        Ok(Mount {
            id,
            parent,
            device,
            root,
            mount_point,
            options,
            optional_fields,
            fs_type,
            source,
            super_options,
        })
    }
}

fn text(bytes: &[u8]) -> String {
    unescape(bytes).to_string_lossy().into_owned()
}

/// Undoes the kernel's escapes: space, tab, line feed, `#` and backslash are written as a
/// backslash and three octal digits.
pub fn unescape(bytes: &[u8]) -> OsString {
    // Nearly always there is nothing to undo, and tables can be long.
    if !bytes.contains(&b'\\') {
        return OsString::from_vec(bytes.to_vec());
    }
    let mut plain = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some((&byte, tail)) = rest.split_first() {
        match tail {
            [a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', after @ ..] if byte == b'\\' => {
                plain.push((a - b'0') << 6 | (b - b'0') << 3 | (c - b'0'));
                rest = after;
            }
            _ => {
                plain.push(byte);
                rest = tail;
            }
        }
    }
    OsString::from_vec(plain)
}

/// All mounts that one process sees, in the kernel's order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct MountTable {
    /// The lines of the table.
    pub mounts: Vec<Mount>,
}

impl MountTable {
    /// The table of the calling thread.
    ///
    /// # Errors
    /// /proc is not mounted, or a line cannot be parsed.
    pub fn read() -> Result<MountTable> {
        MountTable::read_from(Path::new("/proc/thread-self/mountinfo"))
    }

    /// The table of the process `pid`.
    ///
    /// # Errors
    /// There is no such process, or it is another user's.
    pub fn read_of(pid: i32) -> Result<MountTable> {
        MountTable::read_from(Path::new(&format!("/proc/{pid}/mountinfo")))
    }

    /// The table in a file of mountinfo's format.
    ///
    /// # Errors
    /// The file cannot be read, or a line cannot be parsed.
    pub fn read_from(path: &Path) -> Result<MountTable> {
        let mut file = File::open(path).on("open", path)?;
        // The kernel writes the table anew for each read: so in one, mostly.
        let mut table = Vec::with_capacity(TABLE_SIZE);
        file.read_to_end(&mut table).on("read", path)?;
        MountTable::parse(&table)
    }

    /// Parses a whole table.
    ///
    /// # Errors
    /// Names the first line that cannot be parsed.
    pub fn parse(table: &[u8]) -> Result<MountTable> {
        let lines = table.split(|&byte| byte == b'\n').filter(|line| !line.is_empty());
        Ok(MountTable { mounts: lines.map(Mount::parse).collect::<Result<_>>()? })
    }

    /// The mount that `path` itself is: the topmost one mounted there.
    ///
    /// `path` is absolute and without symbolic links.
    pub fn at(&self, path: &Path) -> Option<&Mount> {
        self.mounts
            .iter()
            .filter(|mount| mount.mount_point == path)
            .max_by_key(|mount| self.depth(mount))
    }

    /// The mount whose file system holds `path`: the one at it or above it.
    ///
    /// `path` is absolute and without symbolic links.
    pub fn holding(&self, path: &Path) -> Option<&Mount> {
        path.ancestors().find_map(|ancestor| self.at(ancestor))
    }

    /// The mounts at `path` or below it, deepest first, so that each can be
    /// unmounted before what it is mounted on.
    ///
    /// Compares path component by component: `/mnt1` is not below `/mnt`.
    pub fn below(&self, path: &Path) -> Vec<&Mount> {
        let inside = |mount: &&Mount| mount.mount_point.starts_with(path);
        let mut mounts: Vec<&Mount> = self.mounts.iter().filter(inside).collect();
        mounts.sort_by_key(|mount| std::cmp::Reverse(self.depth(mount)));
        mounts
    }

    /// Whether no path leads to `mount`, because another one hides it: one that
    /// is mounted at the same place or above it, and that it is not mounted on.
    pub fn is_covered(&self, mount: &Mount) -> bool {
        let hides = |other: &&Mount| mount.mount_point.starts_with(&other.mount_point);
        let carries = |other: &Mount| self.chain(mount).any(|link| link.id == other.id);
        self.mounts.iter().filter(hides).any(|other| !carries(other))
    }

    /// How many mounts lie under this one, each mounted on the next.
    fn depth(&self, mount: &Mount) -> usize {
        self.chain(mount).count()
    }

    /// This mount, the one that it is mounted on, and so on.
    fn chain<'a>(&'a self, mount: &'a Mount) -> impl Iterator<Item = &'a Mount> {
        let parent = |child: &&Mount| {
            self.mounts.iter().find(|mount| mount.id == child.parent && mount.id != child.id)
        };
        // A broken table may hold a circle: no chain is longer than the table.
        std::iter::successors(Some(mount), parent).take(self.mounts.len())
    }
}
