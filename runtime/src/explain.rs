//! From a failed kernel call to its likely cause.
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
use nix::unistd::{AccessFlags, access, geteuid};

use crate::mountinfo::{Mount, MountTable};

/// Why a call failed, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cause {
    /// What is so, as seen in the state.
    pub why: String,
    /// What to do, if there is something.
    pub advice: Option<String>,
}

impl Cause {
    /// A cause; an empty `advice` is none.
    pub fn new(why: impl Into<String>, advice: impl Into<String>) -> Cause {
        let advice = advice.into();
        Cause { why: why.into(), advice: (!advice.is_empty()).then_some(advice) }
    }
}

/// Why a call on the file `path` failed.
pub fn path(errno: Errno, path: &Path) -> Option<Cause> {
    match errno {
        Errno::ENOENT | Errno::ENOTDIR => path.ancestors().skip(1).find_map(|ancestor| {
            let metadata = std::fs::metadata(ancestor).ok()?;
            let missing = path.strip_prefix(ancestor).ok()?.components().next()?;
            Some(if metadata.is_dir() {
                let what = format!("{ancestor:?} has no entry {:?}", missing.as_os_str());
                Cause::new(what, format!("correct the path, or see what is there: ls {ancestor:?}"))
            } else {
                Cause::new(format!("{ancestor:?} is a file, not a directory"), "")
            })
        }),
        Errno::EACCES | Errno::EPERM => {
            let closed = path
                .ancestors()
                .filter(|ancestor| !ancestor.as_os_str().is_empty())
                .find(|a| a.is_dir() && access(*a, AccessFlags::X_OK).is_err())
                .or_else(|| path.ancestors().skip(1).find(|ancestor| ancestor.is_dir()))?;
            let owner = std::fs::metadata(closed).ok()?;
            let is_ours = owner.uid() == geteuid().as_raw();
            Some(Cause::new(
                format!(
                    "{closed:?} belongs to uid {} with mode {:04o}, and this is uid {}",
                    owner.uid(),
                    owner.mode() & 0o7777,
                    geteuid()
                ),
                if is_ours {
                    format!("chmod u+rwx {closed:?}")
                } else {
                    "run as its owner or as root".into()
                },
            ))
        }
        Errno::ENOSPC => Some(Cause::new(
            format!("the file system that holds {path:?} is full"),
            "free some space, or choose another disk with --root",
        )),
        Errno::EROFS => {
            let table = MountTable::read().ok()?;
            let mount = table.holding(&canonical(path))?;
            Some(Cause::new(
                format!("{:?} is mounted read-only ({})", mount.mount_point, mount.options),
                "",
            ))
        }
        Errno::EEXIST if path.exists() && !path.is_dir() => {
            Some(Cause::new(format!("{path:?} is there already, and is no directory"), ""))
        }
        Errno::ELOOP => Some(Cause::new(format!("{path:?} has a symbolic link in it"), "")),
        _ => None,
    }
}

