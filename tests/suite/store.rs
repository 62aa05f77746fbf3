//! A store that belongs to somebody else, or in which somebody else has put things.

use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use harness::host::Host;
use harness::image_tar::Image;
use nix::sys::stat::Mode;
use nix::unistd::{Gid, Uid, chown, mkfifo};
use predicates::prelude::*;
use predicates::str::contains;
use rstest::rstest;

use crate::host;

#[rstest]
#[cfg_attr(not(can_root), ignore = "needs root: only that can act in somebody else's store")]
fn nobody_elses_store_is_acted_on(
    #[values("", "containers", "images")] whose: &str,
    #[values(&["run", "true"][..], &["prune"], &["image", "rm", "busybox"], &["rm", "c1"],
        &["exec", "c1", "true"], &["stop", "c1"], &["kill", "c1"], &["diff", "c1"],
        &["commit", "c1", "new"])]
    command: &[&str],
) {
    let host = host();
    fs::create_dir_all(host.root().join("containers")).expect("a folder");
    let folder = host.root().join(whose);
    chown(&folder, Some(Uid::from_raw(54321)), Some(Gid::from_raw(54321))).expect("another owner");
    let said = contains("belongs to uid 54321, and this is uid 0");
    host.mydocker(command).assert().code(125).stderr(said);
    host.mydocker(["ps"]).assert().success();
    chown(&folder, Some(Uid::from_raw(0)), Some(Gid::from_raw(0))).expect("our own again");
    host.assert_untouched();
}

#[test]
fn a_link_among_the_containers_is_none() {
    let host = host();
    let elsewhere = host.path("elsewhere");
    fs::create_dir_all(elsewhere.join("write-layer")).expect("a folder");
    fs::write(elsewhere.join("write-layer/precious"), "").expect("a file");
    fs::create_dir_all(host.root().join("containers")).expect("a folder");
    symlink(&elsewhere, host.container("link")).expect("a link");
    host.mydocker(["ps"]).assert().success().stdout(contains("link").not());
    host.mydocker(["prune"]).assert().success();
    assert!(elsewhere.join("write-layer/precious").exists(), "it was followed");
    fs::remove_file(host.container("link")).expect("the link is there");
}

#[rstest]
#[case::fifo(|host: &Host| mkfifo(&host.container("odd/lock"), Mode::S_IRWXU).expect("a FIFO"))]
#[case::link(|host: &Host| symlink(host.path("made"), host.container("odd/lock")).expect("a link"))]
fn a_lock_that_is_no_file_is_not_opened(#[case] make: impl Fn(&Host)) {
    let host = host();
    fs::create_dir_all(host.container("odd")).expect("its folder");
    make(&host);
    host.mydocker(["prune"]).assert().code(125).stderr(contains("odd/lock"));
    assert!(!host.path("made").exists(), "a link was followed");
    fs::remove_dir_all(host.container("odd")).expect("it is there");
}

/// What anybody who may write to the store can put in the place of a file.
#[rstest]
#[case::fifo(|path: &Path| mkfifo(path, Mode::S_IRWXU).expect("a FIFO"))]
#[case::link(|path: &Path| symlink("/etc/passwd", path).expect("a link"))]
#[case::folder(|path: &Path| fs::create_dir(path).expect("a folder"))]
#[case::socket(|path: &Path| drop(UnixListener::bind(path).expect("a socket")))]
fn what_is_no_file_keeps_nobody_waiting(#[case] make: impl Fn(&Path)) {
    let host = host();
    let instead_of = |path: PathBuf| {
        fs::remove_file(&path).expect("a file of the store");
        make(&path);
    };
    host.mydocker(["run", "-d", "--name", "c1", "echo", "said"]).assert().success();
    host.mydocker(["wait", "c1"]).assert().success();
    instead_of(host.container("c1/exit-code"));
    host.mydocker(["ps", "-a"]).assert().success().stdout(contains("c1"));
    instead_of(host.container("c1/log"));
    host.mydocker(["logs", "c1"]).assert().code(125).stderr(contains("c1/log"));
    host.mydocker(["rm", "c1"]).assert().success();

    Image::on_busybox().import(&host, "odd", &[]);
    instead_of(host.root().join("images/odd/image.json"));
    host.mydocker(["image", "ls"]).assert().success().stdout(contains("damaged"));
    host.mydocker(["run", "--image", "odd", "true"]).assert().code(125).stderr(contains("odd"));
    host.mydocker(["image", "rm", "odd"]).assert().success();
    host.assert_untouched();
}

#[test]
fn one_that_cannot_be_looked_at_hides_no_other() {
    let host = host();
    host.mydocker(["run", "--keep", "--name", "good", "touch", "/new"]).assert().success();
    fs::create_dir_all(host.container("odd/lock")).expect("a folder where a file belongs");
    let odd = || contains("odd/lock");
    host.mydocker(["ps"]).assert().code(125).stdout(contains("good")).stderr(odd());
    host.mydocker(["diff", "good"]).assert().success().stdout(contains("/new"));
    host.mydocker(["diff", "other"]).assert().code(125).stderr(odd());
    host.mydocker(["run", "true"]).assert().success();
    host.mydocker(["image", "rm", "busybox"]).assert().code(125).stderr(odd());
    host.mydocker(["prune", "--kept"]).assert().code(125).stdout("container good\n").stderr(odd());
    host.mydocker(["rm", "odd"]).assert().code(125).stderr(odd());
    fs::remove_dir_all(host.container("odd")).expect("it is there");
    host.assert_untouched();
}

#[test]
fn names_do_not_move_the_cursor() {
    let host = host();
    fs::create_dir_all(host.container("\u{1b}[31mred")).expect("a folder");
    let escaped = || contains(r"\u{1b}[31mred").and(contains("\u{1b}").not());
    host.mydocker(["ps"]).assert().success().stdout(escaped());
    host.mydocker(["prune"]).assert().success().stdout(escaped());
}
