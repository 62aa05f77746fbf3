//! What was done to the escapes of a field, by what came out.

use std::ffi::OsStr;
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use labkit::frame::{Rule, rule};
use labkit::verdict::{Finding, PANICKED};
use mydocker_kernel::mountinfo;

/// A field that did not become what is in it.
pub struct Field {
    /// As it is in the table.
    pub raw: Vec<u8>,
    /// What became of it.
    pub seen: Vec<u8>,
    /// Whether the answer makes a space of `\040`, if that is all there is.
    pub knows_spaces: bool,
    /// Whether it was generated. An answer that fails at it may be right where only one
    /// thing is hard.
    pub is_generated: bool,
}

/// Facts of which such a field may be one.
pub trait HasField {
    /// The field.
    fn field(&self) -> Option<&Field>;

    /// Whether this holds of it.
    fn field_is(&self, so: fn(&Field) -> bool) -> bool {
        self.field().is_some_and(so)
    }
}

/// How a field became what it is.
pub const fn rules<F: HasField>() -> [Rule<F>; 12] {
    [
        rule("bytes-lost", |it| it.field_is(Field::has_lost_bytes)),
        rule("bytes-taken-for-characters", |it| it.field_is(Field::has_characters_for_bytes)),
        rule("unescaped-twice", |it| it.field_is(Field::is_unescaped_twice)),
        rule("escape-not-octal", |it| it.field_is(Field::is_decimal)),
        rule("not-unescaped", |it| {
            it.field_is(|field| field.seen == field.raw && !field.knows_spaces)
        }),
        rule("white-space-cut-off", |it| it.field_is(Field::is_trimmed)),
        rule("changed-without-escape", |it| it.field_is(|field| field.raw == field.right())),
        rule("backslash-hides-an-escape", |it| {
            it.field_is(|field| field.leaves(|escape| escape.is_behind_a_backslash))
        }),
        rule("nul-left-escaped", |it| it.field_is(|field| field.leaves(|escape| escape.byte == 0))),
        rule("high-bytes-left-escaped", |it| {
            it.field_is(|field| field.leaves(|escape| escape.byte > 0o177))
        }),
        rule("last-escape-left", |it| it.field_is(|field| field.leaves(|escape| escape.is_last))),
        rule("only-some-escapes", |it| it.field_is(Field::has_escapes_left)),
    ]
}

impl Field {
    fn right(&self) -> Vec<u8> {
        unescape(&self.raw)
    }

    fn has_lost_bytes(&self) -> bool {
        self.seen == String::from_utf8_lossy(&self.right()).as_bytes()
    }

    /// Each byte has become the character with its number, in UTF-8.
    fn has_characters_for_bytes(&self) -> bool {
        let right = self.right();
        let characters: String = right.iter().map(|&byte| char::from(byte)).collect();
        self.seen == characters.as_bytes()
    }

    fn is_unescaped_twice(&self) -> bool {
        self.seen == unescape(&self.right())
    }

    /// White space was cut off at an end.
    fn is_trimmed(&self) -> bool {
        let right = self.right();
        let trimmed = [right.trim_ascii(), right.trim_ascii_start(), right.trim_ascii_end()];
        self.seen != right && trimmed.contains(&self.seen.as_slice())
    }

    /// The digits were taken for decimal ones.
    fn is_decimal(&self) -> bool {
        let mut plain = Vec::new();
        let mut rest = self.raw.as_slice();
        while let Some((&byte, tail)) = rest.split_first() {
            let digits = tail.get(..3).filter(|_| byte == b'\\');
            let number = digits.and_then(|digits| std::str::from_utf8(digits).ok()?.parse().ok());
            plain.push(number.unwrap_or(byte));
            rest = if number.is_some() { &tail[3..] } else { tail };
        }
        self.seen == plain && self.seen != self.raw
    }

    /// Whether all escapes were undone except those that `is_left` says.
    fn leaves(&self, is_left: fn(&Escape) -> bool) -> bool {
        let mut bytes = Vec::new();
        let mut is_behind_a_backslash = false;
        let mut rest = self.raw.as_slice();
        while let [first, tail @ ..] = rest {
            let escaped = rest.get(..4).filter(|four| unescape(four).len() == 1);
            let Some(four) = escaped else {
                bytes.push(*first);
                is_behind_a_backslash = *first == b'\\';
                rest = tail;
                continue;
            };
            let is_last = four.len() == rest.len();
            let byte = unescape(four)[0];
            match is_left(&Escape { byte, is_last, is_behind_a_backslash }) {
                true => bytes.extend(four),
                false => bytes.push(byte),
            }
            is_behind_a_backslash = false;
            rest = &rest[four.len()..];
        }
        self.seen == bytes && !self.is_generated
    }

    fn has_escapes_left(&self) -> bool {
        let backslashes = |bytes: &[u8]| bytes.iter().filter(|&&byte| byte == b'\\').count();
        self.seen == self.raw || backslashes(&self.seen) > backslashes(&self.right())
    }
}

/// An escape in a field.
struct Escape {
    /// What it stands for.
    byte: u8,
    /// Whether the field ends with it.
    is_last: bool,
    /// Whether a backslash before it does not begin an escape.
    is_behind_a_backslash: bool,
}

/// What must come of a field.
pub fn unescape(field: &[u8]) -> Vec<u8> {
    mountinfo::unescape(field).into_vec()
}

/// Whether the answer has panicked over bytes that are not UTF-8.
pub fn demands_utf8(death: &Finding) -> bool {
    death.code == PANICKED && death.words.get("words").is_some_and(|it| it.contains("Utf8Error"))
}

/// Bytes of the mount table for a reader: what is not UTF-8 as `<E9>`, a tab as `<09>`.
pub fn shown(bytes: &[u8]) -> String {
    let mut text = String::new();
    for chunk in bytes.utf8_chunks() {
        for character in chunk.valid().chars() {
            match character.is_ascii_control() {
                true => text += &format!("<{:02X}>", u32::from(character)),
                false => text.push(character),
            }
        }
        text.extend(chunk.invalid().iter().map(|byte| format!("<{byte:02X}>")));
    }
    text
}

/// Bytes as Rust writes them, in quotes.
pub fn quoted(bytes: &[u8]) -> String {
    format!("{:?}", OsStr::from_bytes(bytes))
}
