//! What this process runs in, as far as that restricts it: a container, a chroot, a
//! policy of the system. It states only what the kernel shows.

use std::fs;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};

use crate::cause::Cause;
use crate::mountinfo::MountTable;
use crate::privileges::{is_root_without_power, may_mount};

/// Something that keeps a process from the calls that make a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hindrance {
    /// The user ID is 0, and CAP_SYS_ADMIN is missing: root of an ordinary container.
    RootWithoutPower,
    /// The system's limit of user namespaces is 0.
    NoUserNamespaces,
    /// Debian's setting against user namespaces of users.
    UsersForbidden,
    /// AppArmor's setting against user namespaces of users: Ubuntu since 23.10.
    AppArmor,
    /// In a chroot the kernel makes no user namespace.
    Chroot,
    /// A system call filter, mostly that of another container, refuses this process the calls
    /// that make a container.
    Seccomp,
    /// Something is mounted on a part of /proc or /sys. Then the kernel does not allow a
    /// fresh one in a user namespace.
    Covered(PathBuf),
}

impl Hindrance {
    /// Its name in lists of texts.
    pub fn key(&self) -> &'static str {
        match self {
            Hindrance::RootWithoutPower => "root-without-power",
            Hindrance::NoUserNamespaces => "no-user-namespaces",
            Hindrance::UsersForbidden => "users-forbidden",
            Hindrance::AppArmor => "apparmor",
            Hindrance::Chroot => "chroot",
            Hindrance::Seccomp => "seccomp",
            Hindrance::Covered(_) => "covered-proc",
        }
    }

    /// What it means, and what to do.
    pub fn cause(&self) -> Cause {
        match self {
            Hindrance::RootWithoutPower => Cause::new(
                "this root lacks CAP_SYS_ADMIN, as in a container: it may not mount, and is \
                 treated as an ordinary user",
                "run outside of the container, or give it --privileged",
            ),
            Hindrance::NoUserNamespaces => Cause::new(
                "this system allows no user namespaces: user.max_user_namespaces=0",
                "sudo sysctl user.max_user_namespaces=10000, or run as root",
            ),
            Hindrance::UsersForbidden => Cause::new(
                "this system forbids user namespaces to users: \
                 kernel.unprivileged_userns_clone=0",
                "sudo sysctl kernel.unprivileged_userns_clone=1, or run as root",
            ),
            Hindrance::AppArmor => Cause::new(
                "AppArmor forbids user namespaces to the programs of users (Ubuntu since 23.10): \
                 kernel.apparmor_restrict_unprivileged_userns=1",
                "sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0, which allows them to \
                 all programs until the next boot; or for this checkout's alone: \
                 scripts/apparmor-profile; or run as root",
            ),
            Hindrance::Chroot => Cause::new(
                "this is a chroot, in which the kernel makes no user namespaces",
                "pivot_root into it, or run outside of it",
            ),
            Hindrance::Seccomp => Cause::new(
                "a seccomp filter refuses namespaces and mounts to this process, as in a \
                 container",
                "outside of a container; or with its option --security-opt seccomp=unconfined",
            ),
            Hindrance::Covered(path) => Cause::new(
                format!(
                    "{path:?} is covered by a mount, as in a container, so the kernel grants no \
                     fresh /{} in a user namespace",
                    path.iter().nth(1).unwrap_or_default().display()
                ),
                "outside of the container; or with its option --security-opt \
                 systempaths=unconfined",
            ),
        }
    }
}

/// All that apply here, the most important first.
pub fn hindrances() -> Vec<Hindrance> {
    let mut found = user_namespaces();
    if is_root_without_power() {
        found.insert(0, Hindrance::RootWithoutPower);
    }
    found.extend(covered(Path::new("/proc")));
    found
}

/// What keeps a process from making user namespaces.
pub fn user_namespaces() -> Vec<Hindrance> {
    let setting = |file: &str, value: &str| {
        fs::read_to_string(Path::new("/proc/sys").join(file)).is_ok_and(|it| it.trim() == value)
    };
    // Whoever may mount is not concerned.
    let of_users = |is_so: bool, hindrance| (is_so && !may_mount()).then_some(hindrance);
    let all = [
        setting("user/max_user_namespaces", "0").then_some(Hindrance::NoUserNamespaces),
        of_users(setting("kernel/unprivileged_userns_clone", "0"), Hindrance::UsersForbidden),
        of_users(apparmor_restricts(&profile(), &apparmor_setting()), Hindrance::AppArmor),
        is_chroot().then_some(Hindrance::Chroot),
        seccomp(),
    ];
    all.into_iter().flatten().collect()
}

/// What keeps the root of a user namespace from mounting: AppArmor, which confines it
/// with the profile `unprivileged_userns`.
pub fn confined() -> Option<Hindrance> {
    profile().starts_with("unprivileged_userns").then_some(Hindrance::AppArmor)
}

