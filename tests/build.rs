//! Finds out what the tests can do on this machine, so that those that cannot
//! run are reported as `ignored`, with the reason.
//!
//! `MYDOCKER_TESTS_CAN` names the abilities instead, for tests that run as
//! somebody else or on another machine than the one they are built on: a list
//! out of `root`, `cgroups` and `aufs`.

use std::fs;

fn main() {
    println!("cargo::rustc-check-cfg=cfg(can_root, can_cgroups, can_aufs)");
    println!("cargo::rerun-if-env-changed=MYDOCKER_TESTS_CAN");
    // There is no such file: cargo asks each time, for abilities may change.
    println!("cargo::rerun-if-changed=abilities-of-this-machine");

    let abilities = match std::env::var("MYDOCKER_TESTS_CAN") {
        Ok(list) => list.split_whitespace().map(str::to_owned).collect(),
        Err(_) => find_out(),
    };
    for ability in abilities {
        println!("cargo::rustc-cfg=can_{ability}");
    }
}

fn find_out() -> Vec<String> {
    let mut abilities = Vec::new();
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let is_root = status.lines().any(|line| line.starts_with("Uid:\t0\t0\t"));
    let id_map = fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    if is_root && id_map.split_whitespace().eq(["0", "0", "4294967295"]) {
        abilities.push("root".to_owned());
        let filesystems = fs::read_to_string("/proc/filesystems").unwrap_or_default();
        if filesystems.lines().any(|line| line.ends_with("\taufs")) {
            abilities.push("aufs".to_owned());
        }
        let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
        if mounts.lines().any(|line| line.split(' ').nth(2).is_some_and(|kind| kind.starts_with("cgroup")))
        {
            abilities.push("cgroups".to_owned());
        }
    }
    abilities
}
