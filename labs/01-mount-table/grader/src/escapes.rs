//! What was done to the escapes of a field, by what came out.

use std::ffi::OsStr;
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use labkit::verdict::Finding;
use mydocker::mountinfo;

/// What must come of a field.
pub fn unescape(field: &[u8]) -> Vec<u8> {
    mountinfo::unescape(field).into_vec()
}

/// Finds out how `field` became `seen`. `knows_blanks` is whether the answer
/// makes a blank of `\040`, if that is all there is.
pub fn diagnose(field: &[u8], seen: &[u8], knows_blanks: bool) -> Option<&'static str> {
    let right = unescape(field);
    if seen == String::from_utf8_lossy(&right).as_bytes() {
        return Some("mount-table/bytes-lost");
    }
    if seen == as_characters(&right) {
        return Some("mount-table/bytes-taken-for-characters");
    }
    if seen == unescape(&right) {
        return Some("mount-table/unescaped-twice");
    }
    if seen == unescape_decimal(field) && seen != field {
        return Some("mount-table/escape-not-octal");
    }
    if seen == field && !knows_blanks {
        return Some("mount-table/not-unescaped");
    }
    if field == right {
        return Some("mount-table/changed-without-escape");
    }
    let has_left_some = seen == field || count_backslashes(seen) > count_backslashes(&right);
    has_left_some.then_some("mount-table/only-some-escapes")
}

/// Each byte as the character with its number, in UTF-8.
fn as_characters(bytes: &[u8]) -> Vec<u8> {
    bytes.iter().map(|&byte| char::from(byte)).collect::<String>().into_bytes()
}

/// As one who takes the digits for decimal ones.
fn unescape_decimal(field: &[u8]) -> Vec<u8> {
    let mut plain = Vec::new();
    let mut rest = field;
    while let Some((&byte, tail)) = rest.split_first() {
        let digits = tail.get(..3).filter(|_| byte == b'\\');
        let number = digits.and_then(|digits| std::str::from_utf8(digits).ok()?.parse().ok());
        plain.push(number.unwrap_or(byte));
        rest = if number.is_some() { &tail[3..] } else { tail };
    }
    plain
}

fn count_backslashes(bytes: &[u8]) -> usize {
    bytes.iter().filter(|&&byte| byte == b'\\').count()
}

/// Whether the answer has panicked over bytes that are not UTF-8.
pub fn demands_utf8(death: &Finding) -> bool {
    death.words.get("words").is_some_and(|words| words.contains("Utf8Error"))
}

/// Bytes of the mount table for a reader: what is not UTF-8 as `<E9>`.
pub fn shown(bytes: &[u8]) -> String {
    let mut text = String::new();
    for chunk in bytes.utf8_chunks() {
        text += chunk.valid();
        text.extend(chunk.invalid().iter().map(|byte| format!("<{byte:02X}>")));
    }
    text
}

/// Bytes as Rust writes them, in quotes.
pub fn quoted(bytes: &[u8]) -> String {
    format!("{:?}", OsStr::from_bytes(bytes))
}