/// Why clone(2) or unshare(2) with `flags` failed.
pub fn clone(errno: Errno, flags: CloneFlags) -> Option<Cause> {
    let knob = |file: &str| {
        std::fs::read_to_string(format!("/proc/sys/{file}")).unwrap_or_default().trim().to_owned()
    };
    let user_namespace = flags.contains(CloneFlags::CLONE_NEWUSER);
    match errno {
        Errno::EPERM if user_namespace && knob("kernel/unprivileged_userns_clone") == "0" => {
            Some(Cause::new(
                "this system forbids user namespaces to users",
                "sudo sysctl kernel.unprivileged_userns_clone=1, or run as root",
            ))
        }
        Errno::EPERM | Errno::EACCES
            if user_namespace && knob("kernel/apparmor_restrict_unprivileged_userns") == "1" =>
        {
            Some(Cause::new(
                "AppArmor forbids user namespaces to users on this system (Ubuntu since 23.10)",
                "sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0, or run as root",
            ))
        }
        Errno::EPERM if user_namespace => Some(Cause::new(
            "user namespaces are forbidden here: by the container or the chroot this runs in, \
             or by a security policy",
            "run outside of it, or as root",
        )),
        Errno::EPERM => Some(Cause::new(
            "new namespaces need CAP_SYS_ADMIN, which this root does not have (in a container?)",
            "run as an ordinary user, or in a VM",
        )),
        Errno::ENOSPC | Errno::EUSERS => Some(Cause::new(
            format!(
                "a limit on namespaces is reached: user.max_user_namespaces={}, \
                 user.max_mnt_namespaces={}",
                knob("user/max_user_namespaces"),
                knob("user/max_mnt_namespaces")
            ),
            "sudo sysctl user.max_user_namespaces=10000 (and the like)",
        )),
        Errno::EAGAIN => Some(Cause::new("this user may not have more processes", "see ulimit -u")),
        _ => None,
    }
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
    match (errno, kind) {
        (Errno::ENODEV, _) => Some(Cause::new(
            format!("this kernel has no file system {kind:?} (see /proc/filesystems)"),
            format!("sudo modprobe {kind}, or another --driver"),
        )),
        (_, "overlay") => overlay::mount(errno, target, data),
        (Errno::EPERM, "proc") => Some(Cause::new(
            "a part of the present /proc is covered, as in a container, and a fresh one would \
             show it",
            "run outside of the container, or as root",
        )),
        (Errno::EPERM, "sysfs") => Some(Cause::new(
            "the present /sys is partly covered, as in a container, or the network that it shows \
             belongs to another user namespace",
            "run outside of the container, or as root",
        )),
        (Errno::EPERM, _) => no_admin(),
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
        _ => path(errno, target),
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
    if !put_old.starts_with(&new_root) {
        return Some(Cause::new(
            format!("put_old {put_old:?} is not below new_root {new_root:?}"),
            "make a folder for the old root inside the new one",
        ));
    }
    let (holder, root) = (table.holding(&new_root)?, table.at(Path::new("/"))?);
    if errno == Errno::EBUSY {
        return Some(Cause::new("new_root or put_old is on the present root's own mount", ""));
    }
    if holder.mount_point != new_root {
        return Some(Cause::new(
            format!(
                "new_root {new_root:?} is no mount point, but a folder of {}",
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
        (Errno::ENOENT | Errno::ENOTDIR, None) => path(errno, program),
        (Errno::EACCES, Some(file)) if file.is_dir() => Some(Cause::new("it is a directory", "")),
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

/// Which processes keep the mount at `path` busy. They are looked for in all of
/// /proc, which is too slow to be done at every EBUSY.
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
        Errno::ENOENT | Errno::ENOTDIR if std::fs::symlink_metadata(at).is_err() => path(errno, at),
        Errno::EACCES if access(at, AccessFlags::F_OK).is_err() => path(errno, at),
        _ => None,
    }
}

fn not_a_mount_point(target: &Path) -> Option<Cause> {
    let at = canonical(target);
    let table = MountTable::read().ok()?;
    table.at(&at).is_none().then(|| Cause::new(format!("{at:?} is no mount point"), ""))
}

fn no_admin() -> Option<Cause> {
    let status = std::fs::read_to_string("/proc/thread-self/status").ok()?;
    let effective = status.lines().find_map(|line| line.strip_prefix("CapEff:"))?.trim();
    const CAP_SYS_ADMIN: u32 = 21;
    let has_it = u64::from_str_radix(effective, 16).ok()? & (1 << CAP_SYS_ADMIN) != 0;
    (!has_it).then(|| {
        Cause::new(
            "mounting needs CAP_SYS_ADMIN, which this process does not have",
            "run as root, or in a user namespace of your own",
        )
    })
}

fn describe(mount: &Mount) -> String {
    format!("the {} at {:?}", mount.fs_type, mount.mount_point)
}

/// The path as the mount table writes it, if it exists.
fn canonical(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_owned())
}
