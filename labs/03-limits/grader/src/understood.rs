//! How the kernel reads what is written into a file with a limit.
//!
//! tests/said-by-kernels.txt is a recording of that, for both versions.

use nix::errno::Errno;

use crate::model::Version;
use crate::values::Kind;

/// The smallest number that pids.max refuses. See PID_MAX_LIMIT in the kernel's
/// include/linux/threads.h.
const TOO_MANY: u64 = 4_194_305;

/// The limit that a text sets; None for the word that means no limit.
///
/// # Errors
/// Those of write(2): EINVAL, or ERANGE for a number that is too large for pids.max.
pub fn understood(version: Version, kind: Kind, text: &str) -> Result<Option<u64>, Errno> {
    let text = text.trim();
    if text == kind.no_limit(version) {
        return Ok(None);
    }
    match kind {
        Kind::Memory | Kind::Swap => bytes(text),
        Kind::Pids => processes(text),
    }
    .map(Some)
}

/// See memparse() in the kernel's lib/cmdline.c. An empty text is 0.
fn bytes(text: &str) -> Result<u64, Errno> {
    const UNITS: &str = "kmgtpe";
    let unit = text.chars().next_back().and_then(|last| UNITS.find(last.to_ascii_lowercase()));
    let digits = if unit.is_some() { &text[..text.len() - 1] } else { text };
    let power = unit.map_or(0, |unit| 10 * (unit + 1));
    let number = if digits.is_empty() { 0 } else { number(digits).ok_or(Errno::EINVAL)? };
    Ok(u64::try_from(number << power).unwrap_or(u64::MAX))
}

/// See pids_max_write() in the kernel's kernel/cgroup/pids.c.
fn processes(text: &str) -> Result<u64, Errno> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let number = number(unsigned).ok_or(Errno::EINVAL)?;
    let number = i64::try_from(number).map_err(|_| Errno::ERANGE)?;
    let is_negative = text.starts_with('-') && number != 0;
    match u64::try_from(number) {
        Ok(number) if !is_negative && number < TOO_MANY => Ok(number),
        _ => Err(Errno::EINVAL),
    }
}

/// A number without a sign. After 0x it is hexadecimal, after 0 octal. If it is too
/// large, it is the largest that there is.
fn number(text: &str) -> Option<u128> {
    let (digits, radix) = match text.strip_prefix('0') {
        Some("") | None => (text, 10),
        Some(rest) => rest.strip_prefix(['x', 'X']).map_or((rest, 8), |rest| (rest, 16)),
    };
    let is_number = !digits.is_empty() && digits.chars().all(|digit| digit.is_digit(radix));
    let most = u128::from(u64::MAX);
    is_number.then(|| u128::from_str_radix(digits, radix).unwrap_or(most).min(most))
}
