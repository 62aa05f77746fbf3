//! Whatever a tree is like, its owner can delete it.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

use mydocker_kernel::delete::delete_tree;
use rstest::rstest;

#[rstest]
fn directories_of_all_modes_are_deleted(
    #[values(0o000, 0o100, 0o200, 0o300, 0o400, 0o500, 0o600)] outer: u32,
    #[values(0o000, 0o400, 0o500, 0o700)] inner: u32,
) {
    let folder = tempfile::tempdir().unwrap();
    let top = folder.path().join("top");
    let inside = top.join("d/e");
    fs::create_dir_all(inside.join("empty")).unwrap();
    fs::write(inside.join("file"), "").unwrap();
    fs::write(top.join("d/file"), "").unwrap();
    for (path, mode) in [(&inside, inner), (&top.join("d"), outer), (&top, outer)] {
        fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    }
    delete_tree(&top).unwrap();
    assert!(!top.exists());
}
