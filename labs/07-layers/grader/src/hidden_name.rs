//! hidden_name.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

use labkit::host::Host;
use labkit::verdict::{Evidence, Finding, require};
use nix::sched::CloneFlags;

use crate::{Answers, UNFORESEEN, finding};

const FUNCTION: &str = "hidden_name";

/// Whiteouts, and what they hide: plain, hidden, with the prefix in it once
/// more, with the beginning of the prefix, no UTF-8.
const WHITEOUTS: [(&[u8], &[u8]); 5] = [
    (b".wh.motd", b"motd"),
    (b".wh..bashrc", b".bashrc"),
    (b".wh.a.wh.b", b"a.wh.b"),
    (b".wh.wh.x", b"wh.x"),
    (b".wh.\xff", b"\xff"),
];

/// AUFS's own, and the mark of an opaque folder.
const BOOK_KEEPING: [&[u8]; 4] =
    [b".wh..wh..opq", b".wh..wh.aufs", b".wh..wh.orph", b".wh..wh.plnk"];

/// Whiteouts of nothing, of the folder that they lie in, and of its parent.
const OF_NO_FILE: [&[u8]; 3] = [b".wh.", b".wh..", b".wh..."];

/// Files of the container.
const FILES: [&[u8]; 4] = [b"motd", b".wh", b"a.wh.b", b"x.wh."];

/// What the function says of each name.
fn hidden(
    answers: &Answers,
    host: &Host,
    names: &[&[u8]],
) -> Result<Vec<Option<OsString>>, Finding> {
    let hidden = |name| (answers.hidden_name)(OsStr::from_bytes(name)).map(OsStr::to_owned);
    let body = || names.iter().copied().map(hidden).collect();
    Ok(host.call(FUNCTION, CloneFlags::empty(), body)?.returned)
}

fn check(name: &[u8], expected: Option<&[u8]>, seen: Option<&OsStr>) -> Result<(), Finding> {
    let name = OsStr::from_bytes(name);
    let expected = expected.map(OsStr::from_bytes);
    let evidence = || {
        let call = format!("{FUNCTION}({name:?})");
        vec![Evidence::differs(call, format!("{expected:?}"), format!("{seen:?}"))]
    };
    require(seen == expected, evidence, || diagnose(name.as_bytes(), seen), UNFORESEEN)
}

fn diagnose(name: &[u8], seen: Option<&OsStr>) -> Option<Finding> {
    let code = match seen {
        None if !name.is_ascii() => "not-utf-8",
        Some(seen) if seen.as_bytes().starts_with("\u{fffd}".as_bytes()) => "not-utf-8",
        _ if OF_NO_FILE.contains(&name) => "whiteout-of-the-parent",
        _ if BOOK_KEEPING.contains(&name) => "book-keeping-is-no-whiteout",
        _ if name[1..].windows(4).any(|part| part == b".wh.") => "prefix-anywhere",
        _ => return None,
    };
    Some(finding(code).word("name", OsStr::from_bytes(name).display()))
}

pub fn whiteouts_name_what_they_hide(answers: &Answers, host: &Host) -> Result<(), Finding> {
    let seen = hidden(answers, host, &WHITEOUTS.map(|(name, _)| name))?;
    let mut both = WHITEOUTS.iter().zip(&seen);
    both.try_for_each(|((name, expected), seen)| check(name, Some(expected), seen.as_deref()))
}

pub fn nothing_else_hides_a_file(answers: &Answers, host: &Host) -> Result<(), Finding> {
    let names: Vec<&[u8]> = [&FILES[..], &BOOK_KEEPING, &OF_NO_FILE].concat();
    let seen = hidden(answers, host, &names)?;
    names.iter().zip(&seen).try_for_each(|(name, seen)| check(name, None, seen.as_deref()))
}
