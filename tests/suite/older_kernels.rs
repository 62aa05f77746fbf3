//! System calls that a kernel may lack, each with another way to do the same.
//!
//! The whole suite goes the other way where `MYDOCKER_WITHOUT` names such calls:
//! `MYDOCKER_WITHOUT=openat2,close_range cargo test -p harness --test suite`.

use harness::image_tar::{Image, Layer};
use mydocker_kernel::sys;
use nix::errno::Errno;
use nix::libc;
use rstest::rstest;

use crate::host;

/// A call, its number, and the Linux that has it first.
const CALLS: [(&str, i64); 3] = [
    // 5.6
    ("openat2", libc::SYS_openat2),
    // 5.9
    ("close_range", libc::SYS_close_range),
    // 5.12
    ("mount_setattr", libc::SYS_mount_setattr),
];

/// From here on the kernel has no such call for this thread and what it starts.
fn do_without(name: &str) {
    let (_, number) = CALLS.iter().find(|(known, _)| *known == name).expect("a call of the list");
    sys::refuse_call(*number, Errno::ENOSYS).expect("a filter");
}

/// The calls that `MYDOCKER_WITHOUT` names.
pub fn do_without_what_is_named() {
    if let Ok(names) = std::env::var("MYDOCKER_WITHOUT") {
        names.split(',').filter(|name| !name.is_empty()).for_each(do_without);
    }
}

#[rstest]
#[case("openat2")]
#[case("close_range")]
#[case("mount_setattr")]
fn nothing_is_lost_without(#[case] call: &str) {
    do_without(call);
    let host = host();
    let layer = Layer::new()
        .folder("fixture", 0o755)
        .file("fixture/file", 0o644, "old\n")
        .symlink("fixture/out", "/../../etc")
        .file("fixture/out/planted", 0o644, "inside\n");
    Image::on_busybox().layer(layer).import(&host, "fixture", &[]);
    std::fs::create_dir(host.path("volume")).expect("a volume");
    let volume = format!("{}:/volume:ro", host.path("volume").display());
    let script = "cat /fixture/file /etc/planted; touch /volume/file; \
                  mkdir -p /a/b/c && chmod 0 /a/b && ls /proc/self/fd | wc -l";
    let run = ["run", "--image", "fixture", "-v", &volume, "sh", "-c", script];
    let output = host.mydocker(run).output().expect("mydocker starts");
    let said = String::from_utf8_lossy(&output.stdout);
    // Standard streams, and that of ls on the folder.
    assert_eq!(said, "old\ninside\n4\n", "{output:?}");
    assert!(!host.path("volume/file").exists(), "the volume is not read-only");
    host.mydocker(["image", "rm", "fixture"]).assert().success();
}
