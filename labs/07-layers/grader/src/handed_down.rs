//! Workspaces that hand a mode down to what is made in them, whatever mode was asked for.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// What a workspace hands down.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum HandedDown {
    /// The set-group-ID bit, to directories. See mkdir(2).
    SetGroupId,
    /// A default ACL, which counts instead of the umask. See acl(5).
    DefaultAcl,
}

/// The default ACL, as the kernel takes it in an extended attribute: all for the owner, and
/// nothing for anybody else.
const ACL: [u32; 7] =
    [VERSION, entry(USER_OBJ, 7), NOBODY, entry(GROUP_OBJ, 0), NOBODY, entry(OTHER, 0), NOBODY];

/// See linux/posix_acl_xattr.h and linux/posix_acl.h.
const VERSION: u32 = 2;
const USER_OBJ: u32 = 0x01;
const GROUP_OBJ: u32 = 0x04;
const OTHER: u32 = 0x20;
/// The ID in entries that need none.
const NOBODY: u32 = u32::MAX;

/// A tag and its permissions have 16 bits each, the lower byte first.
const fn entry(tag: u32, permissions: u32) -> u32 {
    tag | permissions << 16
}

impl HandedDown {
    pub const ALL: [HandedDown; 2] = [HandedDown::SetGroupId, HandedDown::DefaultAcl];

    /// Prepares a workspace. If the file system has no ACLs, it stays as it is.
    ///
    /// # Panics
    /// The mode cannot be set.
    pub fn prepare(self, workspace: &Path) {
        match self {
            HandedDown::SetGroupId => {
                let mode = Permissions::from_mode(0o2755);
                fs::set_permissions(workspace, mode).expect("our own directory");
            }
            HandedDown::DefaultAcl => {
                let bytes: Vec<u8> = ACL.iter().flat_map(|word| word.to_le_bytes()).collect();
                let _ = xattr::set(workspace, "system.posix_acl_default", &bytes);
            }
        }
    }

    /// Whether mkdir(2) or open(2), asked for one mode, makes the other in such a workspace,
    /// and the two differ.
    pub fn explains(self, asked: u32, seen: u32) -> bool {
        let handed_down = match self {
            HandedDown::SetGroupId => asked | 0o2000,
            HandedDown::DefaultAcl => asked & !0o077,
        };
        seen != asked && seen == handed_down
    }

    /// The command that prepares a workspace in the same way.
    pub fn command(self) -> &'static str {
        match self {
            HandedDown::SetGroupId => "chmod g+s workspace",
            HandedDown::DefaultAcl => "setfacl -d -m g::-,o::- workspace",
        }
    }
}
