//! Entries of an archive, byte by byte: also such as no tar would write.

#![allow(dead_code, missing_docs)]

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use tar::{EntryType, Header};

/// A time that no test runs at.
pub const MTIME: u64 = 1_234_567_890;

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
    pub fn data(self, data: Vec<u8>) -> Item {
        Item { data, ..self }
    }

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
            if !item.pax.is_empty() {
                // Of POSIX, or GNU tar takes a sparse file's map for data.
                header.as_mut_bytes()[257..265].copy_from_slice(b"ustar\x0000");
            }
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
