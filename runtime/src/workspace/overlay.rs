//! The overlay driver: layers as overlayfs's mount options.
//!
//! See Documentation/filesystems/overlayfs.rst in the kernel's sources.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

/// Splits the options of an overlay mount at its commas, but not where a
/// backslash makes the comma a part of a path; the values stay escaped.
pub fn split_options(options: &str) -> Vec<(String, String)> {
    let parts = split_unescaped(options, ',');
    parts
        .into_iter()
        .map(|option| match option.split_once('=') {
            Some((name, value)) => (name.to_owned(), value.to_owned()),
            None => (option, String::new()),
        })
        .collect()
}

/// The layers in the value of `lowerdir`, topmost first, unescaped.
pub fn split_layers(value: &str) -> Vec<OsString> {
    split_unescaped(value, ':').iter().map(|layer| unescape_layer(OsStr::new(layer))).collect()
}

fn split_unescaped(text: &str, separator: char) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        let last = parts.last_mut().expect("there is always one");
        if character == separator {
            parts.push(String::new());
        } else {
            last.push(character);
            if character == '\\' {
                last.extend(characters.next());
            }
        }
    }
    parts
}

fn unescape_layer(layer: &OsStr) -> OsString {
    let mut plain = Vec::new();
    let mut bytes = layer.as_bytes().iter();
    while let Some(&byte) = bytes.next() {
        plain.push(if byte == b'\\' { *bytes.next().unwrap_or(&byte) } else { byte });
    }
    OsString::from_vec(plain)
}
