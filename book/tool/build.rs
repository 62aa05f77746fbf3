//! Finds out what can be tested here, so that what cannot is reported as
//! `ignored`, with the reason.

use std::path::Path;
use std::process::Command;

fn main() {
    println!("cargo::rustc-check-cfg=cfg(can_root, is_translated)");
    println!("cargo::rerun-if-env-changed=MYDOCKER_TESTS_CAN");
    // There is no such file: cargo asks each time, for abilities may change.
    println!("cargo::rerun-if-changed=abilities-of-this-machine");

    let abilities = std::env::var("MYDOCKER_TESTS_CAN").unwrap_or_else(|_| {
        let output = Command::new("../../scripts/abilities").output();
        let output = output.expect("scripts/abilities runs");
        String::from_utf8_lossy(&output.stdout).into_owned()
    });
    if abilities.split_whitespace().any(|ability| ability == "root") {
        println!("cargo::rustc-cfg=can_root");
    }
    if Path::new("../po/zh-CN.po").exists() {
        println!("cargo::rustc-cfg=is_translated");
    }
}