/// The setting applies to programs without their own profile. In Ubuntu such a program is
/// confined by `unprivileged_userns` once it has made a user namespace.
fn apparmor_restricts(profile: &str, setting: &str) -> bool {
    let has_none = ["unconfined", "unprivileged_userns"].iter().any(|it| profile.starts_with(it));
    has_none && setting.trim() == "1"
}

fn apparmor_setting() -> String {
    let setting = "/proc/sys/kernel/apparmor_restrict_unprivileged_userns";
    fs::read_to_string(setting).unwrap_or_default()
}

/// The AppArmor profile that applies to this thread.
fn profile() -> String {
    let files = ["/proc/thread-self/attr/apparmor/current", "/proc/thread-self/attr/current"];
    files.iter().find_map(|file| fs::read_to_string(file).ok()).unwrap_or_default()
}

/// The root of a mount namespace is a mount point. That of a chroot mostly is not.
fn is_chroot() -> bool {
    MountTable::read().is_ok_and(|table| table.at(Path::new("/")).is_none())
}

/// A filter that refuses what the kernel itself would not: unshare(2) of nothing, or a
/// mount(2) that names no place. See "Seccomp" in proc_pid_status(5).
pub fn seccomp() -> Option<Hindrance> {
    let status = fs::read_to_string("/proc/thread-self/status").unwrap_or_default();
    let mode = status.lines().find_map(|line| line.strip_prefix("Seccomp:"));
    let has_filter = mode.is_some_and(|mode| mode.trim() == "2");
    let refused = || {
        let (none, nothing): (Option<&str>, _) = (None, MsFlags::empty());
        let mounted = mount(none, "", none, nothing, none);
        unshare(CloneFlags::empty()).is_err() || mounted != Err(Errno::ENOENT)
    };
    (has_filter && refused()).then_some(Hindrance::Seccomp)
}

/// The first place below `top`, /proc or /sys, that something is mounted on. Some
/// directories exist for that: the kernel keeps them empty.
pub fn covered(top: &Path) -> Option<Hindrance> {
    const MOUNT_POINTS: [&str; 11] = [
        "/proc/sys/fs/binfmt_misc",
        "/proc/fs/nfsd",
        "/sys/firmware/efi/efivars",
        "/sys/fs/bpf",
        "/sys/fs/cgroup",
        "/sys/fs/fuse/connections",
        "/sys/fs/pstore",
        "/sys/kernel/config",
        "/sys/kernel/debug",
        "/sys/kernel/security",
        "/sys/kernel/tracing",
    ];
    let table = MountTable::read().ok()?;
    let below = table.below(top);
    let covers = below.into_iter().rev().find(|mount| {
        mount.mount_point != top
            && !MOUNT_POINTS.iter().any(|usual| mount.mount_point.starts_with(usual))
    });
    covers.map(|mount| Hindrance::Covered(mount.mount_point.clone()))
}

/// Windows Subsystem for Linux, and what is different there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wsl {
    /// Version 1 is not a Linux kernel: it has no namespaces and no overlay.
    One,
    /// Version 2 is one, in a VM.
    Two,
}

/// Whether this is a Windows Subsystem for Linux, as /proc/version tells.
pub fn wsl() -> Option<Wsl> {
    wsl_of(&fs::read_to_string("/proc/version").unwrap_or_default())
}

/// Reads a /proc/version: `Linux version 5.15.153.1-microsoft-standard-WSL2 …`.
pub fn wsl_of(version: &str) -> Option<Wsl> {
    let version = version.to_ascii_lowercase();
    match (version.contains("microsoft"), version.contains("wsl2")) {
        (true, true) => Some(Wsl::Two),
        (true, false) if version.contains("-microsoft-standard") => Some(Wsl::Two),
        (true, false) => Some(Wsl::One),
        (false, _) => None,
    }
}

/// Whether a file system of this type is a Windows one, which cannot hold layers: it has
/// neither Linux's modes nor extended attributes, and is slow.
pub fn is_of_windows(fs_type: &str) -> bool {
    matches!(fs_type, "9p" | "drvfs" | "fuseblk" | "ntfs" | "ntfs3")
}

#[cfg(test)]
mod tests {
    use super::apparmor_restricts;

    #[test]
    fn apparmor_restricts_who_has_no_profile_of_his_own() {
        for (profile, setting, restricts) in [
            ("unconfined\n", "1\n", true),
            ("unprivileged_userns (enforce)\n", "1\n", true),
            ("unconfined\n", "0\n", false),
            ("unconfined\n", "", false),
            ("docker-default (enforce)\n", "1\n", false),
            ("mydocker-labs (unconfined)\n", "1\n", false),
            ("", "1\n", false),
        ] {
            assert_eq!(apparmor_restricts(profile, setting), restricts, "{profile:?} {setting:?}");
        }
    }
}
