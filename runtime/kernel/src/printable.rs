//! Other people's words on a terminal: file names, mount options.

use std::path::Path;

/// `text` without what could move the cursor, or forge a line: control
/// characters are written as escapes.
pub fn printable(text: &str) -> String {
    text.chars()
        .flat_map(|c| if c.is_control() { c.escape_default().collect() } else { vec![c] })
        .collect()
}

/// The same for a path, whatever bytes are in it.
pub fn printable_path(path: &Path) -> String {
    printable(&path.to_string_lossy())
}
