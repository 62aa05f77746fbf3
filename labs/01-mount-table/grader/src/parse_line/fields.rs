//! The fields of a line, by name and by place.

use std::os::unix::ffi::OsStrExt;

use crate::table::Mount;

/// All fields with their names, as Rust writes them.
pub fn named(mount: &Mount) -> [(&'static str, String); 10] {
    [
        ("id", format!("{:?}", mount.id)),
        ("parent", format!("{:?}", mount.parent)),
        ("device", format!("{:?}", mount.device)),
        ("root", format!("{:?}", mount.root)),
        ("mount_point", format!("{:?}", mount.mount_point)),
        ("options", format!("{:?}", mount.options)),
        ("optional_fields", format!("{:?}", mount.optional_fields)),
        ("fs_type", format!("{:?}", mount.fs_type)),
        ("source", format!("{:?}", mount.source)),
        ("super_options", format!("{:?}", mount.super_options)),
    ]
}

/// The fields that can have escapes in them, as they are in the line.
pub struct Raw<'a> {
    pub root: &'a [u8],
    pub mount_point: &'a [u8],
    pub source: &'a [u8],
    pub super_options: &'a [u8],
    /// Whether there is something behind them.
    pub has_later_fields: bool,
}

impl Raw<'_> {
    /// Finds them in a line that is as it must be.
    pub fn of(line: &[u8]) -> Raw<'_> {
        let fields: Vec<&[u8]> = line.split(|&byte| byte == b' ').collect();
        let separator = fields.iter().position(|field| *field == b"-").expect("a valid line");
        Raw {
            root: fields[3],
            mount_point: fields[4],
            source: fields[separator + 2],
            super_options: fields[separator + 3],
            has_later_fields: fields.len() > separator + 4,
        }
    }

    /// Those that are names: what each is called, as it is in the line, and what
    /// was made of it in `seen`.
    pub fn names<'a>(&'a self, seen: &'a Mount) -> [(&'static str, &'a [u8], &'a [u8]); 3] {
        [
            ("mount_point", self.mount_point, seen.mount_point.as_os_str().as_bytes()),
            ("root", self.root, seen.root.as_os_str().as_bytes()),
            ("source", self.source, seen.source.as_bytes()),
        ]
    }
}
