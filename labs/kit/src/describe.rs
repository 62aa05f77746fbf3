//! Facts of the kernel as text that is the same in every run.

use std::fmt::Write;
use std::fs::Metadata;
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use mydocker_kernel::mountinfo::{Change, Mount, MountTable};
use nix::errno::Errno;
use nix::sys::stat::{major, minor};

use crate::places::{LAB, SCRATCH};

/// The changes of a mount table, one line each, without the numbers of peer groups. What
/// happened to a mount of the host mostly happened to everything below it too. Then that
/// is one line.
pub fn changes(changes: &[Change]) -> Vec<String> {
    let folded = |change: &Change, by: &Change| {
        let (change, by) = (Folding::of(change), Folding::of(by));
        change.kind == by.kind
            && change.what == by.what
            && change.place != by.place
            && change.place.starts_with(&by.place)
            && !change.place.starts_with(LAB)
    };
    let leaders = changes.iter().filter(|change| !changes.iter().any(|by| folded(change, by)));
    leaders
        .map(|leader| {
            let rest =
                if changes.iter().any(|it| folded(it, leader)) { " (and below)" } else { "" };
            format!("{}{rest}", change(leader))
        })
        .collect()
}

/// By what changes are told apart that are one for a reader.
struct Folding {
    kind: &'static str,
    /// What has changed, unless the mount is new or gone.
    what: String,
    /// Where the mount was.
    place: PathBuf,
}

impl Folding {
    fn of(change: &Change) -> Folding {
        let propagations =
            |a: &Mount, b: &Mount| format!("{} {}", plain(a).propagation(), plain(b).propagation());
        let (kind, what, place) = match change {
            // Each new mount is worth a line.
            Change::Mounted { mount } => ("MOUNTED", mount.id.to_string(), &mount.mount_point),
            Change::Umounted { mount } => ("UMOUNTED", String::new(), &mount.mount_point),
            Change::Moved { from, .. } => ("MOVED", String::new(), from),
            Change::Remounted { from, mount } if from.options == mount.options => {
                ("REMOUNTED", propagations(from, mount), &mount.mount_point)
            }
            Change::Remounted { mount, .. } => {
                ("REMOUNTED", mount.id.to_string(), &mount.mount_point)
            }
        };
        Folding { kind, what, place: place.clone() }
    }
}

/// One change of a mount table, without the numbers of peer groups.
pub fn change(change: &Change) -> String {
    let plain = match change {
        Change::Mounted { mount } => Change::Mounted { mount: plain(mount) },
        Change::Umounted { mount } => Change::Umounted { mount: plain(mount) },
        Change::Moved { from, mount } => Change::Moved { from: from.clone(), mount: plain(mount) },
        Change::Remounted { from, mount } => {
            Change::Remounted { from: plain(from), mount: plain(mount) }
        }
    };
    plain.to_string()
}

/// The mounts at `top` and below it, drawn as a tree. Of the mounts that existed
/// `before`, those below another one of them are left out.
pub fn mounts_below(table: &MountTable, before: &MountTable, top: &Path) -> String {
    let labs = before.at(Path::new(SCRATCH)).map(|mount| &mount.device);
    let is_hosts = |mount: &Mount| {
        Some(&mount.device) != labs && before.mounts.iter().any(|it| it.device == mount.device)
    };
    let is_below_hosts = |mount: &Mount| {
        let parent = table.mounts.iter().find(|it| it.id == mount.parent);
        is_hosts(mount) && parent.is_some_and(is_hosts)
    };
    let shown = |mount: &&Mount| mount.mount_point.starts_with(top) && !is_below_hosts(mount);
    let mounts = table.mounts.iter().filter(shown).map(plain).collect();
    MountTable { mounts }.to_string()
}

/// The mount without what differs from run to run and from kernel to kernel:
/// the numbers of peer groups, `relatime`, which is the default, and what the
/// start of the machine called its devtmpfs.
fn plain(mount: &Mount) -> Mount {
    let name = |field: &String| field.split(':').next().unwrap_or_default().to_owned();
    let options: Vec<&str> =
        mount.options.split(',').filter(|option| *option != "relatime").collect();
    let source = if mount.fs_type == "devtmpfs" { "none".into() } else { mount.source.clone() };
    Mount {
        source,
        optional_fields: mount.optional_fields.iter().map(name).collect(),
        options: options.join(","),
        ..mount.clone()
    }
}

/// Where a link of /proc leads, the same in every run: `/proc/42` is `/proc/PID`,
/// `net:[4026531840]` is `net`.
pub fn without_numbers(path: &str) -> String {
    let path = path.split(":[").next().unwrap_or(path);
    let parts = path.split('/').map(|part| match part.parse::<u32>() {
        Ok(_) => "PID",
        Err(_) => part,
    });
    parts.collect::<Vec<_>>().join("/")
}

