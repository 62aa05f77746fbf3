//! The file systems that this kernel has.

use std::fs;

/// Whether a file system is built in, or its module is loaded; `None` where
/// /proc/filesystems cannot be read. See filesystems(5).
pub fn kernel_has(file_system: &str) -> Option<bool> {
    let list = fs::read_to_string("/proc/filesystems").ok()?;
    Some(list.lines().any(|line| line.split_whitespace().last() == Some(file_system)))
}
