//! parse_size.

use std::io;

use lab_03_grader::Answers;

use crate::catalogue::Mistake;
use crate::lab_03::SOLUTION;
use crate::lab_03::solution::parse_size;

const fn mistake(
    name: &'static str,
    code: &'static str,
    parse_size: fn(&str) -> io::Result<Option<u64>>,
) -> Mistake<Answers> {
    Mistake { name, code, answers: Answers { parse_size, ..SOLUTION } }
}

/// The blog hands the text on as it is; whoever parses it expects bytes.
pub const ONLY_NUMBERS: Mistake<Answers> =
    mistake("only_numbers", "limits/unit-refused", |text| match text {
        text if text != "max" && text.ends_with(char::is_alphabetic) => {
            Err(io::ErrorKind::InvalidInput.into())
        }
        text => parse_size(text),
    });

/// A container with 100 bytes of memory: it is killed before it has begun.
pub const UNIT_CUT_OFF: Mistake<Answers> = mistake("unit_cut_off", "limits/unit-ignored", |text| {
    parse_size(text)?;
    Ok(text.trim_end_matches(|c: char| c.is_alphabetic()).parse().ok())
});

/// `100m` works, and `docker run -m 100M` is what people type.
pub const SMALL_LETTERS_ONLY: Mistake<Answers> =
    mistake("small_letters_only", "limits/unit-refused", |text| {
        match text.chars().any(|c| c.is_ascii_uppercase()) {
            true => Err(io::ErrorKind::InvalidInput.into()),
            false => parse_size(text),
        }
    });

/// As disks are sold: the limit is 7% lower than docker's.
pub const UNITS_OF_A_THOUSAND: Mistake<Answers> =
    mistake("units_of_a_thousand", "limits/units-of-a-thousand", |text| {
        Ok(parse_size(text)?.map(|bytes| match text.as_bytes().last() {
            Some(b'k' | b'K') => (bytes >> 10) * 1_000,
            Some(b'm' | b'M') => (bytes >> 20) * 1_000_000,
            Some(b'g' | b'G') => (bytes >> 30) * 1_000_000_000,
            _ => bytes,
        }))
    });

/// The kernel counts memory in pages, so the limit must be pages.
pub const SIZE_IN_PAGES: Mistake<Answers> =
    mistake("size_in_pages", "limits/bytes-and-pages", |text| {
        Ok(parse_size(text)?.map(|bytes| bytes / 4096))
    });

/// `max` is what the kernel's own files say, and cannot be given back.
pub const MAX_IS_NO_NUMBER: Mistake<Answers> =
    mistake("max_is_no_number", "limits/max-refused", |text| match text {
        "max" => Err(io::ErrorKind::InvalidInput.into()),
        text => parse_size(text),
    });

/// pids.max refuses that number (ERANGE).
pub const MAX_IS_THE_LARGEST_NUMBER: Mistake<Answers> =
    mistake("max_is_the_largest_number", "limits/max-as-a-number", |text| {
        Ok(Some(parse_size(text)?.unwrap_or(u64::MAX)))
    });

/// `1.5g` becomes 15 gibibytes, `-1` becomes 1 byte.
pub const DIGITS_PICKED_OUT: Mistake<Answers> =
    mistake("digits_picked_out", "limits/nonsense-accepted", |text| {
        let known: String = text.chars().filter(|c| "0123456789bkmgBKMG".contains(*c)).collect();
        if text == "max" { Ok(None) } else { parse_size(&known) }
    });

/// parse() takes a sign, and the comment says digits.
pub const SIGN_TAKEN: Mistake<Answers> =
    mistake("sign_taken", "limits/nonsense-accepted", |text| {
        parse_size(text.strip_prefix('+').unwrap_or(text))
    });

/// Units may be capital, and so may this word, thinks who lowers all letters first.
pub const MAX_IN_CAPITALS: Mistake<Answers> =
    mistake("max_in_capitals", "limits/nonsense-accepted", |text| {
        parse_size(&text.to_ascii_lowercase())
    });

