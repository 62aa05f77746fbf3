//! What openat2(2) does for us, on kernels that do not have it: before Linux 5.6.
//!
//! Paths are walked name by name. Each directory on the way is opened without
//! following a link, and `..` leads to the one that was opened before it. So
//! nothing leads out, whatever others do to the tree meanwhile.

use std::ffi::{CStr, OsStr, OsString};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{OFlag, openat, readlinkat};
use nix::sys::stat::{Mode, SFlag, fstat};
use nix::sys::statfs::{PROC_SUPER_MAGIC, fstatfs};

/// How many symbolic links a path may lead through. See path_resolution(7).
const MAX_LINKS: usize = 40;

/// As openat2(2) with RESOLVE_IN_ROOT and RESOLVE_NO_MAGICLINKS. `flags` are those
/// of open(2) that make no file.
///
/// # Errors
/// As openat2(2). ELOOP for every link of a procfs, not only for a magic one.
pub fn open_in_root(root: BorrowedFd, path: &Path, flags: OFlag) -> nix::Result<OwnedFd> {
    let duplicate = |directory: BorrowedFd| directory.try_clone_to_owned().map_err(errno_of);
    let mut names = Vec::new();
    push_names(&mut names, path.as_os_str());
    if names.is_empty() {
        return Err(Errno::ENOENT);
    }
    let mut here = vec![duplicate(root)?];
    let mut links = 0;
    while let Some(name) = names.pop() {
        let is_last = names.is_empty();
        let directory = here.last().expect("the root at least");
        match name.as_bytes() {
            b"." => continue,
            b".." => {
                // Above the root is the root.
                here.truncate((here.len() - 1).max(1));
                continue;
            }
            _ => {}
        }
        let found = opened(directory, &name, OFlag::O_PATH)?;
        match kind(&found)? {
            SFlag::S_IFLNK if !(is_last && flags.contains(OFlag::O_NOFOLLOW)) => {
                links += 1;
                if links > MAX_LINKS || fstatfs(&found)?.filesystem_type() == PROC_SUPER_MAGIC {
                    return Err(Errno::ELOOP);
                }
                let target = readlinkat(&found, c"")?;
                if target.as_bytes().starts_with(b"/") {
                    here.truncate(1);
                }
                push_names(&mut names, &target);
            }
            SFlag::S_IFDIR if !is_last => here.push(found),
            other => {
                let must_be_directory = !is_last || flags.contains(OFlag::O_DIRECTORY);
                return match (other, must_be_directory) {
                    (SFlag::S_IFDIR, _) | (_, false) if flags.contains(OFlag::O_PATH) => Ok(found),
                    (SFlag::S_IFDIR, _) | (_, false) => opened(directory, &name, flags),
                    (_, true) => Err(Errno::ENOTDIR),
                };
            }
        }
    }
    let last = here.last().expect("the root at least");
    match flags.contains(OFlag::O_PATH) {
        true => duplicate(last.as_fd()),
        false => opened(last, OsStr::new("."), flags),
    }
}

/// As openat2(2) with RESOLVE_BENEATH and RESOLVE_NO_XDEV, for the name of a
/// directory.
///
/// # Errors
/// As openat2(2): EXDEV if something is mounted on it, even of the same file system.
/// Without /proc, the error of /proc, because then nothing is known about mounts.
pub fn open_on_same_mount(parent: BorrowedFd, name: &CStr, flags: OFlag) -> nix::Result<OwnedFd> {
    let name = OsStr::from_bytes(name.to_bytes());
    let directory = opened(parent, name, flags)?;
    if mount_id(directory.as_fd())? == mount_id(parent)? {
        Ok(directory)
    } else {
        Err(Errno::EXDEV)
    }
}

/// The names of a path, the last one first. A slash at the end asks for a directory,
/// which the name `.` does too.
fn push_names(names: &mut Vec<OsString>, path: &OsStr) {
    let parts: Vec<&[u8]> = path.as_bytes().split(|byte| *byte == b'/').collect();
    let last = parts.len() - 1;
    for (index, part) in parts.into_iter().enumerate().rev() {
        match part {
            b"" if index == last && last > 0 => names.push(".".into()),
            b"" => {}
            part => names.push(OsStr::from_bytes(part).to_owned()),
        }
    }
}

