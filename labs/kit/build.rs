//! Makes the busybox image that the answers are given.

use std::path::PathBuf;
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=../../scripts/busybox-image");
    // What the macro of rust-i18n reads, which cargo does not see.
    println!("cargo::rerun-if-changed=locales");
    let tar =
        PathBuf::from(std::env::var_os("OUT_DIR").expect("cargo sets it")).join("busybox.tar");
    let made = Command::new("../../scripts/busybox-image").arg(&tar).status();
    assert!(made.expect("scripts/busybox-image runs").success(), "no image: see above");
}
