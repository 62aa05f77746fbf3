//! Paths as they are written: in a report, and in the mount table.

use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// A path on one line, whatever bytes are in it.
pub fn printable(path: &Path) -> String {
    let mut text = String::new();
    for chunk in path.as_os_str().as_bytes().utf8_chunks() {
        for c in chunk.valid().chars() {
            if c.is_control() {
                text.extend(c.escape_default());
            } else {
                text.push(c);
            }
        }
        text.extend(chunk.invalid().iter().map(|byte| format!("\\x{byte:02x}")));
    }
    text
}

/// Whether the mount table writes this path otherwise than it is.
pub fn has_escapes(path: &Path) -> bool {
    path.as_os_str().as_bytes().iter().any(|byte| b" \t\n\\".contains(byte))
}
