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
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

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
    let mut bytes = Vec::with_capacity(field.len());
    let mut rest = field;
    while let [byte, tail @ ..] = rest {
        // Each byte is looked at once. What an escape has become is never looked
        // at again, so that `\134040` becomes `\040`, and not a space.
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
    // At single spaces: two spaces in a row have an empty field between them.
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
