//! The experiment with which the blog's article on layers ends.

use harness::tree::tree;
use predicates::prelude::*;

use crate::host;

/// A container makes a folder; the host sees it below mnt and in the write
/// layer; after the end both are gone and the image is what it was.
#[test]
fn a_folder_made_in_the_container_is_in_the_write_layer_and_gone_afterwards() {
    let host = host();
    let script = "mkdir /root/studydocker && echo ready && read end";
    let running = host.start("blog", &[], script);

    // The middle: what a second terminal sees.
    let written = host.container("blog/write-layer/root/studydocker");
    assert!(written.is_dir(), "{}", tree(&host.container("blog/write-layer")));
    let seen_in_container =
        std::path::PathBuf::from(format!("/proc/{}/root/root/studydocker", running.pid1()));
    assert!(seen_in_container.is_dir(), "the container has it");
    let on_mnt = host.container("blog/mnt/root/studydocker");
    let is_root = nix::unistd::geteuid().is_root();
    assert_eq!(on_mnt.is_dir(), is_root, "root has mnt mounted on the host, a user has not");
    assert_eq!(host.mount_changes().len(), usize::from(is_root));
    host.mydocker(["diff", "blog"]).assert().success().stdout("C /root\nA /root/studydocker\n");
    let row =
        predicate::str::is_match(r"(?m)^blog +\d+ +busybox +running .* sh -c ").expect("a regex");
    host.mydocker(["ps"]).assert().success().stdout(row);

    // After: host.drop checks mounts, containers and image once more.
    let output = running.finish();
    assert_eq!(output.status.code(), Some(1), "the read at the end of its input");
    assert!(!host.container("blog").exists());
    host.assert_untouched();
}
