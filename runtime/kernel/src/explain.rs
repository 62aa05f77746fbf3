//! From a failed system call to its likely cause.
//!
//! `EINVAL` alone answers at least six different mistakes. So after a failure
//! each function here goes and looks at the preconditions of the call, and
//! says which one does not hold. It returns `None` where it finds nothing: a
//! guess would be worse than the errno.

mod overlay;

use std::ffi::OsStr;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::mount::MsFlags;
use nix::sched::CloneFlags;
use nix::sys::statvfs::{FsFlags, statvfs};
use nix::unistd::{AccessFlags, access};

use crate::cause::Cause;
use crate::file_systems::kernel_has;
use crate::mountinfo::{Mount, MountTable};
use crate::namespaces::NAMESPACES;
use crate::on_path;
use crate::process_limits;
use crate::surroundings::{self, Hindrance};

/// Why clone(2) or unshare(2) with `flags` failed.
pub fn clone(errno: Errno, flags: CloneFlags) -> Option<Cause> {
    match errno {
        Errno::EPERM | Errno::EACCES if flags.contains(CloneFlags::CLONE_NEWUSER) => {
            let all = surroundings::user_namespaces();
            // Where there may be none at all the errno is ENOSPC.
            all.iter().find(|it| **it != Hindrance::NoUserNamespaces).map(Hindrance::cause)
        }
        Errno::EPERM => no_admin().or_else(|| surroundings::seccomp().map(|it| it.cause())),
        Errno::ENOSPC | Errno::EUSERS => no_more_namespaces(flags),
        Errno::EAGAIN => process_limits::of_processes(),
        _ => None,
    }
}

/// The limits of the requested kinds of namespaces. One of them has been reached, or the
/// depth to which some can be nested. See namespaces(7).
fn no_more_namespaces(flags: CloneFlags) -> Option<Cause> {
    let asked = NAMESPACES.iter().filter(|(_, flag)| flags.contains(*flag));
    let limits: Vec<String> = asked
        .filter_map(|(kind, _)| {
            let name = format!("max_{kind}_namespaces");
            let limit = std::fs::read_to_string(format!("/proc/sys/user/{name}")).ok()?;
            Some(format!("user.{name}={}", limit.trim()))
        })
        .collect();
    (!limits.is_empty()).then(|| {
        Cause::new(
            format!(
                "a limit is reached: of how many namespaces there may be ({}), or of how deep \
                 they may be nested (32)",
                limits.join(", ")
            ),
            "allow more: sudo sysctl user.max_user_namespaces=10000 (and the like)",
        )
    })
}

/// Why mount(2) failed.
pub fn mount(
    errno: Errno,
    source: &OsStr,
    target: &Path,
    kind: &str,
    flags: MsFlags,
    data: &OsStr,
) -> Option<Cause> {
    if let Some(cause) = path_of_call(errno, target) {
        return Some(cause);
    }
    if flags.contains(MsFlags::MS_BIND) && !flags.contains(MsFlags::MS_REMOUNT) {
        if let Some(cause) = path_of_call(errno, Path::new(source)) {
            return Some(cause);
        }
        let is_dir = |path: &Path| path.metadata().ok().map(|metadata| metadata.is_dir());
        if errno == Errno::ENOTDIR && is_dir(Path::new(source)) != is_dir(target) {
            return Some(Cause::new("a directory goes on a directory, a file on a file", ""));
        }
    }
    let changes_a_mount = MsFlags::MS_REMOUNT
        | MsFlags::MS_PRIVATE
        | MsFlags::MS_SLAVE
        | MsFlags::MS_SHARED
        | MsFlags::MS_UNBINDABLE
        | MsFlags::MS_MOVE;
    if errno == Errno::EINVAL && flags.intersects(changes_a_mount) {
        return not_a_mount_point(target);
    }
    if matches!(errno, Errno::EPERM | Errno::EACCES)
        && let Some(hindrance) = surroundings::confined()
    {
        return Some(hindrance.cause());
    }
    match kind {
        "overlay" if errno != Errno::ENODEV => overlay::mount(errno, data),
        _ => new_mount(errno, kind),
    }
}

/// Why a new file system of type `kind` could not be mounted, whatever the target.
pub fn new_mount(errno: Errno, kind: &str) -> Option<Cause> {
    match errno {
        Errno::ENODEV if !kernel_has(kind)? => Some(Cause::new(
            format!("this kernel has no file system {kind:?} (see /proc/filesystems)"),
            match kind {
                "overlay" | "aufs" => format!("sudo modprobe {kind}, or another --driver"),
                _ => format!("sudo modprobe {kind}"),
            },
        )),
        Errno::EPERM | Errno::EACCES => {
            let confined = || surroundings::confined().map(|it| it.cause());
            let covered = || surroundings::covered(Path::new("/").join(top_of(kind)?).as_path());
            no_admin().or_else(confined).or_else(|| covered().map(|it| it.cause()))
        }
        _ => None,
    }
}

