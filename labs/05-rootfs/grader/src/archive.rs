//! Archives that the grader makes.

use std::ffi::OsStr;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};
use std::rc::Rc;

use labkit::BUSYBOX_TAR;
use labkit::canary::random_words;
use labkit::verdict::Evidence;
use tar::{EntryType, Header};

/// User and group, in as many bits as an archive has for them.
pub type Owner = (u64, u64);

/// What an archive has of one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub name: PathBuf,
    pub kind: Kind,
    pub mode: u32,
    pub owner: Owner,
    /// In seconds since 1970.
    pub mtime: u64,
}

/// A name as a listing has it, without `./` and the like.
pub fn plain(name: &Path) -> PathBuf {
    name.components().filter(|part| matches!(part, Component::Normal(_))).collect()
}

/// What kind of file it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    File(Rc<[u8]>),
    Folder,
    Symlink(PathBuf),
    HardLink(PathBuf),
    /// Its major and minor number.
    Char(u32, u32),
    Block(u32, u32),
    Fifo,
    /// Of a type that nobody is asked to unpack: its letter, and what is in it.
    Unknown(u8, &'static str),
}

/// An archive, as a list of what is in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Archive {
    pub entries: Vec<Entry>,
}

/// The time of the first entry of an archive; each other one has its own.
const FIRST_TIME: u64 = 1_500_000_000;
const APART: u64 = 100_000;

pub fn folder(name: impl Into<PathBuf>, mode: u32) -> Entry {
    entry(name, Kind::Folder, mode)
}

pub fn file(name: impl Into<PathBuf>, mode: u32, content: impl AsRef<[u8]>) -> Entry {
    entry(name, Kind::File(content.as_ref().into()), mode)
}

pub fn symlink(name: impl Into<PathBuf>, target: impl Into<PathBuf>) -> Entry {
    entry(name, Kind::Symlink(target.into()), 0o777)
}

pub fn hard_link(name: impl Into<PathBuf>, target: impl Into<PathBuf>) -> Entry {
    entry(name, Kind::HardLink(target.into()), 0o644)
}

pub fn entry(name: impl Into<PathBuf>, kind: Kind, mode: u32) -> Entry {
    Entry { name: name.into(), kind, mode, owner: (0, 0), mtime: 0 }
}

impl Archive {
    /// An archive of these entries, which get times of their own. A hard link
    /// says of its file what that file's entry says.
    pub fn new(entries: impl IntoIterator<Item = Entry>) -> Archive {
        let mut archive = Archive { entries: Vec::new() };
        for (mut entry, number) in entries.into_iter().zip(0..) {
            entry.mtime = FIRST_TIME + number * APART;
            if let Some(file) = archive.linked(&entry) {
                entry = Entry { name: entry.name, kind: entry.kind, ..file.clone() };
            }
            archive.entries.push(entry);
        }
        archive
    }

    /// The file that `entry` is another name of.
    fn linked(&self, entry: &Entry) -> Option<&Entry> {
        let Kind::HardLink(target) = &entry.kind else { return None };
        self.entries.iter().find(|it| plain(&it.name) == plain(target))
    }

    /// The same, where no hard link's own header says what its file's entry says. An
    /// ordinary user's sandbox has no other `owner` than root.
    pub fn with_other_links(mut self, owner: Owner) -> Archive {
        let is_link = |entry: &&mut Entry| matches!(entry.kind, Kind::HardLink(_));
        for link in self.entries.iter_mut().filter(is_link) {
            (link.mode, link.owner, link.mtime) = (0o641, owner, link.mtime + APART / 2);
        }
        self
    }

    /// The same, with the bits of the file's type in each mode, as Docker's archive code
    /// writes them. See inode(7).
    pub fn with_type_bits(mut self) -> Archive {
        for entry in &mut self.entries {
            entry.mode |= match entry.kind {
                Kind::Folder => 0o040000,
                Kind::Symlink(_) => 0o120000,
                _ => 0o100000,
            };
        }
        self
    }

    /// The same without its first entry, the layer itself.
    pub fn without_layer(mut self) -> Archive {
        self.entries.remove(0);
        self
    }

