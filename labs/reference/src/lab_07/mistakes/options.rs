//! Wrong texts for mount(2).

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;

use crate::lab_07::solution;

/// Writes the options with another way to write a path.
fn options(
    lower: &[&Path],
    upper: &Path,
    work: &Path,
    user_xattr: bool,
    written: fn(&Path) -> OsString,
) -> OsString {
    let lower: Vec<OsString> = lower.iter().map(|layer| written(layer)).collect();
    let mut options = OsString::from("lowerdir=");
    options.push(lower.join(OsStr::new(":")));
    options.push(",upperdir=");
    options.push(written(upper));
    options.push(",workdir=");
    options.push(written(work));
    options.push(if user_xattr { ",userxattr" } else { "" });
    options
}

/// Puts a backslash before each of these bytes.
fn escape(path: &OsStr, separators: &[u8]) -> OsString {
    let bytes = path.as_bytes().iter();
    OsString::from_vec(bytes.fold(Vec::new(), |mut escaped, byte| {
        if separators.contains(byte) {
            escaped.push(b'\\');
        }
        escaped.push(*byte);
        escaped
    }))
}

/// Thinks of layers as of a pile that is built from below: the old version of a
/// file wins.
pub fn lower_order_reversed(lower: &[&Path], up: &Path, work: &Path, user: bool) -> OsString {
    let lower: Vec<&Path> = lower.iter().rev().copied().collect();
    solution::overlay_options(&lower, up, work, user)
}

/// Takes "upper" for the layer that the others are put on: the container writes
/// into the image, which all containers share.
pub fn upper_and_lower_swapped(lower: &[&Path], up: &Path, work: &Path, user: bool) -> OsString {
    let swapped: Vec<&Path> = lower[1..].iter().copied().chain([up]).collect();
    solution::overlay_options(&swapped, lower[0], work, user)
}

/// Two folders that look alike: what the container writes is in `work` then.
pub fn upper_and_work_swapped(lower: &[&Path], up: &Path, work: &Path, user: bool) -> OsString {
    solution::overlay_options(lower, work, up, user)
}

/// Has nothing to put into it: EINVAL.
pub fn workdir_forgotten(lower: &[&Path], up: &Path, work: &Path, user: bool) -> OsString {
    let options = solution::overlay_options(lower, up, work, false).into_vec();
    let end = options.windows(9).rposition(|part| part == b",workdir=").expect("it has one");
    let mut options = OsString::from_vec(options[..end].to_vec());
    options.push(if user { ",userxattr" } else { "" });
    options
}

/// One folder less to make: EINVAL.
pub fn work_is_upper(lower: &[&Path], up: &Path, _work: &Path, user: bool) -> OsString {
    solution::overlay_options(lower, up, up, user)
}

/// Keeps together what belongs together: EINVAL.
pub fn work_below_upper(lower: &[&Path], up: &Path, _work: &Path, user: bool) -> OsString {
    solution::overlay_options(lower, up, &up.join("work"), user)
}

/// Has never seen a path with a comma: ENOENT.
pub fn nothing_escaped(lower: &[&Path], up: &Path, work: &Path, user: bool) -> OsString {
    options(lower, up, work, user, |path| path.as_os_str().to_owned())
}

/// Forgets that the sign which escapes must itself be escaped: ENOENT.
pub fn backslash_forgotten(lower: &[&Path], up: &Path, work: &Path, user: bool) -> OsString {
    options(lower, up, work, user, |path| escape(path.as_os_str(), b":,"))
}

/// `format!` with `display()`: what is no UTF-8 becomes U+FFFD, another name.
pub fn paths_as_utf_8(lower: &[&Path], up: &Path, work: &Path, user: bool) -> OsString {
    options(lower, up, work, user, |path| escape(OsStr::new(&path.display().to_string()), b":,\\"))
}

