//! Links that lead out, and what is written through them.

use super::super::items::{directory, file, hard_link, symlink};
use super::{AsGnuTar, AsUmoci, Case, Refused, case, one};

pub fn cases() -> Vec<Case> {
    vec![
        case("a link up, then written through", AsUmoci, |_| {
            one([symlink("link", "../../../../../../../.."), file("link/written", "inside")])
        }),
        case("a link to the host, then written through", Refused(r#""link/file""#), |canary| {
            one([symlink("link", canary), file("link/file", "dead")])
        }),
        case("a link to the root, then written through", AsUmoci, |_| {
            one([symlink("link", "/"), file("link/written", "inside")])
        }),
        case("a link to /proc/self/cwd, then written through", Refused(r#""link/file""#), |_| {
            one([symlink("link", "/proc/self/cwd"), file("link/file", "dead")])
        }),
        case("a chain of links up, then written through", AsUmoci, |_| {
            one([
                symlink("a", "b/.."),
                symlink("b", "c/.."),
                directory("c"),
                file("a/written", "inside"),
            ])
        }),
        case("a link to a file of the host, then a file of its name", AsUmoci, |canary| {
            one([symlink("link", canary.join("file")), file("link", "dead").mode(0o777)])
        }),
        case("a link to a folder of the host, then a folder of its name", AsUmoci, |canary| {
            one([
                symlink("link", canary),
                directory("link").mode(0o777),
                file("link/file", "inside"),
            ])
        }),
        case("a folder, then a link to the host in its place", AsUmoci, |canary| {
            one([directory("d").mode(0o777).mtime(1), file("d/file", ""), symlink("d", canary)])
        }),
        case("a link with the attributes of a program", AsGnuTar, |canary| {
            one([symlink("link", canary.join("file")).mode(0o4777).mtime(7)])
        }),
        case("a link to itself, then written through", Refused(r#""loop/f""#), |_| {
            one([symlink("loop", "loop"), file("loop/f", "")])
        }),
        case("a link of 4,000 bytes", AsGnuTar, |_| one([symlink("link", "../".repeat(1333))])),
        case("a link to nothing", Refused(r#""link""#), |_| one([symlink("link", "")])),
        case("a hard link up", Refused(r#""link""#), |_| {
            one([hard_link("link", "../volume/file")])
        }),
        case("a hard link to a file of the host", Refused(r#""link""#), |canary| {
            one([hard_link("link", canary.join("file"))])
        }),
        case("a hard link to a link that leads out, then a file of its name", AsUmoci, |canary| {
            one([
                symlink("soft", canary.join("file")),
                hard_link("hard", "soft"),
                file("hard", "inside"),
            ])
        }),
        case("a hard link through a link that leads out", Refused(r#""hard""#), |canary| {
            one([symlink("soft", canary), hard_link("hard", "soft/file")])
        }),
        case("a hard link to a folder", Refused(r#""link""#), |_| {
            one([directory("d"), hard_link("link", "d")])
        }),
        case("a hard link to what comes later", Refused(r#""link""#), |_| {
            one([hard_link("link", "later"), file("later", "")])
        }),
        case("a hard link to itself", AsGnuTar, |_| one([file("f", "kept"), hard_link("f", "f")])),
        case("a file in the place of one of two hard links", AsGnuTar, |_| {
            one([file("a", "old"), hard_link("b", "a"), file("b", "new")])
        }),
        case("a hard link with data", AsGnuTar, |_| {
            one([file("a", "first"), hard_link("b", "a"), file("c", "third")])
        }),
    ]
}
