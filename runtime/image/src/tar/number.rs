//! The numbers in the fields of a header block.

/// The number in `field`: octal digits; or, where these do not suffice, a binary
/// number whose first bit is set. A field without digits is 0: many programs
/// leave empty what does not matter for a kind of entry.
///
/// # Errors
/// It is none of these.
pub fn number(field: &[u8]) -> Result<i128, String> {
    match field {
        [first, rest @ ..] if first & 0x80 != 0 => Some(binary(*first, rest)),
        _ => octal(field),
    }
    .ok_or_else(|| format!("a header has \"{}\" for a number", field.escape_ascii()))
}

/// GNU's base 256: big-endian, in two's complement after the first bit. See
/// "Basic Tar Format" in GNU tar's manual.
fn binary(first: u8, rest: &[u8]) -> i128 {
    let sign = if first & 0x40 == 0 { 0 } else { -1 };
    let value = i128::from(first & 0x3f) | sign << 6;
    // The longest field has 12 bytes.
    rest.iter().fold(value, |value, &byte| value << 8 | i128::from(byte))
}

fn octal(field: &[u8]) -> Option<i128> {
    let is_blank = |byte: &u8| matches!(byte, b' ' | 0);
    let begin = field.iter().position(|byte| !is_blank(byte)).unwrap_or(field.len());
    let digits = &field[begin..];
    let end = digits.iter().position(is_blank).unwrap_or(digits.len());
    let (digits, rest) = digits.split_at(end);
    // After a NUL there can be anything: it ends the text.
    let rest = rest.split(|&byte| byte == 0).next().unwrap_or_default();
    if !rest.iter().all(is_blank) {
        return None;
    }
    digits.iter().try_fold(0, |value: i128, &digit| match digit {
        b'0'..=b'7' => Some(value << 3 | i128::from(digit - b'0')),
        _ => None,
    })
}
