//! Which function is called, and what is in its way.

use crate::acts::{DELETE_MOUNT_POINT, DELETE_WORKSPACE, DELETE_WRITE_LAYER, Deletion};

/// Which function is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    MountPoint,
    WriteLayer,
    Workspace,
}

impl Which {
    pub fn act(self) -> &'static Deletion {
        match self {
            Which::MountPoint => &DELETE_MOUNT_POINT,
            Which::WriteLayer => &DELETE_WRITE_LAYER,
            Which::Workspace => &DELETE_WORKSPACE,
        }
    }

    pub fn function(self) -> &'static str {
        self.act().function
    }

    /// Whether it is to delete this entry of a workspace.
    pub fn deletes(self, entry: &str) -> bool {
        match self {
            Which::MountPoint => false,
            Which::WriteLayer => matches!(entry, "write-layer" | "work"),
            Which::Workspace => true,
        }
    }
}

/// How long a file stays open below the mount point, so that its mount is busy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Open {
    /// Until the answer waits, or has worked for a while.
    ForAMoment,
    /// Before, during and after the call.
    Throughout,
}
