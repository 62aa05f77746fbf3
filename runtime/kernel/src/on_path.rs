//! A call on a path: its failure names the path, and says what is wrong with it.

use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::sys::statfs::{PROC_SUPER_MAGIC, statfs};
use nix::sys::statvfs::{FsFlags, Statvfs, statvfs};
use nix::unistd::{AccessFlags, access, geteuid};
use rustix::fs::{AtFlags, CWD, StatxAttributes, StatxFlags, statx};

use crate::cause::Cause;
use crate::error::{Error, Result};

/// Practically nothing: fewer bytes than any file system allocates at once.
const NO_ROOM: u64 = 64 << 10;

/// `None` for a file that is not there, where that is an answer; other errors
/// stay errors.
///
/// # Errors
/// As the call.
pub fn if_there<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Err(error) if matches!(error.raw_os_error(), Some(libc::ENOENT | libc::ENOTDIR)) => {
            Ok(None)
        }
        other => other.map(Some),
    }
}

/// Turns the result of a call on a path into ours: `.on("mkdir", path)`.
pub trait OnPath<T> {
    /// Names the call and the path, and looks at the path for the reason.
    ///
    /// # Errors
    /// The failure of `self`, if it is one.
    fn on(self, call: &str, path: &Path) -> Result<T>;
}

impl<T> OnPath<T> for nix::Result<T> {
    fn on(self, call: &str, path: &Path) -> Result<T> {
        self.map_err(|errno| {
            Error::call(format_args!("{call}({path:?})"), errno).explained(cause(errno, path))
        })
    }
}

impl<T> OnPath<T> for io::Result<T> {
    fn on(self, call: &str, path: &Path) -> Result<T> {
        self.map_err(|error| match error.raw_os_error() {
            Some(errno) => Err::<(), _>(Errno::from_raw(errno)).on(call, path).unwrap_err(),
            None => Error::new(format!("{call}({path:?}) failed: {error}")),
        })
    }
}

/// Why a call on the file `path` failed, as far as the state shows it.
pub fn cause(errno: Errno, path: &Path) -> Option<Cause> {
    match errno {
        Errno::ENOENT | Errno::ENOTDIR => missing(errno, path),
        Errno::EACCES => closed(path),
        Errno::EPERM => not_ours(path),
        Errno::ENOSPC => no_room(path),
        Errno::EROFS => {
            let read_only = statvfs(nearest(path)?).ok()?.flags().contains(FsFlags::ST_RDONLY);
            read_only.then(|| {
                Cause::new(format!("the file system that holds {path:?} is mounted read-only"), "")
            })
        }
        Errno::EEXIST if path.exists() && !path.is_dir() => {
            Some(Cause::new(format!("{path:?} is there already, and is no directory"), ""))
        }
        Errno::ENAMETOOLONG => too_long(path),
        Errno::ELOOP => {
            let link = path.ancestors().find(|ancestor| ancestor.is_symlink())?;
            Some(Cause::new(format!("{link:?} is a symbolic link"), ""))
        }
        _ => None,
    }
}

/// The first name of a path that is missing, or is not a directory.
fn missing(errno: Errno, path: &Path) -> Option<Cause> {
    // Without a slash at its end.
    let path = &path.components().collect::<PathBuf>();
    let mut places: Vec<&Path> =
        path.ancestors().filter(|place| !place.as_os_str().is_empty()).collect();
    places.reverse();
    for place in places {
        match (place.symlink_metadata(), place.metadata()) {
            (Err(error), _) if error.raw_os_error() == Some(libc::ENOENT) => {
                let folder = match place.parent()? {
                    here if here.as_os_str().is_empty() => Path::new("."),
                    folder => folder,
                };
                let what = format!("{folder:?} has no entry {:?}", place.file_name()?);
                let advice = format!("correct the path, or see what is there: ls {folder:?}");
                return Some(Cause::new(what, advice));
            }
            (Ok(link), Err(_)) if link.is_symlink() => {
                let target = std::fs::read_link(place).ok()?;
                let why = format!("{place:?} is a symbolic link to {target:?}, which is not there");
                return Some(Cause::new(why, ""));
            }
            (_, Ok(there)) if !there.is_dir() && (place != path || errno == Errno::ENOTDIR) => {
                return Some(Cause::new(format!("{place:?} is a file, not a directory"), ""));
            }
            _ => {}
        }
    }
    None
}