/// Where file systems are mounted that a user namespace can mount afresh only if it sees
/// all of an existing one.
fn top_of(kind: &str) -> Option<&'static str> {
    match kind {
        "proc" => Some("proc"),
        "sysfs" => Some("sys"),
        _ => None,
    }
}

/// Why umount2(2) failed.
pub fn umount(errno: Errno, target: &Path) -> Option<Cause> {
    match errno {
        Errno::EINVAL => not_a_mount_point(target),
        Errno::EBUSY => {
            let table = MountTable::read().ok()?;
            let at = canonical(target);
            let child = *table.below(&at).first().filter(|mount| mount.mount_point != at)?;
            let why = format!("{:?} is mounted below it", child.mount_point);
            Some(Cause::new(why, "unmount that first"))
        }
        Errno::EPERM => no_admin(),
        _ => on_path::cause(errno, target),
    }
}

/// Why pivot_root(2) failed.
pub fn pivot_root(errno: Errno, new_root: &Path, put_old: &Path) -> Option<Cause> {
    if errno == Errno::EPERM {
        return no_admin();
    }
    if let Some(cause) = path_of_call(errno, new_root).or_else(|| path_of_call(errno, put_old)) {
        return Some(cause);
    }
    let table = MountTable::read().ok()?;
    let (new_root, put_old) = (canonical(new_root), canonical(put_old));
    let (holder, root) = (table.holding(&new_root)?, table.at(Path::new("/"))?);
    if errno == Errno::EBUSY {
        let is_at_root = |path: &Path| table.holding(path).is_some_and(|it| it.id == root.id);
        return (is_at_root(&new_root) || is_at_root(&put_old))
            .then(|| Cause::new("new_root or put_old is on the present root's own mount", ""));
    }
    if !put_old.starts_with(&new_root) {
        return Some(Cause::new(
            format!("put_old {put_old:?} is not below new_root {new_root:?}"),
            "make a directory for the old root inside the new one",
        ));
    }
    if holder.mount_point != new_root {
        return Some(Cause::new(
            format!(
                "new_root {new_root:?} is not a mount point, but a directory of {}",
                describe(holder)
            ),
            format!("bind it on itself first: mount({new_root:?}, {new_root:?}, MS_BIND|MS_REC)"),
        ));
    }
    let parent = table.mounts.iter().find(|mount| mount.id == holder.parent);
    if let Some(shared) =
        [Some(holder), parent, Some(root)].into_iter().flatten().find(|m| m.is_shared())
    {
        return Some(Cause::new(
            format!("{} is shared, and the change would reach its peers", describe(shared)),
            "make all mounts private first: mount(\"\", \"/\", MS_PRIVATE|MS_REC)",
        ));
    }
    (root.fs_type == "rootfs").then(|| {
        Cause::new(
            "the present root is the initramfs itself, which cannot be pivoted away (before 7.2)",
            "switch_root to another file system first",
        )
    })
}

/// Why execve(2) of `program` failed.
pub fn exec(errno: Errno, program: &Path) -> Option<Cause> {
    let metadata = std::fs::metadata(program).ok();
    match (errno, metadata) {
        (Errno::ENOENT, Some(_)) => Some(Cause::new(
            "the file is there, but not the interpreter or the loader that it names",
            "the image needs that too; or use a static binary",
        )),
        (Errno::ENOENT | Errno::ENOTDIR, None) => on_path::cause(errno, program),
        (Errno::EACCES, Some(file)) if file.is_dir() => Some(Cause::new("it is a directory", "")),
        (Errno::EACCES, Some(file)) if !file.is_file() => {
            Some(Cause::new("it is a device, a pipe or a socket, and no file", ""))
        }
        (Errno::EACCES, Some(_)) if has_no_exec(program) => Some(Cause::new(
            format!("{program:?} is on a mount with noexec"),
            "copy it to another place",
        )),
        (Errno::EACCES, Some(file)) if file.mode() & 0o111 == 0 => {
            let mode = file.mode() & 0o7777;
            Some(Cause::new(format!("its mode is {mode:04o}"), format!("chmod +x {program:?}")))
        }
        (Errno::ENOEXEC, _) => Some(Cause::new(
            "it is no program for this machine, and no script that begins with #!",
            "run it with its interpreter, or build it for this machine",
        )),
        (Errno::E2BIG, _) => {
            Some(Cause::new("arguments and environment are larger than the kernel takes", ""))
        }
        _ => None,
    }
}

