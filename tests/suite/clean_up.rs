//! After the end of a container: nothing of it is left, and nothing else is
//! missing.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use harness::host::Host;
use mydocker_kernel::delete::delete_tree;
use nix::mount::{MsFlags, mount, umount};
use predicates::prelude::*;
use rstest::rstest;

use crate::host;

const WAITS: &str = "mkdir /below; echo ready; read end";

fn mount_tmpfs(target: &Path) {
    let nothing: Option<&str> = None;
    mount(Some("tmpfs"), target, Some("tmpfs"), MsFlags::empty(), nothing).expect("a tmpfs");
}

fn bind(source: &Path, target: &Path) {
    let nothing: Option<&str> = None;
    mount(Some(source), target, nothing, MsFlags::MS_BIND, nothing).expect("a bind mount");
}

/// A folder of the host with a file in it that must stay.
fn canary(host: &Host) -> PathBuf {
    let folder = host.path("canary");
    fs::create_dir(&folder).expect("a folder");
    fs::write(folder.join("bird"), "sings").expect("a canary");
    folder
}

fn assert_sings(canary: &Path) {
    assert_eq!(fs::read_to_string(canary.join("bird")).expect("the canary"), "sings");
}

#[cfg_attr(not(can_root), ignore = "needs root: a user's mnt is mounted in the container only")]
#[test]
fn what_was_mounted_on_mnt_and_below_meanwhile_is_unmounted() {
    let host = host();
    let running = host.start("stacked", &[], WAITS);
    let mnt = host.container("stacked/mnt");
    mount_tmpfs(&mnt.join("below"));
    mount_tmpfs(&mnt.join("below"));
    mount_tmpfs(&mnt);
    mount_tmpfs(&mnt);
    let output = running.finish();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    host.assert_untouched();
}

#[cfg_attr(not(can_root), ignore = "needs root: a user's mnt is mounted in the container only")]
#[test]
fn a_folder_that_was_bound_below_mnt_is_not_emptied() {
    let host = host();
    let canary = canary(&host);
    let running = host.start("bound", &[], WAITS);
    bind(&canary, &host.container("bound/mnt/below"));
    running.finish();
    assert_sings(&canary);
    host.assert_untouched();
}

#[cfg_attr(not(can_root), ignore = "needs root: a user cannot mount there")]
#[test]
fn a_folder_that_was_bound_into_the_write_layer_is_not_emptied() {
    let host = host();
    let canary = canary(&host);
    let running = host.start("bound", &[], WAITS);
    bind(&canary, &host.container("bound/write-layer/below"));
    running.finish();
    assert_sings(&canary);
    host.assert_untouched();
}

#[test]
fn a_volume_is_not_emptied() {
    let host = host();
    let canary = canary(&host);
    let volume = format!("{}:/below/volume", canary.display());
    host.mydocker(["run", "-v", &volume, "cat", "/below/volume/bird"]).assert().stdout("sings");
    assert_sings(&canary);
}

/// A process of the host that works in the container's files for so long.
fn work_in(folder: PathBuf, seconds: &str) -> std::process::Child {
    Command::new("sleep").arg(seconds).current_dir(folder).spawn().expect("a process")
}

#[cfg_attr(not(can_root), ignore = "needs root: a user's mnt is mounted in the container only")]
#[test]
fn who_leaves_mnt_soon_is_waited_for() {
    let host = host();
    let running = host.start("busy", &[], WAITS);
    let mut worker = work_in(host.container("busy/mnt"), "0.3");
    let output = running.finish();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    worker.wait().expect("its end");
    host.assert_untouched();
}

#[cfg_attr(not(can_root), ignore = "needs root: a user's mnt is mounted in the container only")]
#[test]
fn who_stays_in_mnt_is_named_and_nothing_is_deleted_until_prune() {
    let host = host();
    let canary = canary(&host);
    let running = host.start("busy", &[], "mkdir /below; echo >/file; echo ready; read end");
    bind(&canary, &host.container("busy/mnt/below"));
    let mut worker = work_in(host.container("busy/mnt/below"), "1000");
    let output = running.finish();

    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(125), "{said}");
    assert!(said.contains(&format!("sleep (pid {}) works in", worker.id())), "{said}");
    assert!(said.contains("mydocker prune"), "{said}");
    assert!(host.container("busy/write-layer/file").exists(), "nothing is deleted under a mount");
    assert_sings(&canary);

    worker.kill().and_then(|()| worker.wait()).expect("its end");
    host.mydocker(["prune"]).assert().success().stdout("container busy\n");
    assert_sings(&canary);
    host.assert_untouched();
}