fn opened(directory: impl AsFd, name: &OsStr, flags: OFlag) -> nix::Result<OwnedFd> {
    openat(directory, name, flags | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC, Mode::empty())
}

fn kind(file: &OwnedFd) -> nix::Result<SFlag> {
    Ok(SFlag::from_bits_truncate(fstat(file)?.st_mode & SFlag::S_IFMT.bits()))
}

/// The mount that a file is on. See /proc/PID/fdinfo in proc(5).
fn mount_id(file: BorrowedFd) -> nix::Result<u32> {
    let path = format!("/proc/thread-self/fdinfo/{}", file.as_raw_fd());
    let text = std::fs::read_to_string(path).map_err(errno_of)?;
    let line = text.lines().find_map(|line| line.strip_prefix("mnt_id:"));
    line.and_then(|number| number.trim().parse().ok()).ok_or(Errno::EIO)
}

fn errno_of(error: std::io::Error) -> Errno {
    Errno::from_raw(error.raw_os_error().unwrap_or(libc::EIO))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use nix::fcntl::{OpenHow, ResolveFlag, openat2};

    use super::*;

    const PATHS: &[&str] = &[
        "",
        ".",
        "/",
        "..",
        "a",
        "/a",
        "a/",
        "a//b",
        "a/./b/..",
        "a/b/file",
        "../../a/b",
        "a/file",
        "a/b/file/",
        "a/b/file/x",
        "a/b/file/..",
        "missing",
        "a/missing/x",
        "to-a",
        "to-a/",
        "to-a/b",
        "to-file",
        "to-file/",
        "up",
        "up/b/file",
        "far-up/a/b",
        "loop",
        "loop/x",
        "chain",
        "chain/b",
        "nowhere",
        "nowhere/",
        "nowhere/x",
        "a/back/a/b",
        "a/b/../../a",
        "to-dot",
        "to-dot/a",
    ];

    const FLAGS: [OFlag; 4] = [
        OFlag::O_PATH,
        OFlag::O_PATH.union(OFlag::O_NOFOLLOW),
        OFlag::O_PATH.union(OFlag::O_DIRECTORY),
        OFlag::O_RDONLY.union(OFlag::O_DIRECTORY).union(OFlag::O_NOFOLLOW),
    ];

    /// The kernel's own answer is the right one.
    #[test]
    fn every_path_leads_where_openat2_leads() {
        let top = std::env::temp_dir().join(format!("without-openat2-{}", std::process::id()));
        fs::create_dir_all(top.join("a/b")).expect("directories");
        fs::write(top.join("a/b/file"), "").expect("a file");
        for (name, target) in [
            ("to-a", "a"),
            ("to-file", "/a/b/file"),
            ("up", "../../../a"),
            ("far-up", "/../.."),
            ("loop", "loop"),
            ("chain", "up/../to-a"),
            ("nowhere", "missing"),
            ("a/back", ".."),
            ("to-dot", "./"),
        ] {
            symlink(target, top.join(name)).expect("a link");
        }
        let root = fs::File::open(&top).expect("the top");
        let there = |opened: nix::Result<OwnedFd>| opened.and_then(fstat).map(|stat| stat.st_ino);
        for (path, flags) in PATHS.iter().flat_map(|path| FLAGS.map(|flags| (path, flags))) {
            let how = OpenHow::new()
                .flags(flags | OFlag::O_CLOEXEC)
                .resolve(ResolveFlag::RESOLVE_IN_ROOT | ResolveFlag::RESOLVE_NO_MAGICLINKS);
            let ask = || openat2(&root, Path::new(path), how);
            // EAGAIN: the machine mounts or renames something meanwhile.
            let expected =
                std::iter::repeat_with(ask).find(|it| it.as_ref().err() != Some(&Errno::EAGAIN));
            let expected = expected.expect("an answer");
            if expected.as_ref().err() == Some(&Errno::ENOSYS) {
                break;
            }
            let seen = open_in_root(root.as_fd(), Path::new(path), flags);
            assert_eq!(there(seen), there(expected), "{path:?} {flags:?}");
        }
        fs::remove_dir_all(&top).expect("all of it");
    }
}