/// Whether nothing on the mount that holds this can be executed.
fn has_no_exec(program: &Path) -> bool {
    statvfs(program).is_ok_and(|of_mount| of_mount.flags().contains(FsFlags::ST_NOEXEC))
}

/// Which processes keep the mount at `path` busy. This searches all of /proc, which is
/// too slow for every EBUSY.
pub fn busy(path: &Path) -> Option<Cause> {
    let holders = holders(&canonical(path));
    (!holders.is_empty()).then(|| {
        Cause::new(
            format!("it is in use: {}", holders.join("; ")),
            "leave that directory or end that process, then: mydocker prune",
        )
    })
}

/// The processes that keep a mount at `path` busy, and how: `sh (pid 7) works in "/x"`.
///
/// Looks where the user may look; a user does not see others' processes.
pub fn holders(path: &Path) -> Vec<String> {
    let inside = |link: &Path| std::fs::read_link(link).ok().filter(|to| to.starts_with(path));
    let mut found = Vec::new();
    for process in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
        let (name, folder) = (process.file_name(), process.path());
        let Some(pid) = name.to_str().and_then(|name| name.parse::<i32>().ok()) else { continue };
        let command = std::fs::read_to_string(folder.join("comm")).unwrap_or_default();
        let mut uses = Vec::new();
        uses.extend(inside(&folder.join("cwd")).map(|to| format!("works in {to:?}")));
        uses.extend(inside(&folder.join("root")).map(|to| format!("has its root at {to:?}")));
        uses.extend(inside(&folder.join("exe")).map(|to| format!("runs {to:?}")));
        let descriptors = std::fs::read_dir(folder.join("fd")).into_iter().flatten().flatten();
        uses.extend(
            descriptors.filter_map(|fd| inside(&fd.path())).map(|to| format!("has {to:?} open")),
        );
        if let Some(first) = uses.first() {
            found.push(format!("{} (pid {pid}) {first}", command.trim()));
        }
    }
    found
}

/// The errors that a path explains, whatever the call.
fn path_of_call(errno: Errno, at: &Path) -> Option<Cause> {
    match errno {
        Errno::ENOENT | Errno::ENOTDIR if std::fs::symlink_metadata(at).is_err() => {
            on_path::cause(errno, at)
        }
        Errno::EACCES if access(at, AccessFlags::F_OK).is_err() => on_path::cause(errno, at),
        _ => None,
    }
}

fn not_a_mount_point(target: &Path) -> Option<Cause> {
    let at = canonical(target);
    let table = MountTable::read().ok()?;
    table.at(&at).is_none().then(|| Cause::new(format!("{at:?} is no mount point"), ""))
}

fn no_admin() -> Option<Cause> {
    lacks("CAP_SYS_ADMIN")
}

/// Why a call failed that needs this capability of capabilities(7).
pub fn capability(errno: Errno, name: &str) -> Option<Cause> {
    (errno == Errno::EPERM).then(|| lacks(name)).flatten()
}

/// The cause, if this thread does not have the capability.
fn lacks(name: &str) -> Option<Cause> {
    let number = match name {
        "CAP_SETGID" => 6,
        "CAP_SETUID" => 7,
        "CAP_SETPCAP" => 8,
        "CAP_NET_ADMIN" => 12,
        "CAP_SYS_ADMIN" => 21,
        "CAP_MKNOD" => 27,
        _ => return None,
    };
    let status = std::fs::read_to_string("/proc/thread-self/status").ok()?;
    let effective = status.lines().find_map(|line| line.strip_prefix("CapEff:"))?.trim();
    let has_it = u64::from_str_radix(effective, 16).ok()? & (1 << number) != 0;
    (!has_it).then(|| {
        Cause::new(
            format!("it needs {name}, which this process does not have"),
            "run as root with all capabilities, or as an ordinary user",
        )
    })
}

/// Why open_tree(2) with OPEN_TREE_CLONE failed.
pub fn open_tree(errno: Errno, path: &Path) -> Option<Cause> {
    capability(errno, "CAP_SYS_ADMIN").or_else(|| on_path::cause(errno, path))
}

fn describe(mount: &Mount) -> String {
    format!("the {} at {:?}", mount.fs_type, mount.mount_point)
}

/// The path as the mount table writes it, if it exists.
fn canonical(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_owned())
}
