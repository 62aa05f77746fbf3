//! Lab 01: the mount table. The task is in README.md.
//!
//! Given are the types
//!
//! ```text
//! Mount { id: u32, parent: u32, device: String, root: PathBuf,       fields (1) to (4)
//!         mount_point: PathBuf, options: Vec<String>,                (5), (6)
//!         optional_fields: Vec<String>,                              (7)
//!         fs_type: String, source: OsString,                         (9), (10)
//!         super_options: Vec<OsString> }                             (11)
//! Change::{Mounted, Umounted, Moved, Remounted}(u32)                 of which mount
//! ```

use std::ffi::OsString;
use std::io;

use lab_01_grader::table::{Change, Mount};

/// Undoes the kernel's escapes in one field of the mount table.
///
/// A blank separates the fields, and a line feed the lines. So that a name may
/// have them in it all the same, the kernel writes some bytes as a backslash and
/// three octal digits: `\040` is a blank, `\134` the backslash itself. Any byte
/// may be written so, from `\000` to `\377`. A backslash without three such
/// digits after it stands for itself, and so do all other bytes: they need not be
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
/// One blank separates two fields, so that a field can be empty: `tmpfs  rw` has
/// three, and the source is the second. Of the optional fields (7) there can be
/// none, one or several, also such as no kernel of today has; all are kept. The
/// lone dash (8) ends them.
///
/// The root, the mount point, the source and each super option are unescaped, and
/// may be any bytes. The options (6) and the super options (11) are lists with
/// commas in between; an escaped comma separates nothing.
///
/// See proc_pid_mountinfo(5).
///
/// # Errors
/// A field is missing, or the mount's or the parent's id is no number:
/// [`io::ErrorKind::InvalidData`]. Nothing makes it panic.
pub fn parse_line(line: &[u8]) -> io::Result<Mount> {
    todo!("parse {:?}", line.escape_ascii().to_string())
}

/// Which mount is mounted on which: each mount's depth and its id.
///
/// A mount is followed by those that are mounted on it, which are one deeper, and
/// each of them at once by what is mounted on that one. What is mounted on one
/// and the same mount has the order of the table.
///
/// The parent's id tells what a mount is mounted on; its path does not, for
/// mounts are stacked and cover each other. A mount whose parent is not in the
/// table, or is the mount itself, has the depth 0. There can be several of them,
/// at any mount point, and a mount can come before its parent.
pub fn tree(mounts: &[Mount]) -> Vec<(usize, u32)> {
    todo!("a tree of {} mounts", mounts.len())
}

/// What has changed between two readings of the same mount table.
///
/// First come the mounts of `before` that are gone, in their order; then those of
/// `after`, in theirs, that are new or changed: a mount that was moved and
/// remounted is told of twice, in this order.
///
/// - It is **the same mount** if its id, device, root, file system type and source
///   are the same. The id alone does not tell: the kernel gives it away again as
///   soon as the mount is gone.
/// - It was **moved** if its mount point is another path. Another parent is no
///   change.
/// - It was **remounted** if its options, its optional fields or its super options
///   are others.
pub fn difference(before: &[Mount], after: &[Mount]) -> Vec<Change> {
    todo!("from {} mounts to {}", before.len(), after.len())
}
