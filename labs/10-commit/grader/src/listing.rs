//! What an archive of a write layer must have, as the layer lies on disk, and how that
//! which was written differs.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use nix::sys::stat::{major, minor};

use crate::archive::{Entry, Kind};

/// What is different about an entry, the worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Aspect {
    Extra,
    Missing,
    Twice,
    Kind,
    Content,
    Owner,
    Mode,
    Time,
    Xattrs,
    Order,
}

/// One thing that is not as it must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    pub aspect: Aspect,
    pub name: Vec<u8>,
    pub expected: Option<Entry>,
    pub written: Option<Entry>,
}

/// The entries of a write layer, in their order.
///
/// # Errors
/// The layer cannot be read.
pub fn expected(top: &Path) -> io::Result<Vec<Entry>> {
    let mut entries = Vec::new();
    add(top, Path::new(""), &mut HashMap::new(), &mut entries)?;
    Ok(entries)
}

fn add(
    top: &Path,
    directory: &Path,
    first_names: &mut HashMap<u64, Vec<u8>>,
    entries: &mut Vec<Entry>,
) -> io::Result<()> {
    let names = fs::read_dir(top.join(directory))?.map(|entry| Ok(entry?.file_name()));
    let mut names = names.collect::<io::Result<Vec<_>>>()?;
    names.sort();
    for name in names {
        let path = directory.join(&name);
        let on_disk = top.join(&path);
        let data = on_disk.symlink_metadata()?;
        let kind = data.file_type();
        let mark = |name: Vec<u8>| {
            let path = directory.join(Path::new(std::ffi::OsStr::from_bytes(&name)));
            mark(&path)
        };
        if kind.is_char_device() && data.rdev() == 0 {
            entries.push(mark([b".wh.", name.as_bytes()].concat()));
            continue;
        }
        let device = (major(data.rdev()) as u32, minor(data.rdev()) as u32);
        let bytes = path.as_os_str().as_bytes().to_vec();
        let first = first_names.entry(data.ino()).or_insert_with(|| bytes.clone()).clone();
        let what = match kind {
            kind if kind.is_socket() => continue,
            kind if kind.is_dir() => Kind::Directory,
            _ if first != bytes => Kind::HardLink(first),
            kind if kind.is_file() => Kind::File(fs::read(&on_disk)?),
            kind if kind.is_symlink() => {
                Kind::Symlink(on_disk.read_link()?.into_os_string().as_bytes().to_vec())
            }
            kind if kind.is_char_device() => Kind::Char(device.0, device.1),
            kind if kind.is_block_device() => Kind::Block(device.0, device.1),
            _ => Kind::Fifo,
        };
        let is_directory = what == Kind::Directory;
        let all = attributes(&on_disk)?;
        let is_opaque =
            all.iter().any(|(name, value)| name.ends_with(b".overlay.opaque") && value == b"y");
        let is_own = |name: &[u8]| {
            [&b"trusted.overlay."[..], b"user.overlay."].iter().any(|it| name.starts_with(it))
        };
        entries.push(Entry {
            name: bytes,
            kind: what,
            mode: data.mode() & 0o7777,
            owner: (data.uid().into(), data.gid().into()),
            mtime: data.mtime().into(),
            xattrs: all.into_iter().filter(|(name, _)| !is_own(name)).collect(),
        });
        if is_directory {
            if is_opaque {
                entries.push(self::mark(&path.join(".wh..wh..opq")));
            }
            add(top, &path, first_names, entries)?;
        }
    }
    Ok(())
}

fn attributes(path: &Path) -> io::Result<BTreeMap<Vec<u8>, Vec<u8>>> {
    let mut all = BTreeMap::new();
    for name in xattr::list(path)? {
        let value = xattr::get(path, &name)?.unwrap_or_default();
        all.insert(name.as_bytes().to_vec(), value);
    }
    Ok(all)
}

/// An empty file. Only its name counts.
fn mark(path: &Path) -> Entry {
    Entry {
        name: PathBuf::from(path).into_os_string().as_bytes().to_vec(),
        kind: Kind::File(Vec::new()),
        mode: 0,
        owner: (0, 0),
        mtime: 0,
        xattrs: BTreeMap::new(),
    }
}

/// Whether an entry says that something is deleted.
pub fn is_mark(name: &[u8]) -> bool {
    name.rsplit(|byte| *byte == b'/').next().is_some_and(|it| it.starts_with(b".wh."))
}

/// How the entries that were written differ, the worst first.
pub fn differences(expected: &[Entry], written: &[Entry]) -> Vec<Difference> {
    let find = |all: &[Entry], name: &[u8]| all.iter().find(|it| it.name == name).cloned();
    let mut all = Vec::new();
    let mut add = |aspect, name: &[u8], must: Option<Entry>, is: Option<Entry>| {
        all.push(Difference { aspect, name: name.to_vec(), expected: must, written: is });
    };
    for (at, is) in written.iter().enumerate() {
        if written[..at].iter().any(|it| it.name == is.name) {
            add(Aspect::Twice, &is.name, None, Some(is.clone()));
        }
        if find(expected, &is.name).is_none() {
            add(Aspect::Extra, &is.name, None, Some(is.clone()));
        }
    }
    for must in expected {
        let Some(is) = find(written, &must.name) else {
            add(Aspect::Missing, &must.name, Some(must.clone()), None);
            continue;
        };
        if let Some(aspect) = differs(must, &is) {
            add(aspect, &must.name, Some(must.clone()), Some(is));
        }
    }
    let common = |all: &[Entry], others: &[Entry]| {
        all.iter().filter(|it| find(others, &it.name).is_some()).cloned().collect::<Vec<_>>()
    };
    let pairs = common(expected, written).into_iter().zip(common(written, expected));
    if let Some((must, is)) = pairs.into_iter().find(|(must, is)| must.name != is.name) {
        let (name, aspect) = (is.name.clone(), Aspect::Order);
        all.push(Difference { aspect, name, expected: Some(must), written: Some(is) });
    }
    all.sort_by_key(|it| it.aspect);
    all
}

/// The worst thing that is different about an entry.
fn differs(must: &Entry, is: &Entry) -> Option<Aspect> {
    match (&must.kind, &is.kind) {
        (Kind::File(must), Kind::File(is)) if must != is => return Some(Aspect::Content),
        (must, is) if must != is => return Some(Aspect::Kind),
        // A hard link need not repeat what its file has. If it has attributes, they are set again.
        (Kind::HardLink(_), _) => {
            let is_right = is.xattrs.is_empty() || is.xattrs == must.xattrs;
            return (!is_right).then_some(Aspect::Xattrs);
        }
        _ if is_mark(&must.name) => return None,
        _ => {}
    }
    // A symbolic link has no mode.
    let is_link = matches!(must.kind, Kind::Symlink(_));
    [
        (Aspect::Owner, must.owner != is.owner),
        (Aspect::Mode, !is_link && must.mode != is.mode & 0o7777),
        (Aspect::Time, must.mtime != is.mtime),
        (Aspect::Xattrs, must.xattrs != is.xattrs),
    ]
    .into_iter()
    .find(|(_, differs)| *differs)
    .map(|(aspect, _)| aspect)
}