    /// The same, where all was last changed at the beginning of 1970.
    pub fn without_times(mut self) -> Archive {
        self.entries.iter_mut().for_each(|entry| entry.mtime = 0);
        self
    }

    /// The entries that are other names of files.
    pub fn hard_links(&self) -> Vec<Entry> {
        let links = self.entries.iter().filter(|it| matches!(it.kind, Kind::HardLink(_)));
        links.cloned().collect()
    }

    /// A root file system with something of everything that anybody may make.
    pub fn small() -> Archive {
        let words = || random_words().expect("random words");
        // More than is read or written at once, and no text.
        let program: Vec<u8> = words().bytes().cycle().map(|byte| !byte).take(200_000).collect();
        // Together more than the 100 bytes that a header has room for.
        let long_folder = format!("usr/lib/{}/", "goes-on-and-on-".repeat(4));
        let long = format!("{long_folder}{}", "and-is-not-at-its-end-".repeat(4));
        Archive::new([
            folder("./", 0o751),
            folder("bin/", 0o755),
            file("bin/busybox", 0o4755, program),
            hard_link("bin/ash", "bin/busybox"),
            hard_link("bin/[", "./bin/busybox"),
            symlink("bin/sh", "busybox"),
            folder("etc/", 0o705),
            file("etc/passwd", 0o644, words()),
            file("etc/shadow", 0o604, words()),
            file("etc/empty", 0o400, ""),
            file("etc/a name with blanks", 0o666, words()),
            folder("root/", 0o700),
            folder("tmp/", 0o1777),
            folder("usr/", 0o755),
            folder("usr/lib/", 0o555),
            folder(&long_folder, 0o755),
            file(&long, 0o644, words()),
            symlink("usr/bin", "../bin"),
            folder("var/", 0o2775),
            file("var/mailer", 0o2711, words()),
        ])
    }

    /// Names that may look like more than names, and are none but names.
    pub fn odd_names() -> Archive {
        let latin_1 = OsStr::from_bytes(b"etc/caf\xe9");
        Archive::new([
            folder("./", 0o755),
            folder("etc/", 0o755),
            file("etc/a..b", 0o644, "dots"),
            file("etc/..b", 0o644, "more dots"),
            file("etc/...", 0o644, "three dots"),
            file("..hidden", 0o644, "not the parent"),
            file("etc/-rf", 0o644, "no option"),
            file("etc/two\nlines", 0o644, "one name"),
            file(latin_1, 0o644, "no UTF-8"),
        ])
    }

    /// Symbolic links to such names, and to a long one.
    pub fn odd_links() -> Archive {
        Archive::new([
            folder("./", 0o755),
            symlink("dots", "a..b/..."),
            symlink("long", "a-long-way/".repeat(20)),
            symlink("latin-1", OsStr::from_bytes(b"caf\xe9")),
        ])
    }

    /// The busybox of the kit, owned by root: an ordinary user's sandbox has
    /// nobody else.
    pub fn busybox() -> Archive {
        let mut archive = tar::Archive::new(BUSYBOX_TAR);
        let entries = archive.entries().expect("the kit's archive");
        let entries = entries.map(|entry| {
            let mut entry = entry.expect("the kit's archive");
            let target = entry.link_name().expect("a name").unwrap_or_default().into_owned();
            let header = entry.header().clone();
            let kind = match header.entry_type() {
                EntryType::Directory => Kind::Folder,
                EntryType::Symlink => Kind::Symlink(target),
                EntryType::Link => Kind::HardLink(target),
                // An image may have devices; this user may not.
                EntryType::Char | EntryType::Block => return None,
                _ => {
                    let mut content = Vec::new();
                    entry.read_to_end(&mut content).expect("the kit's archive");
                    Kind::File(content.into())
                }
            };
            let name = entry.path().expect("a name").into_owned();
            let (mode, mtime) = (header.mode().expect("a mode"), header.mtime().expect("a time"));
            Some(Entry { name, kind, mode: mode & 0o7777, owner: (0, 0), mtime })
        });
        Archive { entries: entries.flatten().collect() }
    }

    /// The same, and `entry` as the last one.
    pub fn and(mut self, entry: Entry) -> Archive {
        self.entries.push(entry);
        Archive::new(self.entries)
    }

