//! A header block: its checksum, its fields, and the ways of some writers.

use nix::sys::time::TimeSpec;
use tar::Header;

use super::BLOCK;
use super::number::number;

/// Where the checksum is, in every format.
const CHECKSUM: std::ops::Range<usize> = 148..156;

/// Whether the checksum of a block is right.
pub fn is_intact(block: &[u8; BLOCK]) -> bool {
    // It is the sum of all bytes, its own field as spaces. Some old programs
    // took the bytes for signed numbers.
    let others = || block[..CHECKSUM.start].iter().chain(&block[CHECKSUM.end..]);
    let spaces = CHECKSUM.len() as i128 * i128::from(b' ');
    let sum = others().map(|&byte| i128::from(byte)).sum::<i128>() + spaces;
    let signed = others().map(|&byte| i128::from(byte as i8)).sum::<i128>() + spaces;
    number(&block[CHECKSUM]).is_ok_and(|stored| stored == sum || stored == signed)
}

/// Brings a block of a relative of ustar into the form of ustar.
pub fn unify(block: &mut [u8; BLOCK]) {
    if &block[257..263] == b"ustar\0" {
        // Some writers state no version.
        block[263..265].copy_from_slice(b"00");
        // star keeps two times where ustar has the end of a name's prefix.
        if &block[508..] == b"tar\0" {
            block[476..500].fill(0);
        }
    }
}

/// How many bytes follow on a header.
///
/// # Errors
/// It is no number, less than nothing, or more than any.
pub fn size(header: &Header) -> Result<u64, String> {
    fit(number(&header.as_old().size)?, "a size")
}

/// Permissions, with the set-user-ID, set-group-ID and sticky bits.
///
/// # Errors
/// It is no number.
pub fn mode(header: &Header) -> Result<u32, String> {
    // Some writers add the kind of the file, as stat(2) has it.
    Ok(fit::<u32>(number(&header.as_old().mode)?, "a mode")? & 0o7777)
}

/// When the contents changed last; before 1970 it is negative.
///
/// # Errors
/// It is no number.
pub fn mtime(header: &Header) -> Result<TimeSpec, String> {
    let time = number(&header.as_old().mtime)?;
    // Some writers take a time before 1970 for one of 64 bits without a sign.
    let time = u64::try_from(time).map_or(time, |time| (time as i64).into());
    // How wide it is is the machine's: 32 bits on i386.
    Ok(TimeSpec::new(fit::<libc::time_t>(time, "a time")?, 0))
}

/// Major and minor number of a device.
///
/// # Errors
/// They are no numbers, or larger than any.
pub fn device(header: &Header) -> Result<(u32, u32), String> {
    let Some((major, minor)) = header
        .as_ustar()
        .map(|ustar| (&ustar.dev_major, &ustar.dev_minor))
        .or(header.as_gnu().map(|gnu| (&gnu.dev_major, &gnu.dev_minor)))
    else {
        return Ok((0, 0));
    };
    let half = |field: &[u8]| fit(number(field)?, "a device's number");
    Ok((half(major)?, half(minor)?))
}

fn fit<T: TryFrom<i128>>(number: i128, what: &str) -> Result<T, String> {
    number.try_into().map_err(|_| format!("a header has the number {number} for {what}"))
}
