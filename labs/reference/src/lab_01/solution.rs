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
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

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
    let mut bytes = Vec::with_capacity(field.len());
    let mut rest = field;
    while let [byte, tail @ ..] = rest {
        // Each byte is looked at once. What an escape has become is never looked
        // at again, so that `\134040` becomes `\040`, and not a blank.
        if let [b'\\', a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', after @ ..] = rest {
            bytes.push((a - b'0') << 6 | (b - b'0') << 3 | (c - b'0'));
            rest = after;
        } else {
            bytes.push(*byte);
            rest = tail;
        }
    }
    OsString::from_vec(bytes)
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
    // At single blanks: two blanks in a row have an empty field between them.
    let mut fields = line.split(|&byte| byte == b' ');
    let mut next = |name: &str| fields.next().ok_or_else(|| invalid(name, line));

    let id = number(next("id")?).ok_or_else(|| invalid("id", line))?;
    let parent = number(next("parent")?).ok_or_else(|| invalid("parent", line))?;
    let device = text(next("device")?);
    let root = PathBuf::from(unescape(next("root")?));
    let mount_point = PathBuf::from(unescape(next("mount point")?));
    let options = next("options")?.split(|&byte| byte == b',').map(text).collect();
    // No counting: what ends the optional fields is the first field that is a dash.
    let mut optional_fields = Vec::new();
    loop {
        match next("dash")? {
            b"-" => break,
            field => optional_fields.push(text(field)),
        }
    }
    let fs_type = text(next("file system type")?);
    let source = unescape(next("source")?);
    // First split, then unescape: else an escaped comma would split an option.
    let super_options = next("super options")?.split(|&byte| byte == b',').map(unescape).collect();
    Ok(Mount {
        id,
        parent,
        device,
        root,
        mount_point,
        options,
        optional_fields,
        fs_type,
        source,
        super_options,
    })
}

// What the kernel itself writes is ASCII.
fn text(field: &[u8]) -> String {
    String::from_utf8_lossy(field).into_owned()
}

fn number(field: &[u8]) -> Option<u32> {
    std::str::from_utf8(field).ok()?.parse().ok()
}

fn invalid(field: &str, line: &[u8]) -> io::Error {
    let line = line.escape_ascii();
    io::Error::new(io::ErrorKind::InvalidData, format!("no valid {field} in \"{line}\""))
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
    let is_root = |mount: &&Mount| {
        mount.parent == mount.id || mounts.iter().all(|other| other.id != mount.parent)
    };
    // What is still to be visited, the next one last: so the order is reversed.
    let mut to_visit: Vec<(usize, &Mount)> =
        mounts.iter().rev().filter(is_root).map(|root| (0, root)).collect();
    let mut tree = Vec::new();
    while let Some((depth, mount)) = to_visit.pop() {
        tree.push((depth, mount.id));
        let is_child = |child: &&Mount| child.parent == mount.id && child.id != mount.id;
        to_visit.extend(mounts.iter().rev().filter(is_child).map(|child| (depth + 1, child)));
    }
    tree
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
    let mut changes = Vec::new();
    for old in before {
        if !after.iter().any(|new| is_same(old, new)) {
            changes.push(Change::Umounted(old.id));
        }
    }
    for new in after {
        let Some(old) = before.iter().find(|old| is_same(old, new)) else {
            changes.push(Change::Mounted(new.id));
            continue;
        };
        if old.mount_point != new.mount_point {
            changes.push(Change::Moved(new.id));
        }
        if settings(old) != settings(new) {
            changes.push(Change::Remounted(new.id));
        }
    }
    changes
}

// Whether it is one mount, read twice: one number, and the same thing mounted.
fn is_same(old: &Mount, new: &Mount) -> bool {
    old.id == new.id
        && old.device == new.device
        && old.root == new.root
        && old.fs_type == new.fs_type
        && old.source == new.source
}

// What a remount can change.
fn settings(mount: &Mount) -> (&[String], &[String], &[OsString]) {
    (&mount.options, &mount.optional_fields, &mount.super_options)
}
