//! Commands that are hard to send.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

/// As a shell gets it: spaces, two of them in a row, lines, tabs.
pub fn text() -> Vec<OsString> {
    ["sh", "-c", "echo a  b\necho\tc", "x y"].map(OsString::from).into()
}

/// Every byte that an argument may hold.
pub fn bytes() -> Vec<OsString> {
    let arguments = (1..=u8::MAX).map(|byte| OsString::from_vec(vec![b'a', byte, b'b']));
    [OsString::from("printf")].into_iter().chain(arguments).collect()
}

/// Empty ones at every place but the first.
pub fn empty_arguments() -> Vec<OsString> {
    ["printf", "", "a", "", "", "b", ""].map(OsString::from).into()
}

/// More than a byte can count, so short that all beginnings of its message can be tried.
pub fn three_hundred() -> Vec<OsString> {
    vec!["a".into(); 300]
}

/// A megabyte and a half, and neither its arguments are long nor are they many.
pub fn in_total() -> Vec<OsString> {
    vec!["x".repeat(LONG).into(); 150]
}

/// As many arguments, and one as long as its arguments are.
pub fn parts_of_it() -> Vec<OsString> {
    let short = vec![OsString::from("x"); 149];
    [vec!["x".repeat(LONG).into()], short].concat()
}

const LONG: usize = 10_000;

/// One argument as long as execve(2) takes one: 128 KiB with the NUL.
pub fn long() -> Vec<OsString> {
    vec!["echo".into(), OsString::from("x".repeat(128 * 1024 - 1))]
}

/// A megabyte in few arguments; pipe(7) holds 64 KiB.
pub fn large() -> Vec<OsString> {
    (0..20).map(|_| OsString::from("x".repeat(50_000))).collect()
}

/// A megabyte in more arguments than 16 bits can count.
pub fn many() -> Vec<OsString> {
    (0..70_000).map(|number| OsString::from(format!("argument-{number:06}"))).collect()
}