/// One `lowerdir=` a layer, as if options added up: the last one counts.
pub fn lowerdir_repeated(lower: &[&Path], up: &Path, work: &Path, user: bool) -> OsString {
    let mut options = OsString::new();
    for layer in &lower[1..] {
        options.push("lowerdir=");
        options.push(escape(layer.as_os_str(), b":,\\"));
        options.push(",");
    }
    options.push(solution::overlay_options(&lower[..1], up, work, user));
    options
}

/// Was tried as root only: in a user namespace opaque folders cannot be made.
pub fn userxattr_forgotten(lower: &[&Path], up: &Path, work: &Path, _user: bool) -> OsString {
    solution::overlay_options(lower, up, work, false)
}

/// Was tried in a user namespace only: root's layers, marked with trusted.*,
/// show what they hide.
pub fn userxattr_always(lower: &[&Path], up: &Path, work: &Path, _user: bool) -> OsString {
    solution::overlay_options(lower, up, work, true)
}

/// Writes the branches of AUFS with other words.
fn branches(branches: &[(&Path, &str)]) -> OsString {
    let mut options = OsString::from("br=");
    for (index, (path, attribute)) in branches.iter().enumerate() {
        options.push(if index > 0 { ":" } else { "" });
        options.push(path);
        options.push(attribute);
    }
    options
}

fn all<'a>(
    (write, read_write): (&'a Path, &'a str),
    (read_only, word): (&[&'a Path], &'a str),
) -> Vec<(&'a Path, &'a str)> {
    let lower = read_only.iter().map(|path| (*path, word));
    [(write, read_write)].into_iter().chain(lower).collect()
}

/// Refuses what the solution refuses, and writes these branches otherwise.
fn checked(write: &Path, read_only: &[&Path], written: &[(&Path, &str)]) -> io::Result<OsString> {
    solution::aufs_options(write, read_only).map(|_| branches(written))
}

/// The blog's own form. It works as long as no layer below has a whiteout.
pub fn aufs_like_the_blog(write: &Path, read_only: &[&Path]) -> io::Result<OsString> {
    checked(write, read_only, &all((write, ""), (read_only, "")))
}

/// `ro` without `+wh`: files that a layer of the image deletes are back.
pub fn aufs_without_wh(write: &Path, read_only: &[&Path]) -> io::Result<OsString> {
    checked(write, read_only, &all((write, "=rw"), (read_only, "=ro")))
}

/// The writable branch last: it is mounted, and every write says EROFS.
pub fn aufs_write_branch_last(write: &Path, read_only: &[&Path]) -> io::Result<OsString> {
    let mut order = all((write, "=rw"), (read_only, "=ro+wh"));
    order.rotate_left(1);
    checked(write, read_only, &order)
}

/// The order of the lower layers reversed, here as well.
pub fn aufs_order_reversed(write: &Path, read_only: &[&Path]) -> io::Result<OsString> {
    let read_only: Vec<&Path> = read_only.iter().rev().copied().collect();
    solution::aufs_options(write, &read_only)
}

/// Escapes as for overlayfs: AUFS looks for a name with a backslash in it.
pub fn aufs_escaped(write: &Path, read_only: &[&Path]) -> io::Result<OsString> {
    let escaped = |path: &Path| escape(path.as_os_str(), b":,");
    let (write, read_only) =
        (escaped(write), read_only.iter().map(|path| escaped(path)).collect::<Vec<_>>());
    let read_only: Vec<&Path> = read_only.iter().map(Path::new).collect();
    Ok(branches(&all((Path::new(&write), "=rw"), (&read_only, "=ro+wh"))))
}

/// As the mount table has it: overlayfs knows no octal.
pub fn escaped_in_octal(lower: &[&Path], up: &Path, work: &Path, user_xattr: bool) -> OsString {
    options(lower, up, work, user_xattr, |path| {
        let bytes = path.as_os_str().as_bytes().iter();
        let octal = |byte: &u8| match byte {
            b'\\' | b':' | b',' => format!("\\{byte:03o}").into_bytes(),
            byte => vec![*byte],
        };
        OsString::from_vec(bytes.flat_map(octal).collect())
    })
}

