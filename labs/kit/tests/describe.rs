//! The text of facts is the same in every run.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use labkit::canary::Canary;
use labkit::describe::{change, changes, mounts_below, tree};
use mydocker_kernel::mountinfo::{MountTable, difference};

fn table(lines: &str) -> MountTable {
    MountTable::parse(lines.as_bytes()).expect("a mount table")
}

#[test]
fn a_change_has_no_numbers_of_peer_groups() {
    let before = table("22 1 0:20 / / rw shared:1 - ext4 /dev/vda1 rw\n");
    let after = table(
        "22 1 0:20 / / rw master:1 propagate_from:7 - ext4 /dev/vda1 rw\n\
         40 22 0:31 / /mnt/shared:1 rw shared:12 - tmpfs none rw\n",
    );
    let changes: Vec<String> = difference(&before, &after).iter().map(change).collect();
    assert_eq!(
        changes,
        ["REMOUNTED / shared -> master,propagate_from", "MOUNTED /mnt/shared:1 tmpfs rw shared"]
    );
}

#[test]
fn what_happens_to_all_of_a_tree_is_one_line() {
    let before = table(
        "22 1 0:20 / / rw shared:1 - ext4 /dev/vda1 rw\n\
         23 22 0:21 / /proc rw,relatime shared:2 - proc proc rw\n\
         24 22 0:22 / /tmp/lab/mnt rw shared:3 - tmpfs none rw\n",
    );
    let after = table(
        "22 1 0:20 / / rw - ext4 /dev/vda1 rw\n\
         23 22 0:21 / /proc rw,relatime - proc proc rw\n\
         24 22 0:22 / /tmp/lab/mnt rw - tmpfs none rw\n",
    );
    assert_eq!(
        changes(&difference(&before, &after)),
        ["REMOUNTED / shared -> private (and below)", "REMOUNTED /tmp/lab/mnt shared -> private"]
    );
    assert_eq!(
        changes(&difference(&before, &table(""))),
        [
            "UMOUNTED / ext4 /dev/vda1 rw shared (and below)",
            "UMOUNTED /tmp/lab/mnt tmpfs rw shared"
        ]
    );
}

#[test]
fn mounts_are_drawn_from_the_folder_on() {
    let all = table(
        "22 1 0:20 / / rw - ext4 /dev/vda1 rw\n\
         30 22 0:30 / /a rw shared:2 - tmpfs none rw\n\
         31 30 0:31 / /a/b rw - proc proc rw\n\
         32 22 0:32 / /ab rw - tmpfs none rw\n",
    );
    let drawn = mounts_below(&all, &table(""), "/a".as_ref());
    assert_eq!(drawn, "/a      tmpfs  rw  shared\n└─/a/b  proc   rw  private\n");
}

#[test]
fn a_tree_shows_kind_mode_and_content() {
    let folder = tempfile::tempdir().expect("a directory");
    fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o755)).expect("a mode");
    fs::write(folder.path().join("file"), "words").expect("a file");
    fs::set_permissions(folder.path().join("file"), PermissionsExt::from_mode(0o4711)).expect("it");
    symlink("/nowhere", folder.path().join("link")).expect("a link");
    let drawn = tree(folder.path()).expect("a tree");
    assert_eq!(drawn, "0755 /\n4711 /file  \"words\"\n0777 /link -> /nowhere\n");
}

#[test]
fn a_canary_notices_content_names_and_times() {
    let folder = tempfile::tempdir().expect("a directory");
    let canary = Canary::new(folder.path().join("home")).expect("a canary");
    assert!(canary.is_untouched());
    let words = canary.words().expect("its words");
    fs::write(canary.file(), &words).expect("the same words, at another time");
    assert!(!canary.is_untouched());
}
