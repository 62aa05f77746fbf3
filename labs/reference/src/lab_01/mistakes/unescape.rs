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

/// Has never seen a space in a mount point.
pub const NOT_UNESCAPED: Mistake<Answers> = Mistake {
    name: "not_unescaped",
    code: "mount-table/not-unescaped",
    answers: Answers { unescape: |field| OsString::from_vec(field.to_vec()), ..SOLUTION },
};

/// Replaces one escape after the other, and the backslash first: what was
/// `\134040` has become `\040` by then, and becomes a space.
pub const BACKSLASH_FIRST: Mistake<Answers> = Mistake {
    name: "backslash_first",
    code: "mount-table/unescaped-twice",
    answers: Answers {
        unescape: |field| solution::unescape(&solution::unescape(field).into_vec()),
        ..SOLUTION
    },
};

/// Knows the space only, from /etc/fstab.
pub const ONLY_BLANKS: Mistake<Answers> = Mistake {
    name: "only_blanks",
    code: "mount-table/only-some-escapes",
    answers: Answers {
        unescape: |field| unescape_with(field, |digits| (digits == b"040").then_some(b' ')),
        ..SOLUTION
    },
};

/// An array for the places of the backslashes.
pub const FOUR_BACKSLASHES_AT_MOST: Mistake<Answers> = Mistake {
    name: "four_backslashes_at_most",
    code: "mount-table/only-some-escapes",
    answers: Answers {
        unescape: |field| {
            let mut pieces = field.splitn(6, |&byte| byte == b'\\');
            let last = pieces.nth(5).map(|rest| field.len() - rest.len() - 1);
            let (known, rest) = field.split_at(last.unwrap_or(field.len()));
            let mut name = solution::unescape(known);
            name.push(OsString::from_vec(rest.to_vec()));
            name
        },
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

/// Reads three bytes as text before it knows that they are digits.
pub const DIGITS_AS_TEXT: Mistake<Answers> = Mistake {
    name: "digits_as_text",
    code: "mount-table/utf8-demanded",
    answers: Answers {
        unescape: |field| {
            unescape_with(field, |digits| {
                let digits = std::str::from_utf8(digits).unwrap();
                digits.starts_with(|it: char| it.is_ascii_digit()).then_some(())?;
                u8::from_str_radix(digits, 8).ok()
            })
        },
        ..SOLUTION
    },
};

/// One directory with a name from an old camera, and nothing can be mounted any more.
pub const UTF8_UNWRAPPED: Mistake<Answers> = Mistake {
    name: "utf8_unwrapped",
    code: "mount-table/utf8-demanded",
    answers: Answers {
        unescape: |field| String::from_utf8(solution::unescape(field).into_vec()).unwrap().into(),
        ..SOLUTION
    },
};

/// A name has no NUL in it, so it must be something else.
pub const NUL_STAYS: Mistake<Answers> = Mistake {
    name: "nul_stays",
    code: "mount-table/nul-left-escaped",
    answers: Answers {
        unescape: |field| unescape_with(field, |digits| octal(digits).filter(|byte| *byte > 0)),
        ..SOLUTION
    },
};

/// Octal numbers end where ASCII does.
pub const SEVEN_BITS: Mistake<Answers> = Mistake {
    name: "seven_bits",
    code: "mount-table/high-bytes-left-escaped",
    answers: Answers {
        unescape: |field| unescape_with(field, |digits| octal(digits).filter(u8::is_ascii)),
        ..SOLUTION
    },
};

fn octal(digits: &[u8]) -> Option<u8> {
    u8::from_str_radix(std::str::from_utf8(digits).ok()?, 8).ok().filter(|_| digits[0] != b'+')
}

/// A byte must follow, or else there was nothing to escape.
pub const NONE_AT_THE_END: Mistake<Answers> = Mistake {
    name: "none_at_the_end",
    code: "mount-table/last-escape-left",
    answers: Answers {
        unescape: |field| {
            let (begin, end) = field.split_at(field.len().saturating_sub(4));
            let is_escape = end.len() == 4 && solution::unescape(end).len() == 1;
            if !is_escape {
                return solution::unescape(field);
            }
            let mut bytes = solution::unescape(begin).into_vec();
            bytes.extend(end);
            OsString::from_vec(bytes)
        },
        ..SOLUTION
    },
};

/// Two backslashes are one that is escaped, as in C: so both are passed over.
pub const TWO_BACKSLASHES: Mistake<Answers> = Mistake {
    name: "two_backslashes",
    code: "mount-table/backslash-hides-an-escape",
    answers: Answers {
        unescape: |field| {
            let mut bytes = Vec::new();
            let mut rest = field;
            while let Some(at) = rest.windows(2).position(|two| two == br"\\") {
                bytes.extend(solution::unescape(&rest[..at]).into_vec());
                bytes.extend(&rest[at..at + 2]);
                rest = &rest[at + 2..];
            }
            bytes.extend(solution::unescape(rest).into_vec());
            OsString::from_vec(bytes)
        },
        ..SOLUTION
    },
};

/// A space at the end of a name is one of its bytes.
pub const TRIMMED: Mistake<Answers> = Mistake {
    name: "names_trimmed",
    code: "mount-table/white-space-cut-off",
    answers: Answers {
        unescape: |field| {
            let name = solution::unescape(field).into_vec();
            OsString::from_vec(name.trim_ascii_end().to_vec())
        },
        ..SOLUTION
    },
};