/// The separators rightly, and the rest as fstab(5) has it.
pub fn blanks_in_octal(lower: &[&Path], up: &Path, work: &Path, user_xattr: bool) -> OsString {
    options(lower, up, work, user_xattr, |path| {
        let escaped = escape(path.as_os_str(), b"\\:,").into_vec().into_iter();
        let octal = |byte: u8| match byte {
            b' ' | b'\t' | b'\n' => format!("\\{byte:03o}").into_bytes(),
            byte => vec![byte],
        };
        OsString::from_vec(escaped.flat_map(octal).collect())
    })
}

/// `=` separates too, so it is refused as well.
pub fn aufs_equals_sign_refused(write: &Path, read_only: &[&Path]) -> io::Result<OsString> {
    let has_sign = |path: &&Path| path.as_os_str().as_bytes().contains(&b'=');
    if [write].iter().chain(read_only).any(has_sign) {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    solution::aufs_options(write, read_only)
}

/// An error in words, without a kind.
pub fn aufs_error_of_another_kind(write: &Path, read_only: &[&Path]) -> io::Result<OsString> {
    solution::aufs_options(write, read_only).map_err(io::Error::other)
}

/// The image, the init layer, and room for one more.
pub fn three_layers_at_most(lower: &[&Path], up: &Path, work: &Path, user: bool) -> OsString {
    solution::overlay_options(&lower[..lower.len().min(3)], up, work, user)
}

/// One at the end has nothing after it that it could take a meaning from, it seems.
pub fn last_backslash_forgotten(
    lower: &[&Path],
    upper: &Path,
    work: &Path,
    user_xattr: bool,
) -> OsString {
    let doubled = |path: &Path| {
        let text = solution::overlay_options(&[path], path, path, false).into_vec();
        let end = text.windows(10).position(|it| it == b",upperdir=").unwrap_or(text.len());
        text["lowerdir=".len()..end].to_vec()
    };
    let escaped = |path: &Path| {
        let mut text = doubled(path);
        if text.ends_with(b"\\") {
            text.pop();
        }
        text
    };
    let lower: Vec<Vec<u8>> = lower.iter().map(|path| escaped(path)).collect();
    let mut text = [&b"lowerdir="[..], &lower.join(&b':'), b",upperdir=", &escaped(upper)].concat();
    text.extend([&b",workdir="[..], &escaped(work)].concat());
    text.extend_from_slice(if user_xattr { b",userxattr" } else { b"" });
    OsString::from_vec(text)
}

/// `position`, a backslash, and done: a name has no more than one of them, it seems.
pub fn only_the_first_escaped(lower: &[&Path], up: &Path, work: &Path, user: bool) -> OsString {
    options(lower, up, work, user, |path| {
        let bytes = path.as_os_str().as_bytes();
        let first = bytes.iter().position(|byte| b"\\:,".contains(byte));
        let (before, rest) = bytes.split_at(first.unwrap_or(bytes.len()));
        let escape: &[u8] = if rest.is_empty() { b"" } else { b"\\" };
        OsString::from_vec([before, escape, rest].concat())
    })
}

/// `replacen` where `replace` was meant.
pub fn one_colon_escaped(lower: &[&Path], up: &Path, work: &Path, user: bool) -> OsString {
    options(lower, up, work, user, |path| {
        let escaped = escape(path.as_os_str(), b"\\,").into_vec();
        let colon = escaped.iter().position(|byte| *byte == b':').unwrap_or(escaped.len());
        let (before, rest) = escaped.split_at(colon);
        let escape: &[u8] = if rest.is_empty() { b"" } else { b"\\" };
        OsString::from_vec([before, escape, rest].concat())
    })
}
