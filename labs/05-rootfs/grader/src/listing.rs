//! A tree as an archive has it and as it lies on disk, and how they differ.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::{Duration, SystemTime};

use labkit::describe::walk;
use labkit::verdict::Evidence;
use nix::sys::stat::{major, minor};

use crate::archive::{Archive, Kind, Owner, plain};

/// What there is, by its name from the top; the top itself has no name.
pub type Listing = BTreeMap<PathBuf, Node>;

/// One name in a tree, and what it is a name of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    pub what: What,
    pub mode: u32,
    pub owner: Owner,
    /// In seconds since 1970.
    pub mtime: i64,
    /// The first name of the same file.
    pub first_name: PathBuf,
}

/// What a file is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    File(Rc<[u8]>),
    Folder,
    Symlink(PathBuf),
    /// `char 1:3`.
    Device(String),
    Fifo,
    Other,
}

impl What {
    fn kind(&self) -> &str {
        match self {
            What::File(_) => "a regular file",
            What::Folder => "a directory",
            What::Symlink(_) => "a symbolic link",
            What::Device(device) => device,
            What::Fifo => "a fifo",
            What::Other => "something else",
        }
    }
}

/// What is different about one name, the worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Aspect {
    Missing,
    Added,
    Kind,
    Contents,
    Target,
    Links,
    Owner,
    Mode,
    Time,
}

impl Aspect {
    /// Whether the file itself is right, and this is what lstat(2) says besides.
    pub fn is_attribute(self) -> bool {
        matches!(self, Aspect::Owner | Aspect::Mode | Aspect::Time)
    }
}

/// One thing that is not as it must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    pub name: PathBuf,
    pub aspect: Aspect,
    expected: String,
    seen: String,
}

/// What an archive must become if nothing of it is refused.
pub fn expected(archive: &Archive) -> Listing {
    let mut listing = Listing::new();
    for entry in &archive.entries {
        let name = plain(&entry.name);
        let what = match &entry.kind {
            Kind::HardLink(target) => {
                // A hostile one may lead elsewhere.
                if let Some(node) = listing.get(&plain(target)).cloned() {
                    listing.insert(name, node);
                }
                continue;
            }
            Kind::File(content) => What::File(content.clone()),
            Kind::Folder => What::Folder,
            Kind::Symlink(target) => What::Symlink(target.clone()),
            Kind::Char(major, minor) => What::Device(format!("char {major}:{minor}")),
            Kind::Block(major, minor) => What::Device(format!("block {major}:{minor}")),
            Kind::Fifo => What::Fifo,
            Kind::Unknown(..) => continue,
        };
        let mtime = entry.mtime as i64;
        let first_name = name.clone();
        let mode = entry.mode & 0o7777;
        let node = Node { what, mode, owner: entry.owner, mtime, first_name };
        listing.insert(name, node);
    }
    // A listing is in the order of the names.
    let mut first_names: HashMap<PathBuf, PathBuf> = HashMap::new();
    for (name, node) in &mut listing {
        node.first_name =
            first_names.entry(node.first_name.clone()).or_insert_with(|| name.clone()).clone();
    }
    listing
}

/// What lies on disk below `top`; nothing if there is no `top`.
///
/// # Panics
/// The witness may not read it.
pub fn on_disk(top: &Path) -> Option<Listing> {
    let mut listing = Listing::new();
    let mut known: HashMap<u64, (PathBuf, What)> = HashMap::new();
    let walked = walk(top, &mut |path, data| {
        let name = path.strip_prefix(top).expect("below the top").to_owned();
        let (first_name, what) = known
            .entry(data.ino())
            .or_insert_with(|| (name.clone(), what(path, data).unwrap_or(What::Other)))
            .clone();
        let owner = (data.uid().into(), data.gid().into());
        let mode = data.mode() & 0o7777;
        listing.insert(name, Node { what, mode, owner, mtime: data.mtime(), first_name });
    });
    match walked {
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        walked => walked.map(|()| Some(listing)).expect("a tree in the scratch folder"),
    }
}

