//! What the container has in /dev.

use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::PathBuf;

use harness::host::Running;
use harness::mounts::HostMount;
use harness::tree::tree;
use rstest::rstest;

use crate::host;

const WAIT: &str = "echo ready && read end";

#[rstest]
#[case::plain(&[])]
#[case::privileged(&["--privileged"])]
fn dev_has_exactly_these_devices_and_links(#[case] options: &[&str]) {
    let host = host();
    let running = host.start("c1", options, WAIT);
    insta::assert_snapshot!("dev", tree(&inside(&running, "/dev")));
    running.finish();
}

#[test]
fn what_is_written_to_null_is_gone_and_null_is_still_a_device() {
    let host = host();
    let running = host.start("c1", &[], &format!("echo gone >/dev/null && {WAIT}"));
    let null = inside(&running, "/dev/null").metadata().expect("a device");
    assert!(null.file_type().is_char_device());
    assert_eq!((null.rdev(), null.len()), (nix::sys::stat::makedev(1, 3), 0));
    running.finish();
}

#[rstest]
#[case::null("cat /dev/null | wc -c", "0\n")]
#[case::zero("head -c 4 /dev/zero | od -An -tx1", " 00 00 00 00\n")]
#[case::urandom("head -c 4 /dev/urandom | wc -c", "4\n")]
#[case::random("head -c 4 /dev/random | wc -c", "4\n")]
#[case::full("cp /etc/passwd /dev/full 2>/dev/null || echo full", "full\n")]
#[case::shm("echo shared >/dev/shm/x && cat /dev/shm/x", "shared\n")]
#[case::new_terminal(": <>/dev/ptmx && echo opened", "opened\n")]
#[case::stdin("echo through | cat /dev/stdin", "through\n")]
#[case::stdout("echo through >/dev/stdout", "through\n")]
#[case::fd("echo through | cat /dev/fd/0", "through\n")]
fn works_as_it_should(#[case] script: &str, #[case] expected: &'static str) {
    host().mydocker(["run", "sh", "-c", script]).assert().success().stdout(expected);
}

#[test]
fn stderr_leads_to_stderr() {
    let run = ["run", "sh", "-c", "echo wrong >/dev/stderr"];
    host().mydocker(run).assert().success().stdout("").stderr("wrong\n");
}

#[test]
fn tty_says_that_there_is_no_terminal() {
    let error = predicates::str::contains("No such device or address");
    let run = ["run", "sh", "-c", ": </dev/tty"];
    host().mydocker(run).assert().failure().stderr(error);
}

#[test]
#[cfg_attr(not(can_root), ignore = "needs root: a container with more than one user")]
fn other_users_of_the_container_can_use_them_too() {
    let script = "echo >/dev/null && head -c 1 /dev/zero >/dev/full; : <>/dev/ptmx && echo done";
    let run = ["run", "su", "nobody", "-s", "/bin/sh", "-c", script];
    host().mydocker(run).assert().success().stdout("done\n");
}

#[test]
fn the_terminals_are_not_the_hosts() {
    let host = host();
    let running = host.start("c1", &[], WAIT);
    let device = |path| std::fs::metadata(path).expect("a folder").dev();
    assert_ne!(device(inside(&running, "/dev/pts")), device("/dev/pts".into()));
    running.finish();
}

#[test]
fn a_file_in_dev_can_only_be_made_where_memory_and_terminals_are() {
    let host = host();
    let script = "echo x >/dev/shm/file; touch /dev/file";
    let says = predicates::str::contains("/dev/file: Read-only file system");
    host.mydocker(["run", "sh", "-c", script]).assert().failure().stderr(says);
}

/// Otherwise the root of a container could read the host's disk.
#[rstest]
#[case::the_root("/")]
#[case::a_folder("/root")]
#[case::dev("/dev")]
#[case::shared_memory("/dev/shm")]
#[case::a_volume("/volume")]
#[case::a_mount_below_a_volume("/volume/below")]
fn a_device_file_that_the_container_makes_does_not_work(#[case] place: &str) {
    let host = host();
    let volume = host.path("volume");
    fs::create_dir(&volume).expect("a volume");
    let below = match nix::unistd::geteuid().is_root() {
        true => Some(HostMount::tmpfs(volume.join("below"))),
        false => fs::create_dir(volume.join("below")).map(|()| None).expect("a folder"),
    };
    let script = format!("mknod {place}/zeroes c 1 5; head -c 1 {place}/zeroes");
    let volume = format!("{}:/volume", volume.display());
    host.mydocker(["run", "-v", &volume, "sh", "-c", &script]).assert().failure().stdout("");
    drop(below);
}

fn inside(running: &Running, path: &str) -> PathBuf {
    format!("/proc/{}/root{path}", running.pid1()).into()
}
