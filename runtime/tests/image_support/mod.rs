//! Archives made in memory, and a store to import them into.

// Each test file uses a part of this.
#![allow(dead_code, missing_docs)]

use std::ffi::OsStr;
use std::fs::Metadata;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use mydocker::Result;
use mydocker::image::whiteout::WhiteoutForm;
use mydocker::image::{self, Image, Summary};
use mydocker::privileges::Privileges;
use tar::{EntryType, Header};
use tempfile::TempDir;

/// A time that no test runs at.
pub const MTIME: u64 = 1_234_567_890;

pub fn is_root() -> bool {
    Privileges::current() == Privileges::Root
}

/// One entry of an archive that a test makes.
#[derive(Clone)]
pub struct Item {
    pub name: Vec<u8>,
    pub kind: EntryType,
    pub data: Vec<u8>,
    pub link: Vec<u8>,
    pub mode: u32,
    pub owner: (u64, u64),
    pub mtime: u64,
    pub device: (u32, u32),
    pub pax: Vec<(String, Vec<u8>)>,
}

pub fn file(name: impl AsRef<OsStr>, data: impl AsRef<[u8]>) -> Item {
    Item {
        name: name.as_ref().as_bytes().to_vec(),
        kind: EntryType::Regular,
        data: data.as_ref().to_vec(),
        link: Vec::new(),
        mode: 0o644,
        owner: (own_ids().0.into(), own_ids().1.into()),
        mtime: MTIME,
        device: (0, 0),
        pax: Vec::new(),
    }
}

pub fn directory(name: impl AsRef<OsStr>) -> Item {
    Item { kind: EntryType::Directory, mode: 0o755, ..file(name, "") }
}

pub fn symlink(name: impl AsRef<OsStr>, target: impl AsRef<OsStr>) -> Item {
    let link = target.as_ref().as_bytes().to_vec();
    Item { kind: EntryType::Symlink, link, mode: 0o777, ..file(name, "") }
}

pub fn hard_link(name: impl AsRef<OsStr>, target: impl AsRef<OsStr>) -> Item {
    Item { kind: EntryType::Link, ..symlink(name, target) }
}

pub fn node(name: impl AsRef<OsStr>, kind: EntryType, device: (u32, u32)) -> Item {
    Item { kind, device, ..file(name, "") }
}

impl Item {
    pub fn mode(self, mode: u32) -> Item {
        Item { mode, ..self }
    }

    pub fn owner(self, uid: u64, gid: u64) -> Item {
        Item { owner: (uid, gid), ..self }
    }

    pub fn mtime(self, mtime: u64) -> Item {
        Item { mtime, ..self }
    }

    pub fn pax(mut self, key: &str, value: impl AsRef<[u8]>) -> Item {
        self.pax.push((key.into(), value.as_ref().into()));
        self
    }

    pub fn xattr(self, name: &str, value: impl AsRef<[u8]>) -> Item {
        self.pax(&format!("SCHILY.xattr.{name}"), value)
    }
}

pub fn own_ids() -> (u32, u32) {
    (nix::unistd::geteuid().as_raw(), nix::unistd::getegid().as_raw())
}

/// The archive of these entries, with its end mark.
pub fn tar(items: &[Item]) -> Vec<u8> {
    let mut archive = tar_without_end(items);
    archive.resize(archive.len() + 1024, 0);
    archive
}

pub fn tar_without_end(items: &[Item]) -> Vec<u8> {
    let mut archive = Vec::new();
    for item in items {
        if !item.pax.is_empty() {
            let mut records = Vec::new();
            for (key, value) in &item.pax {
                records.extend(pax_record(key, value));
            }
            append(&mut archive, b"pax", &records, |header| {
                header.set_entry_type(EntryType::XHeader);
            });
        }
        for (kind, name) in
            [(EntryType::GNULongName, &item.name), (EntryType::GNULongLink, &item.link)]
        {
            if name.len() > 100 {
                let data = [name, &b"\0"[..]].concat();
                append(&mut archive, b"././@LongLink", &data, |h| h.set_entry_type(kind));
            }
        }
        append(&mut archive, &item.name, &item.data, |header| {
            header.set_entry_type(item.kind);
            header.set_mode(item.mode);
            header.set_uid(item.owner.0);
            header.set_gid(item.owner.1);
            header.set_mtime(item.mtime);
            let link = &item.link[..item.link.len().min(100)];
            header.as_old_mut().linkname[..link.len()].copy_from_slice(link);
            if matches!(item.kind, EntryType::Char | EntryType::Block) {
                header.set_device_major(item.device.0).unwrap();
                header.set_device_minor(item.device.1).unwrap();
            }
        });
    }
    archive
}