fn what(path: &Path, data: &fs::Metadata) -> io::Result<What> {
    let kind = data.file_type();
    let number = format!("{}:{}", major(data.rdev()), minor(data.rdev()));
    Ok(match () {
        () if kind.is_file() => What::File(fs::read(path)?.into()),
        () if kind.is_dir() => What::Folder,
        () if kind.is_symlink() => What::Symlink(path.read_link()?),
        () if kind.is_char_device() => What::Device(format!("char {number}")),
        () if kind.is_block_device() => What::Device(format!("block {number}")),
        () if kind.is_fifo() => What::Fifo,
        () => What::Other,
    })
}

/// All that is not as expected. What is of another kind is not looked at further.
pub fn differences(expected: &Listing, seen: &Listing) -> Vec<Difference> {
    let mut all = Vec::new();
    for (name, must) in expected {
        let mut note = |aspect, expected: String, seen: String| {
            all.push(Difference { name: name.clone(), aspect, expected, seen });
        };
        let Some(is) = seen.get(name) else {
            note(Aspect::Missing, must.what.kind().into(), "nothing".into());
            continue;
        };
        if must.what.kind() != is.what.kind() {
            note(Aspect::Kind, must.what.kind().into(), is.what.kind().into());
            continue;
        }
        match (&must.what, &is.what) {
            (What::File(must), What::File(is)) if must != is => {
                let expected = format!("the archive's {} bytes", must.len());
                let seen = match is.len() {
                    0 => "nothing".to_owned(),
                    length if must.starts_with(is) => format!("the first {length} bytes of it"),
                    length => format!("{length} other bytes"),
                };
                note(Aspect::Contents, expected, seen);
            }
            (What::Symlink(must), What::Symlink(is)) if must != is => {
                note(Aspect::Target, must.display().to_string(), is.display().to_string());
            }
            _ => {}
        }
        if must.first_name != is.first_name {
            let one = |first: &Path| match first == name {
                true => "a file of its own".to_owned(),
                false => format!("the same file as {}", first.display()),
            };
            note(Aspect::Links, one(&must.first_name), one(&is.first_name));
        }
        if must.owner != is.owner {
            let owner = |(user, group)| format!("{user}:{group}");
            note(Aspect::Owner, owner(must.owner), owner(is.owner));
        }
        // All symbolic links have the same one.
        if must.mode != is.mode && !matches!(must.what, What::Symlink(_)) {
            note(Aspect::Mode, format!("{:04o}", must.mode), format!("{:04o}", is.mode));
        }
        if must.mtime != is.mtime {
            note(Aspect::Time, must.mtime.to_string(), time(is.mtime));
        }
    }
    for (name, is) in seen.iter().filter(|(name, _)| !expected.contains_key(*name)) {
        let (expected, seen) = ("nothing".into(), is.what.kind().into());
        all.push(Difference { name: name.clone(), aspect: Aspect::Added, expected, seen });
    }
    all
}

/// A time in words that are the same in every run.
fn time(seconds: i64) -> String {
    let then = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds.unsigned_abs());
    let apart = then.elapsed().unwrap_or_else(|error| error.duration());
    match apart > Duration::from_secs(3600) {
        true => seconds.to_string(),
        false => "the time when it was unpacked".to_owned(),
    }
}

/// The first differences as evidence, and how many there are besides.
pub fn evidence(differences: &[&Difference]) -> Vec<Evidence> {
    const SHOWN: usize = 5;
    let mut all: Vec<Evidence> = differences.iter().take(SHOWN).map(|it| it.evidence()).collect();
    if differences.len() > SHOWN {
        let more = differences.len() - SHOWN;
        all.push(Evidence::differs("further differences", 0, more));
    }
    all
}

impl Difference {
    fn evidence(&self) -> Evidence {
        let path = Path::new("layer").join(&self.name);
        let path = path.display();
        let what = match self.aspect {
            Aspect::Missing | Aspect::Added | Aspect::Kind => format!("{path}"),
            Aspect::Contents => format!("the contents of {path}"),
            Aspect::Target => format!("readlink({path})"),
            Aspect::Links => format!("the inode of {path}"),
            Aspect::Owner => format!("the owner of {path}"),
            Aspect::Mode => format!("the mode of {path}"),
            Aspect::Time => format!("the time of {path}"),
        };
        Evidence::differs(what, &self.expected, &self.seen)
    }
}
