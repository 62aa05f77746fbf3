//! Modes, owners, times and extended attributes.

use super::super::items::{directory, file, symlink};
use super::{AsGnuTar, AsUmoci, Case, Refused, case, one};

pub fn cases() -> Vec<Case> {
    vec![
        case("programs with set-user-ID", AsGnuTar, |_| {
            one([
                file("su", "x").mode(0o4755),
                file("wall", "").mode(0o2711),
                directory("tmp").mode(0o7777),
            ])
        }),
        case("owners of every size", AsUmoci, |_| {
            one([file("a", "").owner(65534, 65534), file("b", "").owner(4_294_967_294, 1 << 30)])
        }),
        case("an owner that is no user", Refused(r#""f""#), |_| {
            one([file("f", "").owner(0xffff_ffff, 0)])
        }),
        case("an owner of more than 32 bits", Refused(r#""f""#), |_| {
            one([file("f", "").owner(1 << 40, 0)])
        }),
        case("times before 1970 and after 2106", AsGnuTar, |_| {
            one([
                file("old", "").pax("mtime", "-1.5"),
                file("new", "").pax("mtime", "10000000000.123456789"),
                symlink("link", "old").pax("mtime", "1.000000001"),
            ])
        }),
        case("extended attributes", AsGnuTar, |_| {
            one([
                file("f", "x").xattr("user.name", "a\nb\0c"),
                directory("d").xattr("user.empty", ""),
            ])
        }),
        case("capabilities of a file", AsUmoci, |_| {
            let net_raw = [1, 0, 0, 2, 0, 32, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
            one([file("ping", "x").mode(0o755).xattr("security.capability", net_raw)])
        }),
        case("overlay's own attributes", AsUmoci, |_| {
            one([
                directory("d")
                    .xattr("trusted.overlay.opaque", "y")
                    .xattr("user.overlay.opaque", "y"),
                directory("e").xattr("trusted.overlay.redirect", "/../../volume"),
            ])
        }),
        case("attributes of PAX that are none", Refused("damaged"), |_| {
            one([file("f", "").pax("uid", "x")])
        }),
    ]
}