    /// What is in it, as `tar --list` shows it.
    pub fn evidence(&self) -> Evidence {
        let lines = self.entries.iter().map(|Entry { name, kind, owner, .. }| {
            let rest = match kind {
                Kind::Symlink(target) => format!(" -> {}", target.display()),
                Kind::HardLink(target) => format!(" link to {}", target.display()),
                Kind::Char(major, minor) => format!("  char {major}:{minor}"),
                Kind::Block(major, minor) => format!("  block {major}:{minor}"),
                Kind::Unknown(letter, _) => format!("  type {:?}", char::from(*letter)),
                Kind::File(_) | Kind::Folder | Kind::Fifo => String::new(),
            };
            // Only odd owners are shown.
            let owner = match owner.0.max(owner.1) >= u32::MAX.into() {
                true => format!("  owner {}:{}", owner.0, owner.1),
                false => String::new(),
            };
            format!("{}{rest}{owner}", name.display())
        });
        let drawing = lines.collect::<Vec<_>>().join("\n");
        Evidence::Tree { what: "tar --list".to_owned(), drawing }
    }

    /// The archive as tar(5) says.
    pub fn to_tar(&self) -> Vec<u8> {
        let mut builder = tar::Builder::new(Vec::new());
        for entry in &self.entries {
            entry.append(&mut builder);
        }
        builder.into_inner().expect("writing to memory")
    }
}

impl Entry {
    fn append(&self, builder: &mut tar::Builder<Vec<u8>>) {
        let mut header = Header::new_gnu();
        let mut data: &[u8] = &[];
        let kind = match &self.kind {
            Kind::File(content) => {
                data = content;
                EntryType::Regular
            }
            Kind::Folder => EntryType::Directory,
            Kind::Unknown(letter, content) => {
                data = content.as_bytes();
                EntryType::new(*letter)
            }
            Kind::Symlink(target) | Kind::HardLink(target) => {
                let target = target.as_os_str().as_bytes();
                if header.set_link_name_literal(target).is_err() {
                    append_long(builder, EntryType::GNULongLink, target);
                    let beginning = &target[..header.as_old().linkname.len()];
                    header.set_link_name_literal(beginning).expect("as long as its field");
                }
                match self.kind {
                    Kind::Symlink(_) => EntryType::Symlink,
                    _ => EntryType::Link,
                }
            }
            Kind::Char(major, minor) | Kind::Block(major, minor) => {
                header.set_device_major(*major).expect("a field of the GNU format");
                header.set_device_minor(*minor).expect("a field of the GNU format");
                match self.kind {
                    Kind::Char(..) => EntryType::Char,
                    _ => EntryType::Block,
                }
            }
            Kind::Fifo => {
                // As docker writes it: a number that means nothing.
                header.set_device_major(0).expect("a field of the GNU format");
                header.set_device_minor(0).expect("a field of the GNU format");
                EntryType::Fifo
            }
        };
        header.set_entry_type(kind);
        header.set_mode(self.mode);
        header.set_uid(self.owner.0);
        header.set_gid(self.owner.1);
        header.set_mtime(self.mtime);
        if self.owner != (0, 0) {
            // What these numbers are called in the container is nothing to the host.
            header.set_username("root").expect("a field of the GNU format");
            header.set_groupname("root").expect("a field of the GNU format");
        }
        header.set_size(data.len() as u64);

        // `set_path` would refuse the names that hostile archives have.
        let name: &[u8] = OsStr::as_bytes(self.name.as_os_str());
        let field = &mut header.as_old_mut().name;
        let beginning = &name[..name.len().min(field.len())];
        field[..beginning.len()].copy_from_slice(beginning);
        if beginning.len() < name.len() {
            append_long(builder, EntryType::GNULongName, name);
        }
        header.set_cksum();
        builder.append(&header, data).expect("writing to memory");
    }
}

/// The name that the next header has no room for, or what it is a link to. See
/// tar(5), GNU tar archives.
fn append_long(builder: &mut tar::Builder<Vec<u8>>, kind: EntryType, name: &[u8]) {
    let data = [name, b"\0"].concat();
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_size(data.len() as u64);
    header.set_cksum();
    builder.append(&header, &*data).expect("writing to memory");
}
