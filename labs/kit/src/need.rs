//! What a promise needs to be graded, and what is missing here.

use mydocker_kernel::file_systems::kernel_has;
use mydocker_kernel::privileges::Privileges;
use serde::{Deserialize, Serialize};

use crate::control_groups;
use crate::sys::can_decide_on_calls;

/// Something that not every kernel has and not every user may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// Mount overlayfs, with whiteouts and opaque directories.
    Overlay,
    /// Mount AUFS.
    Aufs,
    /// Make device files.
    DeviceFiles,
    /// Give files to other users.
    Owners,
    /// Make control groups that limit memory and processes.
    ControlGroups,
    /// Decide on each call of the answer, and hear of it. See [`crate::deciding`].
    Deciding,
    /// Be root of the machine, for any reason.
    Root,
}

impl Need {
    /// All there are.
    pub const ALL: [Need; 7] = [
        Need::Overlay,
        Need::Aufs,
        Need::DeviceFiles,
        Need::Owners,
        Need::ControlGroups,
        Need::Deciding,
        Need::Root,
    ];
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
    /// No control groups of this machine limit memory and processes.
    ControlGroups,
    /// This kernel lets nobody decide on another process's calls: before Linux 5.6.
    Deciding,
    /// The adapter of a program does not say something.
    Adapter {
        /// What it does not say.
        silent_about: Told,
    },
}

/// What the adapter of a program may tell about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Told {
    /// Where the image's files are.
    Image,
    /// Where the write layer is.
    WriteLayer,
    /// Where the layers are one tree.
    Mnt,
    /// How a container is given a volume.
    Volume,
    /// How a command is run in a running container.
    Exec,
    /// How a container is made an image.
    Commit,
}

impl Lacking {
    /// Its name in the texts of the kit.
    pub fn key(self) -> &'static str {
        match self {
            Lacking::UserNamespaces { .. } => "user-namespaces",
            Lacking::OverlayForUsers => "overlay-for-users",
            Lacking::Root => "root",
            Lacking::Aufs => "aufs",
            Lacking::ControlGroups => "control-groups",
            Lacking::Deciding => "deciding",
            Lacking::Adapter { silent_about: Told::Image } => "adapter-image",
            Lacking::Adapter { silent_about: Told::WriteLayer } => "adapter-write-layer",
            Lacking::Adapter { silent_about: Told::Mnt } => "adapter-mnt",
            Lacking::Adapter { silent_about: Told::Volume } => "adapter-volume",
            Lacking::Adapter { silent_about: Told::Exec } => "adapter-exec",
            Lacking::Adapter { silent_about: Told::Commit } => "adapter-commit",
        }
    }
}

/// How the machine is sealed off from an answer, the best seal first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Seal {
    /// The answer is root of a user namespace, and nobody outside it.
    UserNamespace,
    /// The answer is root of the machine, in its own namespaces, and may make
    /// device files, which nobody can open, but mount and unmount nothing.
    DeviceFiles,
    /// The answer is root of the machine, in its own namespaces, and may mount.
    /// It could undo the read-only mounts if it tried: only for what needs it.
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
            Need::Owners | Need::ControlGroups if !is_root => return Err(Lacking::Root),
            Need::ControlGroups if !control_groups::can_be_had() => {
                return Err(Lacking::ControlGroups);
            }
            Need::Deciding if !can_decide_on_calls() => return Err(Lacking::Deciding),
            Need::Owners | Need::ControlGroups | Need::Deciding => {}
            Need::DeviceFiles | Need::Root if !is_root => return Err(Lacking::Root),
            Need::DeviceFiles => seal = seal.max(Seal::DeviceFiles),
            Need::Root => seal = Seal::RealRoot,
            // In a user namespace overlayfs keeps its marks in user.* extended
            // attributes, which tmpfs has since Linux 6.6.
            Need::Overlay if kernel() >= (6, 6) => {}
            Need::Overlay if !is_root => return Err(Lacking::OverlayForUsers),
            Need::Overlay => seal = Seal::RealRoot,
            Need::Aufs if kernel_has("aufs") != Some(true) => return Err(Lacking::Aufs),
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
