//! Finds out what the tests can do on this machine, so that those that cannot
//! run are reported as `ignored`, with the reason.
//!
//! `MYDOCKER_TESTS_CAN` names the abilities instead, for tests that run as
//! somebody else or on another machine than the one they are built on: a list
//! as scripts/abilities prints it.

use std::path::PathBuf;
use std::process::Command;

fn main() {
    println!("cargo::rustc-check-cfg=cfg(can_root, can_cgroups, can_aufs, can_strace)");
    println!("cargo::rerun-if-env-changed=MYDOCKER_TESTS_CAN");
    // There is no such file: cargo asks each time, for abilities may change.
    println!("cargo::rerun-if-changed=abilities-of-this-machine");

    let abilities = std::env::var("MYDOCKER_TESTS_CAN").unwrap_or_else(|_| {
        let output = Command::new("../scripts/abilities").output().expect("scripts/abilities runs");
        String::from_utf8_lossy(&output.stdout).into_owned()
    });
    for ability in abilities.split_whitespace() {
        println!("cargo::rustc-cfg=can_{ability}");
    }

    // The image that the tests run, made once.
    let tar =
        PathBuf::from(std::env::var_os("OUT_DIR").expect("cargo sets it")).join("busybox.tar");
    if !tar.exists() {
        let made = Command::new("../scripts/busybox-image").arg(&tar).status();
        assert!(made.expect("scripts/busybox-image runs").success(), "no image: see above");
    }
    println!("cargo::rustc-env=BUSYBOX_TAR={}", tar.display());
}
