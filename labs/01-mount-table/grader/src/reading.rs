//! The grader's own reading of mount tables, by the runtime's parser.

use mydocker_kernel::mountinfo::{self, MountTable};

use crate::table::Mount;

/// Reads a whole table.
///
/// # Panics
/// The text is not a mount table. The kernel's and ours are.
pub fn read(table: &[u8]) -> Vec<Mount> {
    lines(table).map(read_line).collect()
}

/// The lines of a table.
pub fn lines(table: &[u8]) -> impl Iterator<Item = &[u8]> {
    table.split(|&byte| byte == b'\n').filter(|line| !line.is_empty())
}

/// Reads one line.
pub fn read_line(line: &[u8]) -> Mount {
    let table = MountTable::parse(line).expect("a line of a mount table");
    let mount = table.mounts.into_iter().next().expect("one line");
    // The runtime does not split the super options: an escaped comma would be
    // one like any other.
    let super_options = line.rsplit(|&byte| byte == b' ').next().unwrap_or_default();
    Mount {
        id: mount.id,
        parent: mount.parent,
        device: mount.device,
        root: mount.root,
        mount_point: mount.mount_point,
        options: mount.options.split(',').map(str::to_owned).collect(),
        optional_fields: mount.optional_fields,
        fs_type: mount.fs_type,
        source: mount.source.into_os_string(),
        super_options: super_options.split(|&byte| byte == b',').map(mountinfo::unescape).collect(),
    }
}