#[test]
fn a_container_whose_name_begins_the_same_is_not_touched() {
    let host = host();
    let c10 = host.start("c10", &[], WAITS);
    let c1 = host.start("c1", &[], WAITS);
    c1.finish();
    assert_eq!(host.containers(), ["c10".to_owned()].into());
    assert!(host.container("c10/write-layer/below").is_dir());
    let root_of_c10 = format!("/proc/{}/root/below", c10.pid1());
    assert!(Path::new(&root_of_c10).is_dir());
    if nix::unistd::geteuid().is_root() {
        assert!(host.container("c10/mnt/below").is_dir(), "it is still mounted");
    }
    c10.finish();
}

#[test]
fn a_container_that_is_kept_is_unmounted_and_not_deleted() {
    let host = host();
    host.mydocker(["run", "--keep", "--name", "kept", "touch", "/new"]).assert().success();
    assert_eq!(host.mount_changes(), Vec::<String>::new());
    host.mydocker(["diff", "kept"]).assert().success().stdout("A /new\n");
    let row = predicate::str::is_match(r"(?m)^kept +- +busybox +kept ").expect("a regex");
    host.mydocker(["ps"]).assert().success().stdout(row).stderr("");

    host.mydocker(["prune"]).assert().success().stdout("nothing was left over\n");
    assert!(host.container("kept/write-layer/new").exists());

    host.mydocker(["prune", "--kept"]).assert().success().stdout("container kept\n");
    host.assert_untouched();
}

#[rstest]
#[case::five_thousand_folders_deep(
    "p=$(seq -s / 500); for i in 0 1 2 3 4 5 6 7 8 9; do mkdir -p $p && cd -P $p || exit 1; done"
)]
#[case::twenty_thousand_files("mkdir /many; cd /many; seq 20000 | xargs touch")]
#[case::a_file_of_mode_000("mkdir -p a/b; echo >a/b/file; chmod 000 a/b/file a/b a")]
#[case::folders_that_may_not_be_written("mkdir -p a/b/c; echo >a/b/file; chmod 555 a/b/c a/b a")]
#[case::a_file_without_a_usual_name(
    r#"mkdir "$(printf 'a\nb')"; touch -- -rf ' ' "$(printf '\377')""#
)]
#[case::pipes_and_sockets("mkfifo pipe; ln -s pipe link; ln link link2; touch .wh.x .deeper-1")]
#[case::what_overlay_makes_of_deletions("rm -rf /etc /var /usr; mkdir /etc; mv /home /house")]
fn everything_that_a_container_can_write_is_deleted(#[case] script: &str) {
    let host = host();
    host.mydocker(["run", "sh", "-c", script]).assert().success();
    host.assert_untouched();
}

#[test]
fn links_to_the_host_are_deleted_and_not_followed() {
    let host = host();
    let canary = canary(&host);
    let target = canary.display();
    let script = format!(
        "ln -s {target} folder; ln -s {target}/bird file; ln -s ../../../canary up; mkdir d; ln -s / d/l"
    );
    host.mydocker(["run", "sh", "-c", &script]).assert().success();
    assert_sings(&canary);
}

#[cfg_attr(not(can_root), ignore = "needs root: it binds a folder")]
#[test]
fn deleting_a_tree_does_not_go_through_a_mount_even_of_the_same_disk() {
    let host = host();
    let canary = canary(&host);
    let tree = host.path("tree");
    fs::create_dir_all(tree.join("a/bound")).expect("folders");
    bind(&canary, &tree.join("a/bound"));
    let error = delete_tree(&tree).expect_err("it refuses");
    assert!(error.to_string().contains("something is mounted on"), "{error}");
    assert_sings(&canary);
    umount(&tree.join("a/bound")).expect("it is not in use");
    delete_tree(&tree).expect("now it goes");
    assert_sings(&canary);
}

#[test]
fn deleting_a_tree_twice_is_fine() {
    let folder = tempfile::tempdir().expect("a folder");
    let tree = folder.path().join("tree");
    fs::create_dir_all(tree.join("a/b")).expect("folders");
    delete_tree(&tree).expect("it goes");
    delete_tree(&tree).expect("it has gone");
    delete_tree(&tree.join("a/b")).expect("so has this");
}

#[test]
fn a_program_that_reads_nothing_is_not_waited_for() {
    let host = host();
    let mut child = host.command();
    child.args(["run", "-i", "true"]).stdin(Stdio::piped());
    let mut child = child.spawn().expect("it starts");
    let _open = child.stdin.take();
    assert!(child.wait().expect("its end").success());
}