/// What this process may not enter, read, or change the names in.
fn closed(path: &Path) -> Option<Cause> {
    let may = |place: &Path, how| access(place, how).is_ok();
    let folder = nearest(path.parent()?)?;
    // Who may write there, the kernel says by other rules: no mode changes that.
    if statfs(folder).ok()?.filesystem_type() == PROC_SUPER_MAGIC {
        return None;
    }
    let locked = path.ancestors().skip(1).find(|a| a.is_dir() && !may(a, AccessFlags::X_OK));
    let mut closed: Vec<&Path> = locked.into_iter().collect();
    if closed.is_empty() {
        closed.extend((path.exists() && !may(path, AccessFlags::R_OK)).then_some(path));
    }
    // Of a file that may be read: the folder does not let it go, or it does not let
    // itself be changed. Which was asked for, only the call knows.
    if closed.is_empty() {
        let places = [Some(folder), path.is_file().then_some(path)].into_iter().flatten();
        closed.extend(places.filter(|place| !may(place, AccessFlags::W_OK)));
    }
    let described = closed.iter().map(|place| {
        let owner = place.metadata().ok()?;
        let (uid, mode) = (owner.uid(), owner.mode() & 0o7777);
        Some(format!("{place:?} belongs to uid {uid} with mode {mode:04o}"))
    });
    let described = described.collect::<Option<Vec<String>>>()?;
    let first = closed.first()?;
    let is_ours = first.metadata().ok()?.uid() == geteuid().as_raw();
    Some(Cause::new(
        format!("{}, and this is uid {}", described.join(", "), geteuid()),
        if is_ours {
            format!("chmod u+rwx {first:?}")
        } else {
            "run as its owner or as root".into()
        },
    ))
}

/// What only the owner may do, or nobody.
fn not_ours(path: &Path) -> Option<Cause> {
    let folder = path.parent().map(|parent| nearest(parent).unwrap_or(parent));
    let kept = |place: &&Path| {
        let flags = AtFlags::SYMLINK_NOFOLLOW;
        let seen = statx(CWD, *place, flags, StatxFlags::empty());
        let kept = StatxAttributes::IMMUTABLE | StatxAttributes::APPEND;
        seen.is_ok_and(|seen| seen.stx_attributes.intersects(kept))
    };
    if let Some(kept) = [Some(path), folder].into_iter().flatten().find(kept) {
        return Some(Cause::new(
            format!("{kept:?} was made immutable or append-only, by chattr(1)"),
            format!("as root: chattr -ia {kept:?}"),
        ));
    }
    let owner = path.symlink_metadata().ok()?.uid();
    let us = geteuid();
    (owner != us.as_raw() && !us.is_root()).then(|| {
        let why = format!("{path:?} belongs to uid {owner}, and this is uid {us}");
        Cause::new(why, "run as its owner or as root")
    })
}

/// The name that is too long, or the whole path. See path_resolution(7).
fn too_long(path: &Path) -> Option<Cause> {
    let longest = statvfs(nearest(path)?).map_or(255, |of_mount| of_mount.name_max() as usize);
    let name = path.iter().find(|name| name.len() > longest);
    let (what, length, most) = match name {
        Some(name) => ("a name in it", name.len(), longest),
        None => ("the path", path.as_os_str().len(), libc::PATH_MAX as usize - 1),
    };
    (length > most).then(|| {
        Cause::new(format!("{what} has {length} bytes, and at most {most} are allowed here"), "")
    })
}

/// Which kind of space a file system has run out of.
// Both are of 32 bits on i386.
#[allow(clippy::unnecessary_cast)]
fn no_room(path: &Path) -> Option<Cause> {
    let room = nearest(path).and_then(|place| statvfs(place).ok());
    let is_full = |room: &Statvfs| {
        let free = room.blocks_available() as u64 * room.fragment_size() as u64;
        room.blocks() > 0 && free < NO_ROOM
    };
    let why = match room {
        Some(room) if is_full(&room) => format!("the file system that holds {path:?} is full"),
        Some(room) if room.files() > 0 && room.files_available() == 0 => {
            format!("the file system that holds {path:?} has no room for another file (inode)")
        }
        // The path may begin elsewhere; what the errno says is still true.
        _ => "the file system has no room for it".to_owned(),
    };
    Some(Cause::new(why, "free some space, or choose another disk with --root"))
}

/// The path itself or, if it is missing, the nearest existing one above it.
fn nearest(path: &Path) -> Option<&Path> {
    let here = |place: &Path| place.as_os_str().is_empty();
    let mut places = path.ancestors().map(|place| if here(place) { Path::new(".") } else { place });
    places.find(|place| place.exists())
}
