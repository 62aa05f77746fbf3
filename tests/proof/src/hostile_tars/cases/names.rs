//! Names that lead out, or that no program likes.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use super::super::items::{directory, file, hard_link, symlink};
use super::{AsGnuTar, AsUmoci, Case, Refused, case, one};

pub fn cases() -> Vec<Case> {
    vec![
        case("a name that leads up", Refused(r#""../canary""#), |_| {
            one([file("../canary", "dead")])
        }),
        case("a name that goes up in its middle", Refused(r#""a/../../x""#), |_| {
            one([directory("a"), file("a/../../x", "dead")])
        }),
        case("a name that goes up and stays inside", Refused(r#""a/../b""#), |_| {
            one([directory("a"), file("a/../b", "")])
        }),
        case("an absolute name", AsUmoci, |canary| one([file(canary.join("file"), "dead")])),
        case("an absolute name, as GNU tar does it", AsGnuTar, |_| {
            one([directory("/etc"), file("/etc/name", "inside")])
        }),
        case("slashes and dots without end", AsUmoci, |_| {
            one([directory("./"), directory(".//a/./"), file("a//.//f", "")])
        }),
        case("no name", Refused(r#"entry """#), |_| one([file("", "nameless")])),
        case("a name of dots", AsGnuTar, |_| {
            one([file("...", "a"), file("..a", "b"), file(".b", "c")])
        }),
        case("a name of 4,000 bytes", AsGnuTar, |_| {
            one([file(vec!["n".repeat(199); 20].join("/"), "deep")])
        }),
        case("a path longer than any", Refused("ENAMETOOLONG"), |_| {
            one([file(vec!["n".repeat(199); 25].join("/"), "deeper")])
        }),
        case("a part of 256 bytes", Refused("ENAMETOOLONG"), |_| one([file("n".repeat(256), "")])),
        case("a long name of PAX", AsGnuTar, |_| {
            one([file("short", "long").pax("path", format!("{}/long", "d".repeat(180)))])
        }),
        case("names that are no UTF-8", AsGnuTar, |_| {
            let latin = OsStr::from_bytes(b"caf\xe9");
            one([
                directory(latin),
                file(OsStr::from_bytes(b"caf\xe9/\xff\xfe"), ""),
                symlink("l", latin),
            ])
        }),
        case("names with blanks, line feeds and escapes", AsGnuTar, |_| {
            one([file(" a\nb ", "1"), file("\x1b[2J", "2"), file("-rf", "3"), file("a\\b*?", "4")])
        }),
        case("a NUL in a name of PAX", Refused("NUL"), |_| {
            one([file("f", "").pax("path", "a\0b")])
        }),
        case("the same name three times", AsGnuTar, |_| {
            one([file("f", "first").mode(0o600), file("f", "second, longer"), file("./f", "3rd")])
        }),
        case("names of all layers' own folders", AsUmoci, |_| {
            one([
                file("image.json", "{}"),
                file("layers/00/f", ""),
                hard_link("lock", "image.json"),
            ])
        }),
    ]
}
