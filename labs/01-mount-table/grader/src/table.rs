//! What the functions of the lab return.

use std::ffi::OsString;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// One line of the mount table. See proc_pid_mountinfo(5).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mount {
    /// (1) The mount ID, valid as long as it is mounted.
    pub id: u32,
    /// (2) The ID of the mount that this one is mounted on.
    pub parent: u32,
    /// (3) `major:minor` of the file system, the `st_dev` of its files.
    pub device: String,
    /// (4) The directory of the file system that is mounted: `/`, or what was bound.
    #[serde(with = "any_path")]
    pub root: PathBuf,
    /// (5) Where it is mounted, as seen from the reader's root.
    #[serde(with = "any_path")]
    pub mount_point: PathBuf,
    /// (6) The options of this mount alone: `rw`, `nosuid`.
    pub options: Vec<String>,
    /// (7) Propagation: `shared:N`, `master:N`, `propagate_from:N`, `unbindable`.
    pub optional_fields: Vec<String>,
    /// (9) The type of the file system: `ext4`.
    pub fs_type: String,
    /// (10) What was mounted: a device, any word, or nothing.
    pub source: OsString,
    /// (11) The options of the file system, the same in all its mounts.
    pub super_options: Vec<OsString>,
}

/// What has become of the mount with this ID.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Change {
    /// It is new; the id is that of the second table.
    Mounted(u32),
    /// It is gone; the id is that of the first table.
    Umounted(u32),
    /// It is at another place.
    Moved(u32),
    /// It has other options, or another propagation.
    Remounted(u32),
}

/// Paths as JSON, also those that are not UTF-8.
mod any_path {
    use std::ffi::OsString;
    use std::path::{Path, PathBuf};

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub fn serialize<S: Serializer>(path: &Path, serializer: S) -> Result<S::Ok, S::Error> {
        path.as_os_str().serialize(serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<PathBuf, D::Error> {
        OsString::deserialize(deserializer).map(PathBuf::from)
    }
}