/// Appends a header block as `set` makes it, and the data.
pub fn append(archive: &mut Vec<u8>, name: &[u8], data: &[u8], set: impl FnOnce(&mut Header)) {
    let mut header = Header::new_gnu();
    let name = &name[..name.len().min(100)];
    header.as_old_mut().name[..name.len()].copy_from_slice(name);
    header.set_size(data.len() as u64);
    set(&mut header);
    header.set_cksum();
    archive.extend(header.as_bytes());
    archive.extend(data);
    archive.resize(archive.len().next_multiple_of(512), 0);
}

/// `LENGTH KEY=VALUE\n`, where the length counts itself too.
fn pax_record(key: &str, value: &[u8]) -> Vec<u8> {
    let rest = key.len() + value.len() + 3;
    let length = (rest..).find(|length| rest + length.to_string().len() == *length).unwrap();
    [format!("{length} {key}=").as_bytes(), value, b"\n"].concat()
}

/// A store in a folder of its own, beside a file that nobody may touch.
pub struct Store {
    folder: TempDir,
}

impl Store {
    pub fn new() -> Store {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("canary"), "alive").unwrap();
        Store { folder }
    }

    pub fn outside(&self) -> &Path {
        self.folder.path()
    }

    pub fn root(&self) -> PathBuf {
        self.folder.path().join("root")
    }

    pub fn images(&self) -> PathBuf {
        self.root().join("images")
    }

    /// Writes bytes to a file that can be imported.
    pub fn save(&self, bytes: &[u8]) -> PathBuf {
        let path = self.folder.path().join("archive");
        std::fs::File::create(&path).unwrap().write_all(bytes).unwrap();
        path
    }

    /// Imports an archive as the image `it`.
    pub fn import(&self, bytes: &[u8]) -> Result<Summary> {
        self.import_as(bytes, WhiteoutForm::Overlay)
    }

    pub fn import_as(&self, bytes: &[u8], form: WhiteoutForm) -> Result<Summary> {
        image::import(&self.root(), "it", &self.save(bytes), form, false)
    }

    pub fn open(&self) -> Image {
        Image::open(&self.root(), "it").unwrap()
    }

    /// A path in the layer `number`, of which 0 is the bottom one.
    pub fn layer(&self, number: usize) -> PathBuf {
        self.images().join(format!("it/layers/{number:02}"))
    }

    /// What lies at `path` in the bottom layer.
    pub fn lstat(&self, path: &str) -> Metadata {
        let path = self.layer(0).join(path);
        path.symlink_metadata().unwrap_or_else(|error| panic!("{path:?}: {error}"))
    }

    pub fn read(&self, path: &str) -> String {
        std::fs::read_to_string(self.layer(0).join(path)).unwrap()
    }

    /// Imports an archive that must be refused: what remains is nothing, and
    /// nothing outside was touched. Returns the error's text.
    #[track_caller]
    pub fn refused(&self, bytes: &[u8]) -> String {
        let error = self.import(bytes).expect_err("it was imported").to_string();
        assert_eq!(self.left(), [""; 0], "something remains");
        self.assert_untouched();
        error
    }

    /// The names in the folder of the images.
    pub fn left(&self) -> Vec<String> {
        names(&self.images())
    }

    #[track_caller]
    pub fn assert_untouched(&self) {
        let outside: Vec<String> =
            names(self.outside()).into_iter().filter(|name| name != "archive").collect();
        assert_eq!(outside, ["canary", "root"], "something was made outside of the store");
        let canary = std::fs::read_to_string(self.outside().join("canary")).unwrap();
        assert_eq!(canary, "alive", "a file outside of the store was written");
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        // A layer may have directories that their owner cannot read.
        let _ = mydocker::workspace::delete::delete_tree(&self.root());
    }
}

/// The names in a folder, sorted; none if it is not there.
pub fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// An extended attribute, if there is one.
pub fn xattr(path: &Path, name: &str) -> Option<Vec<u8>> {
    let mut value = vec![0; 256];
    let length = rustix::fs::lgetxattr(path, name, &mut value).ok()?;
    value.truncate(length);
    Some(value)
}
