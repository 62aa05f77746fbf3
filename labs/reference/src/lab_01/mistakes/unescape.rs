//! Mistakes in unescape.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

use lab_01_grader::Answers;

use crate::catalogue::Mistake;
use crate::lab_01::{SOLUTION, solution};

/// Calls `byte` for the three characters after each backslash, whatever they are.
fn unescape_with(field: &[u8], byte: fn(&[u8]) -> Option<u8>) -> OsString {
    let mut bytes = Vec::new();
    let mut rest = field;
    while let Some((&first, tail)) = rest.split_first() {
        let escaped = tail.get(..3).filter(|_| first == b'\\').and_then(byte);
        bytes.push(escaped.unwrap_or(first));
        rest = if escaped.is_some() { &tail[3..] } else { tail };
    }
    OsString::from_vec(bytes)
}

/// Has never seen a blank in a mount point.
pub const NOT_UNESCAPED: Mistake<Answers> = Mistake {
    name: "not_unescaped",
    code: "mount-table/not-unescaped",
    answers: Answers { unescape: |field| OsString::from_vec(field.to_vec()), ..SOLUTION },
};

/// Replaces one escape after the other, and the backslash first: what was
/// `\134040` has become `\040` by then, and becomes a blank.
pub const BACKSLASH_FIRST: Mistake<Answers> = Mistake {
    name: "backslash_first",
    code: "mount-table/unescaped-twice",
    answers: Answers {
        unescape: |field| solution::unescape(&solution::unescape(field).into_vec()),
        ..SOLUTION
    },
};

/// Knows the blank only, from /etc/fstab.
pub const ONLY_BLANKS: Mistake<Answers> = Mistake {
    name: "only_blanks",
    code: "mount-table/only-some-escapes",
    answers: Answers {
        unescape: |field| unescape_with(field, |digits| (digits == b"040").then_some(b' ')),
        ..SOLUTION
    },
};

/// The four escapes of the man page, which are not all that kernels write.
pub const FOUR_ESCAPES: Mistake<Answers> = Mistake {
    name: "four_escapes",
    code: "mount-table/only-some-escapes",
    answers: Answers {
        unescape: |field| {
            unescape_with(field, |digits| match digits {
                b"040" => Some(b' '),
                b"011" => Some(b'\t'),
                b"012" => Some(b'\n'),
                b"134" => Some(b'\\'),
                _ => None,
            })
        },
        ..SOLUTION
    },
};

/// `"040".parse()` is forty, which is an opening bracket.
pub const DECIMAL: Mistake<Answers> = Mistake {
    name: "decimal",
    code: "mount-table/escape-not-octal",
    answers: Answers {
        unescape: |field| {
            unescape_with(field, |digits| std::str::from_utf8(digits).ok()?.parse().ok())
        },
        ..SOLUTION
    },
};

/// Takes any three characters for digits.
pub const DIGITS_NOT_CHECKED: Mistake<Answers> = Mistake {
    name: "digits_not_checked",
    code: "mount-table/changed-without-escape",
    answers: Answers {
        unescape: |field| {
            unescape_with(field, |digits| {
                let value = |byte: u8| byte.wrapping_sub(b'0');
                let high = value(digits[0]).wrapping_mul(64);
                let low = value(digits[1]).wrapping_mul(8).wrapping_add(value(digits[2]));
                Some(high.wrapping_add(low))
            })
        },
        ..SOLUTION
    },
};

/// from_str_radix() takes a sign too: `\+40` is 32 for it.
pub const SIGN_TAKEN_FOR_A_DIGIT: Mistake<Answers> = Mistake {
    name: "sign_taken_for_a_digit",
    code: "mount-table/changed-without-escape",
    answers: Answers {
        unescape: |field| {
            unescape_with(field, |digits| {
                u8::from_str_radix(std::str::from_utf8(digits).ok()?, 8).ok()
            })
        },
        ..SOLUTION
    },
};

/// Reads three bytes after each backslash, be they there or not.
pub const DIGITS_NOT_COUNTED: Mistake<Answers> = Mistake {
    name: "digits_not_counted",
    code: "answer/panicked",
    answers: Answers {
        unescape: |field| {
            for (at, _) in field.iter().enumerate().filter(|(_, byte)| **byte == b'\\') {
                let _digits = &field[at + 1..at + 4];
            }
            solution::unescape(field)
        },
        ..SOLUTION
    },
};

/// A String is handier than bytes; what is not UTF-8 becomes `�`.
pub const LOSSY: Mistake<Answers> = Mistake {
    name: "lossy",
    code: "mount-table/bytes-lost",
    answers: Answers {
        unescape: |field| {
            let bytes = solution::unescape(field).into_vec();
            String::from_utf8_lossy(&bytes).into_owned().into()
        },
        ..SOLUTION
    },
};

/// `name.push(byte as char)`: all is well in English.
pub const BYTES_AS_CHARACTERS: Mistake<Answers> = Mistake {
    name: "bytes_as_characters",
    code: "mount-table/bytes-taken-for-characters",
    answers: Answers {
        unescape: |field| {
            let bytes = solution::unescape(field).into_vec();
            bytes.into_iter().map(char::from).collect::<String>().into()
        },
        ..SOLUTION
    },
};

/// One folder with a name from an old camera, and nothing can be mounted any more.
pub const UTF8_UNWRAPPED: Mistake<Answers> = Mistake {
    name: "utf8_unwrapped",
    code: "mount-table/utf8-demanded",
    answers: Answers {
        unescape: |field| String::from_utf8(solution::unescape(field).into_vec()).unwrap().into(),
        ..SOLUTION
    },
};
