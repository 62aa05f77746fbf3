//! overlayfs's mount options as a text: how paths are written in them, and how
//! they are read.
//!
//! See Documentation/filesystems/overlayfs.rst in the kernel's sources.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

/// A path as it must be written in the options: `:` and `,` are separators
/// there, and a backslash takes their meaning away.
pub fn escape(path: &OsStr) -> OsString {
    let mut escaped = Vec::with_capacity(path.len());
    for &byte in path.as_bytes() {
        if matches!(byte, b'\\' | b':' | b',') {
            escaped.push(b'\\');
        }
        escaped.push(byte);
    }
    OsString::from_vec(escaped)
}

/// Splits mount options at their commas, but not at an escaped one: names and
/// values, the values still escaped.
pub fn split_options(options: &OsStr) -> Vec<(OsString, OsString)> {
    split_unescaped(options.as_bytes(), b',')
        .into_iter()
        .map(|option| {
            let end = option.iter().position(|&byte| byte == b'=').unwrap_or(option.len());
            let value = option.get(end + 1..).unwrap_or_default().to_vec();
            (OsString::from_vec(option[..end].to_vec()), OsString::from_vec(value))
        })
        .collect()
}

/// The folders in the value of `lowerdir` (or `upperdir`: then it is one),
/// topmost first, unescaped.
pub fn split_layers(value: &OsStr) -> Vec<OsString> {
    let unescape = |layer: Vec<u8>| {
        let mut plain = Vec::with_capacity(layer.len());
        let mut bytes = layer.into_iter();
        while let Some(byte) = bytes.next() {
            plain.push(if byte == b'\\' { bytes.next().unwrap_or(byte) } else { byte });
        }
        OsString::from_vec(plain)
    };
    split_unescaped(value.as_bytes(), b':').into_iter().map(unescape).collect()
}

fn split_unescaped(text: &[u8], separator: u8) -> Vec<Vec<u8>> {
    let mut parts = vec![Vec::new()];
    let mut bytes = text.iter().copied();
    while let Some(byte) = bytes.next() {
        if byte == separator {
            parts.push(Vec::new());
            continue;
        }
        let part = parts.last_mut().expect("there is always one");
        part.push(byte);
        if byte == b'\\' {
            part.extend(bytes.next());
        }
    }
    parts
}