/// What a call said: `Ok`, or its errno by name and in words.
pub fn result<T>(result: &Result<T, Failure>) -> String {
    match result {
        Ok(_) => "Ok".to_owned(),
        Err(failure) => failure.to_string(),
    }
}

/// An [`io::Error`] that can be sent from one process to another.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Failure {
    /// The errno, if it was the kernel's.
    pub errno: Option<i32>,
    /// Its [`io::ErrorKind`].
    pub kind: String,
    /// The error in words.
    pub text: String,
}

impl Failure {
    /// Whether it is this error of the kernel, or one of the same kind in the answer's
    /// own words.
    pub fn is(&self, errno: Errno) -> bool {
        match self.errno {
            Some(seen) => seen == errno as i32,
            None => self.kind == kind_of(&errno.into()),
        }
    }
}

fn kind_of(error: &io::Error) -> String {
    format!("{:?}", error.kind())
}

impl From<Errno> for Failure {
    fn from(errno: Errno) -> Failure {
        io::Error::from(errno).into()
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Failure {
        let (errno, kind) = (error.raw_os_error(), kind_of(&error));
        Failure { errno, kind, text: error.to_string() }
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.errno.map(Errno::from_raw) {
            Some(errno) => write!(f, "{errno:?} ({})", errno.desc()),
            None => f.write_str(&self.text),
        }
    }
}

/// A file tree, one line per entry: kind and mode, path, what it is.
///
/// # Errors
/// The tree cannot be read.
pub fn tree(top: &Path) -> io::Result<String> {
    let mut lines = String::new();
    walk(top, &mut |path, metadata| {
        let name = path.strip_prefix(top).expect("below the top").display();
        let mode = metadata.mode() & 0o7777;
        let kind = if path == top { String::new() } else { kind(path, metadata) };
        let _ = writeln!(lines, "{mode:04o} /{name}{kind}");
    })?;
    Ok(lines)
}

/// Everything that shows whether a tree was touched: owners, modes, times, inode numbers
/// and contents.
///
/// # Errors
/// The tree cannot be read.
pub fn exact(top: &Path) -> io::Result<String> {
    let mut lines = String::new();
    walk(top, &mut |path, m| {
        let content = if m.is_file() { std::fs::read(path).unwrap_or_default() } else { vec![] };
        let times = (m.mtime(), m.mtime_nsec(), m.ctime(), m.ctime_nsec());
        let owner = (m.uid(), m.gid());
        let what = (m.ino(), m.mode(), owner, m.nlink(), m.len(), m.rdev());
        let _ = writeln!(lines, "{path:?} {what:?} {times:?} {}", hash(&content));
    })?;
    Ok(lines)
}

fn hash(bytes: &[u8]) -> u64 {
    use std::hash::{DefaultHasher, Hasher};
    let mut hasher = DefaultHasher::new();
    hasher.write(bytes);
    hasher.finish()
}

/// Visits `path` and all that is below it, in the order of the names.
///
/// # Errors
/// Something cannot be read.
pub fn walk(path: &Path, visit: &mut impl FnMut(&Path, &Metadata)) -> io::Result<()> {
    let metadata = path.symlink_metadata()?;
    visit(path, &metadata);
    if metadata.is_dir() {
        let mut paths = Vec::new();
        for entry in path.read_dir()? {
            paths.push(entry?.path());
        }
        paths.sort();
        for path in paths {
            walk(&path, visit)?;
        }
    }
    Ok(())
}

/// What kind of file it is, as an ending to its name.
pub fn kind(path: &Path, metadata: &Metadata) -> String {
    let kind = metadata.file_type();
    if kind.is_dir() {
        return "/".to_owned();
    }
    if kind.is_symlink() {
        let target = path.read_link().unwrap_or_default();
        return format!(" -> {}", target.display());
    }
    if kind.is_char_device() && metadata.rdev() == 0 {
        return "  whiteout (char 0:0)".to_owned();
    }
    if kind.is_char_device() || kind.is_block_device() {
        let word = if kind.is_char_device() { "char" } else { "block" };
        return format!("  {word} {}:{}", major(metadata.rdev()), minor(metadata.rdev()));
    }
    if kind.is_fifo() {
        return "  fifo".to_owned();
    }
    if kind.is_file() && metadata.len() <= 60 {
        return match std::fs::read_to_string(path) {
            Ok(content) => format!("  {content:?}"),
            Err(_) => String::new(),
        };
    }
    String::new()
}
