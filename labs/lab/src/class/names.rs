//! Names of files that others have chosen.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

/// What macOS puts beside the files when it packs them.
pub const OF_MACOS: &str = "__MACOSX";

/// A name, so that no two look alike: bytes that are no UTF-8, control characters
/// and `\` itself are written as `\xNN`.
pub fn shown(name: &OsStr) -> String {
    let mut text = String::new();
    for chunk in name.as_bytes().utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '\\' => text += "\\x5c",
                c if c.is_control() => {
                    c.to_string().bytes().for_each(|byte| text += &format!("\\x{byte:02x}"));
                }
                c => text.push(c),
            }
        }
        chunk.invalid().iter().for_each(|byte| text += &format!("\\x{byte:02x}"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_names_look_alike() {
        let shown = |name: &[u8]| super::shown(OsStr::from_bytes(name));
        assert_eq!(shown("张三".as_bytes()), "张三");
        // 张三 and 李四 in GBK.
        assert_eq!(shown(b"\xd5\xc5\xc8\xfd"), r"\xd5\xc5\xc8\xfd");
        assert_eq!(shown(b"\xc0\xee\xcb\xc4"), r"\xc0\xee\xcb\xc4");
        assert_eq!(shown(br"\xd5"), r"\x5cxd5");
        assert_eq!(shown(b"a\nb\x1b[2J"), r"a\x0ab\x1b[2J");
    }
}
