//! What a promise needs to be graded, and what is lacking here.

use mydocker::privileges::Privileges;
use serde::{Deserialize, Serialize};

/// Something that not every kernel has and not every user may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// Mount overlayfs, with whiteouts and opaque folders.
    Overlay,
    /// Mount AUFS.
    Aufs,
    /// Make device files.
    DeviceFiles,
    /// Give files to other users.
    Owners,
}

/// What is lacking, so that a promise cannot be graded here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "lacking", rename_all = "kebab-case")]
pub enum Lacking {
    /// This user may not make user namespaces, or not mount /proc in one.
    UserNamespaces {
        /// What the kernel said.
        errno: i32,
    },
    /// Before Linux 6.6 overlayfs is complete for root only.
    OverlayForUsers,
    /// Only root of the machine may do it.
    Root,
    /// This kernel has no AUFS.
    Aufs,
}

impl Lacking {
    /// Its name in the texts of the kit.
    pub fn key(self) -> &'static str {
        match self {
            Lacking::UserNamespaces { .. } => "user-namespaces",
            Lacking::OverlayForUsers => "overlay-for-users",
            Lacking::Root => "root",
            Lacking::Aufs => "aufs",
        }
    }
}

/// How the machine is sealed off from an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seal {
    /// The answer is root of a user namespace, and nobody outside of it.
    UserNamespace,
    /// The answer is root of the machine, in namespaces of its own. It could
    /// undo the read-only mounts if it tried: only for what needs it.
    RealRoot,
}

/// The best seal under which all `needs` are met.
///
/// # Errors
/// There is none here.
pub fn seal(needs: &[Need]) -> Result<Seal, Lacking> {
    let is_root = Privileges::current() == Privileges::Root;
    let mut seal = Seal::UserNamespace;
    for need in needs {
        match need {
            Need::Owners if !is_root => return Err(Lacking::Root),
            Need::Owners => {}
            Need::DeviceFiles if !is_root => return Err(Lacking::Root),
            Need::DeviceFiles => seal = Seal::RealRoot,
            // In a user namespace overlayfs keeps its marks in user.* extended
            // attributes, which tmpfs has since Linux 6.6.
            Need::Overlay if kernel() >= (6, 6) => {}
            Need::Overlay if !is_root => return Err(Lacking::OverlayForUsers),
            Need::Overlay => seal = Seal::RealRoot,
            Need::Aufs if !has_aufs() => return Err(Lacking::Aufs),
            Need::Aufs if !is_root => return Err(Lacking::Root),
            Need::Aufs => seal = Seal::RealRoot,
        }
    }
    Ok(seal)
}

/// The kernel's version, `(6, 12)`. See uname(2).
fn kernel() -> (u32, u32) {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map(|n| n.parse().unwrap_or(0));
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0))
}

fn has_aufs() -> bool {
    let list = std::fs::read_to_string("/proc/filesystems").unwrap_or_default();
    list.lines().any(|line| line.ends_with("\taufs"))
}
