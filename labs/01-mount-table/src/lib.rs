//! Lab 01: the mount table. The task is in README.md.
//!
//! These types are given:
//!
//! ```text
//! Mount { id: u32, parent: u32, device: String, root: PathBuf,       fields (1) to (4)
//!         mount_point: PathBuf, options: Vec<String>,                (5), (6)
//!         optional_fields: Vec<String>,                              (7)
//!         fs_type: String, source: OsString,                         (9), (10)
//!         super_options: Vec<OsString> }                             (11)
//! Change::{Mounted, Umounted, Moved, Remounted}(u32)                 the ID of the mount
//! ```

use std::ffi::OsString;
use std::io;

use lab_01_grader::table::{Change, Mount};

/// Undoes the kernel's escapes in one field of the mount table.
///
/// Spaces separate fields, and line feeds separate lines. A name may contain both,
/// so the kernel writes some bytes as a backslash and three octal digits: `\040` is
/// a space, and `\134` is the backslash itself. Any byte may be written this way,
/// from `\000` to `\377`; `\400` and above are not escapes. A backslash that does not
/// begin an escape stands for itself. So does every other byte: a field need not be
/// UTF-8.
///
/// See proc_pid_mountinfo(5) and ascii(7).
pub fn unescape(field: &[u8]) -> OsString {
    todo!("undo the escapes in {:?}", field.escape_ascii().to_string())
}

/// Parses one line of `/proc/self/mountinfo`, without its line feed:
///
/// ```text
/// 36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue
/// (1)(2)(3)  (4)   (5)   (6)        (7)     (8)(9)  (10)      (11)
/// ```
///
/// Exactly one space separates two fields, so a field can be empty: `tmpfs  rw` has
/// three fields, and the second one, the source, is empty. There can be any number
/// of optional fields (7), even none, and today's kernels may not know all of them:
/// keep them all. A lone dash (8) ends them. Future kernels may add fields after
/// the last one (11): ignore those.
///
/// The root, the mount point, the source and each super option are unescaped, and
/// may contain any bytes. The other fields are ASCII, and nothing in them is escaped. An
/// optional field need not have a colon. The options (6) and the super options (11) are
/// comma-separated lists of one option or more; an escaped comma separates nothing.
///
/// See proc_pid_mountinfo(5).
///
/// # Errors
/// [`io::ErrorKind::InvalidData`] if a field is missing, or if the mount ID or the
/// parent ID is not a decimal number that a u32 can hold. No input makes it panic.
pub fn parse_line(line: &[u8]) -> io::Result<Mount> {
    todo!("parse {:?}", line.escape_ascii().to_string())
}

/// Says which mount is mounted on which, as a list of depths and mount IDs.
///
/// The mounts on top of a mount follow it, one level deeper. Each of them is
/// followed at once by the mounts on top of it. Mounts on the same mount keep the
/// order of the table, and so do those of depth 0.
///
/// The parent ID says what a mount is mounted on. The path does not: mounts can be
/// stacked, and can cover each other. A mount has depth 0 if its parent is not in
/// the table, or if it is its own parent. There can be several such mounts, at any
/// mount point, and a mount can come before its parent. Parents lead to a mount of
/// depth 0: they never go round in a circle.
pub fn tree(mounts: &[Mount]) -> Vec<(usize, u32)> {
    todo!("a tree of {} mounts", mounts.len())
}

/// Says what has changed between two readings of the same mount table.
///
/// First come the mounts of `before` that are gone, in the order of `before`. Then
/// come the mounts of `after` that are new or changed, in the order of `after`. A
/// mount that was both moved and remounted appears twice: moved, then remounted.
///
/// - It is **the same mount** if the mount ID, device, root, file system type and
///   source are all equal. The ID alone is not enough: the kernel reuses it as soon
///   as the mount is gone.
/// - It was **moved** if its mount point has changed. A new parent is not a change.
/// - It was **remounted** if its options, optional fields or super options have
///   changed. Another order is a change, too.
pub fn difference(before: &[Mount], after: &[Mount]) -> Vec<Change> {
    todo!("from {} mounts to {}", before.len(), after.len())
}
