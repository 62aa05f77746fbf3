//! Entries in the place of others, and of the root.

use super::super::items::{directory, file, symlink};
use super::{AsGnuTar, AsUmoci, Case, Refused, case, one};

pub fn cases() -> Vec<Case> {
    vec![
        case("a file in the place of a folder", AsUmoci, |_| {
            one([directory("d"), file("d/a/b", ""), file("d", "a file now")])
        }),
        case("a folder in the place of a file", AsUmoci, |_| {
            one([file("f", "a file"), directory("f"), file("f/a", "")])
        }),
        case("a file below a file", Refused(r#""f/x""#), |_| one([file("f", ""), file("f/x", "")])),
        case("a folder twice, with other attributes", AsGnuTar, |_| {
            one([directory("d").mode(0o700), file("d/f", ""), directory("d").mode(0o1777).mtime(5)])
        }),
        case("a folder, a link, a folder in one place", AsUmoci, |_| {
            one([
                directory("a"),
                file("a/old", ""),
                symlink("a", "b"),
                directory("b"),
                directory("a"),
                file("a/new", ""),
            ])
        }),
        case("a link that is replaced between two files below it", AsUmoci, |_| {
            one([
                directory("a"),
                directory("b"),
                symlink("l", "a"),
                file("l/1", ""),
                symlink("l", "b"),
                file("l/2", ""),
            ])
        }),
        case("folders that nobody has mentioned", AsGnuTar, |_| one([file("a/b/c/d", "deep")])),
        case("a folder closed before it is filled", AsUmoci, |_| {
            one([directory("d").mode(0), file("d/f", "inside"), directory("d/e").mode(0o111)])
        }),
        case("the root as a link", Refused("root of the layer"), |canary| {
            one([symlink("./", canary)])
        }),
        case("the root as a file", Refused("root of the layer"), |_| {
            one([file("x", "").pax("path", ".")])
        }),
        case("the root with a mode of its own", AsUmoci, |_| {
            one([directory("./").mode(0o1750).mtime(9), file("f", "")])
        }),
    ]
}