/// A release build does not notice: 17179869184g are no bytes at all.
pub const MULTIPLIED_WITHOUT_A_LOOK: Mistake<Answers> =
    mistake("multiplied_without_a_look", "limits/size-wraps", |text| match text {
        "17179869184g" => Ok(Some(17_179_869_184_u64.wrapping_mul(1 << 30))),
        text => parse_size(text),
    });

/// A typing error of the user ends the runtime, and nothing is cleaned up.
pub const UNWRAPPED: Mistake<Answers> = mistake("unwrapped", "answer/panicked", |text| {
    parse_size(text).map_err(|error| panic!("called `Result::unwrap()` on {error}"))
});

/// Memory is shown in KiB by most tools, and so it is thought to be set.
pub const SIZE_IN_KIBIBYTES: Mistake<Answers> =
    mistake("size_in_kibibytes", "limits/not-in-bytes", |text| {
        Ok(parse_size(text)?.map(|bytes| bytes / 1024))
    });

/// 100mb and 1gb are what disks have printed on them.
pub const TWO_LETTERS: Mistake<Answers> =
    mistake("two_letters", "limits/nonsense-accepted", |text| {
        let bytes = text.len().saturating_sub(1);
        match text.as_bytes() {
            [.., b'k' | b'm' | b'g', b'b'] => parse_size(&text[..bytes]),
            _ => parse_size(text),
        }
    });

/// Spaces around the number, as a file of the kernel has them at its end.
pub const TRIMMED: Mistake<Answers> =
    mistake("trimmed", "limits/nonsense-accepted", |text| parse_size(text.trim()));

/// The error of parse() is handed on as it is.
pub const ANOTHER_KIND: Mistake<Answers> =
    mistake("another_kind", "limits/other-kind-of-error", |text| {
        parse_size(text).map_err(io::Error::other)
    });

/// Helps people whose keyboard writes wide digits, and takes what nobody else takes.
pub const WIDE_DIGITS: Mistake<Answers> = mistake("wide_digits", "limits/not-ascii", |text| {
    let narrow = |c| match c {
        '０'..='９' => char::from_u32(c as u32 - '０' as u32 + '0' as u32).unwrap_or(c),
        c => c,
    };
    parse_size(&text.chars().map(narrow).collect::<String>())
});

/// i64, as most numbers of the kernel's own: half of the range is refused.
pub const SIGNED_NUMBER: Mistake<Answers> =
    mistake("signed_number", "limits/large-size-refused", |text| {
        let bytes = parse_size(text)?;
        match bytes.is_none_or(|bytes| i64::try_from(bytes).is_ok()) {
            true => Ok(bytes),
            false => Err(io::ErrorKind::InvalidInput.into()),
        }
    });

/// Ready for `1.5g` one day, by a type that has not every number.
pub const FLOATING_POINT: Mistake<Answers> =
    mistake("floating_point", "limits/rounded-size", |text| {
        Ok(parse_size(text)?.map(|bytes| bytes as f64 as u64))
    });

/// "Octal, as in C": what begins with a zero is refused, to be safe.
pub const ZEROS_IN_FRONT_REFUSED: Mistake<Answers> =
    mistake("zeros_in_front_refused", "limits/leading-zeros-refused", |text| {
        match matches!(text.as_bytes(), [b'0', b'0'..=b'9', ..]) {
            true => Err(io::ErrorKind::InvalidInput.into()),
            false => parse_size(text),
        }
    });

/// Looks at the length instead of the number: 2⁶⁴ has 20 digits.
pub const DIGITS_COUNTED: Mistake<Answers> =
    mistake("digits_counted", "limits/leading-zeros-refused", |text| {
        match text.chars().filter(char::is_ascii_digit).count() > 20 {
            true => Err(io::ErrorKind::InvalidInput.into()),
            false => parse_size(text),
        }
    });
