//! Whiteouts: of everything, of nothing, and in every order.

use super::super::items::{directory, file, hard_link, symlink, tar};
use super::{AsUmoci, Case, Refused, case, one};

pub fn cases() -> Vec<Case> {
    vec![
        case("a whiteout of nothing", AsUmoci, |_| {
            vec![tar(&[file("kept", "")]), tar(&[file(".wh.gone", ""), file("no/.wh.where", "")])]
        }),
        case("a whiteout in the only layer", AsUmoci, |_| one([file(".wh.f", ""), file("g", "")])),
        case("a whiteout before its file", AsUmoci, |_| {
            vec![tar(&[file("f", "old")]), tar(&[file(".wh.f", ""), file("f", "new")])]
        }),
        case("a whiteout after its file", AsUmoci, |_| {
            vec![tar(&[file("f", "old")]), tar(&[file("f", "new"), file(".wh.f", "")])]
        }),
        case("a whiteout of a folder, and a folder of its name", AsUmoci, |_| {
            let lower = [directory("d"), file("d/old", "")];
            vec![tar(&lower), tar(&[file(".wh.d", ""), directory("d"), file("d/new", "")])]
        }),
        case("an opaque mark before the files", AsUmoci, |_| {
            let lower = [directory("d"), file("d/old", ""), file("d/e/old", "")];
            vec![tar(&lower), tar(&[directory("d"), file("d/.wh..wh..opq", ""), file("d/new", "")])]
        }),
        case("an opaque mark after the files", AsUmoci, |_| {
            let lower = [directory("d"), file("d/old", "")];
            vec![tar(&lower), tar(&[directory("d"), file("d/new", ""), file("d/.wh..wh..opq", "")])]
        }),
        case("a whiteout of everything", AsUmoci, |_| {
            let lower = [directory("bin"), file("bin/sh", ""), file("f", ""), symlink("l", "bin")];
            vec![tar(&lower), tar(&[file(".wh..wh..opq", ""), file("new", "")])]
        }),
        case("a file below the whiteout of a layer below", AsUmoci, |_| {
            let lower = [directory("d"), file("d/old", "")];
            vec![tar(&lower), tar(&[file(".wh.d", "")]), tar(&[file("d/new", "")])]
        }),
        case("whiteouts of links, which lead to what is kept", AsUmoci, |_| {
            let lower =
                [directory("d"), file("d/kept", ""), symlink("l", "d"), hard_link("h", "d/kept")];
            vec![tar(&lower), tar(&[file(".wh.l", ""), file(".wh.h", "")])]
        }),
        case("a whiteout of the folder above", Refused(".wh..."), |_| {
            one([directory("a"), file("a/.wh...", "")])
        }),
        case("a whiteout of no name", Refused(".wh."), |_| one([file(".wh.", "")])),
        case("a file in a whiteout", Refused(".wh.d/f"), |_| one([file(".wh.d/f", "")])),
    ]
}
