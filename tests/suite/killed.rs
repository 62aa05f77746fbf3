//! `mydocker` killed with SIGKILL, at any point: `prune` clears up.

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Output};

use harness::host::{Host, wait_until};
use harness::tree;
use nix::sys::signal::{Signal, kill};
use predicates::prelude::*;
use rstest::rstest;

use crate::host;

#[test]
fn the_container_dies_with_mydocker() {
    let host = host();
    // It would go on for long: it does not read what ends with the test.
    let running = host.start("dies", &[], "echo ready; exec sleep 1000");
    let pid1 = running.pid1();
    kill(running.pid(), Signal::SIGKILL).expect("it is there");
    running.wait();
    wait_until("PID 1 is gone", || !std::path::Path::new(&format!("/proc/{pid1}")).exists());
    prune(&host);
}

#[test]
fn ps_shows_what_is_left_over_and_prune_clears_it() {
    let host = host();
    let running = host.start("killed", &[], "touch /file; echo ready; read end");
    kill(running.pid(), Signal::SIGKILL).expect("it is there");
    running.wait();

    let row = predicate::str::is_match(r"(?m)^killed +- +busybox +left over ").expect("a regex");
    let note = "mydocker: 1 left over by a killed run; clear with: mydocker prune\n";
    host.mydocker(["ps"]).assert().success().stdout(row).stderr(note);

    host.mydocker(["prune"]).assert().success().stdout("container killed\n");
    host.assert_untouched();
    host.mydocker(["prune"]).assert().success().stdout("nothing was left over\n");
}

#[test]
fn another_run_needs_no_prune_first() {
    let host = host();
    let running = host.start("killed", &[], "echo ready; read end");
    kill(running.pid(), Signal::SIGKILL).expect("it is there");
    running.wait();
    host.mydocker(["run", "echo", "hi"]).assert().success().stdout("hi\n").stderr("");
    prune(&host);
}

#[test]
fn a_container_that_runs_is_not_pruned() {
    let host = host();
    let running = host.start("alive", &["--keep"], "touch /file; echo ready; read end; echo on");
    host.mydocker(["prune", "--kept"]).assert().success().stdout("nothing was left over\n");
    assert!(host.container("alive/write-layer/file").exists());
    let output = running.finish();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "on\n");
    host.mydocker(["prune", "--kept"]).assert().success();
}

/// Half of what a start makes, as a kill may leave it.
#[rstest]
#[case::nothing(&[], None)]
#[case::no_lock(&["init-layer", "write-layer", "work", "mnt"], None)]
#[case::an_empty_lock(&["init-layer"], Some(""))]
#[case::a_lock_cut_in_half(&["init-layer", "mnt"], Some(r#"{"pid":12,"ima"#))]
#[case::no_mnt(&["init-layer", "write-layer/etc", "work/work"], Some("what is this"))]
#[case::a_dead_process(&["mnt"], Some(r#"{"pid":1,"image":"busybox","driver":"overlay","command":["sh"],"created":1,"keep":false}"#))]
fn half_a_container_is_cleared(#[case] folders: &[&str], #[case] lock: Option<&str>) {
    let host = host();
    fs::create_dir_all(host.container("half")).expect("its folder");
    folders.iter().for_each(|folder| {
        fs::create_dir_all(host.container("half").join(folder)).expect("a part of it");
    });
    lock.iter().for_each(|lock| fs::write(host.container("half/lock"), lock).expect("its lock"));
    host.mydocker(["ps"]).assert().success().stdout(predicate::str::contains("left over"));
    host.mydocker(["prune"]).assert().success().stdout("container half\n");
    host.assert_untouched();
}

/// `mydocker` under strace, with the `number`th call that matches `calls` changed into
/// a SIGKILL of the process that makes it. With `-f` for `who` its children count too.
pub fn killed_at(
    host: &Host,
    who: &[&str],
    calls: &str,
    number: usize,
    arguments: &[&str],
) -> Output {
    let mut strace = Command::new("strace");
    strace.args(who).args(["-qq", "-o", "/dev/null", "-e", &format!("trace={calls}")]);
    strace.args(["-e", &format!("inject={calls}:signal=SIGKILL:when={number}")]);
    strace.arg(host.command().get_program()).args(arguments).env("MYDOCKER_ROOT", host.root());
    strace.output().expect("strace is there: scripts/install-tools")
}

fn run_killed_at(host: &Host, who: &[&str], calls: &str, number: usize) -> Output {
    let volume = format!("{}:/volume", host.path("volume").display());
    let run = ["run", "--name", "killed", "-v", &volume, "sh", "-c", "echo >/file"];
    killed_at(host, who, calls, number, &run)
}

fn volume(host: &Host) -> String {
    if !host.path("volume").exists() {
        fs::create_dir(host.path("volume")).expect("a volume");
        fs::write(host.path("volume/canary"), "sings").expect("a canary");
    }
    tree::exact(&host.path("volume"))
}

/// Until the last process of the killed container has let go of its lock.
fn prune(host: &Host) {
    wait_until("nothing is left", || {
        host.mydocker(["prune"]).assert().success();
        host.containers().is_empty()
    });
    host.assert_untouched();
}

/// The parent's calls, one after the other.
#[rstest]
#[case::hold_the_signals("signalfd4", 1)]
#[case::make_folders("/^mkdir(at)?$", 12)]
#[case::lock("flock", 4)]
#[case::open("openat", 40)]
#[case::clone("/^clone3?$", 1)]
#[case::make_the_channel("socketpair", 1)]
#[case::write("write", 8)]
#[case::say_go("sendmsg", 1)]
#[case::wait("/^p?poll$", 4)]
#[case::reap("/^(wait4|waitid)$", 3)]
#[case::list_what_to_delete("getdents64", 12)]
#[case::delete("unlinkat", 12)]
#[cfg_attr(not(can_strace), ignore = "needs strace")]
fn prune_clears_up_after_a_kill_at_any_call(#[case] calls: &str, #[case] at_most: usize) {
    sweep(calls, at_most);
}

#[rstest]
#[case::mount("mount", 1)]
#[case::umount("umount2", 1)]
#[cfg_attr(not(can_root), ignore = "needs root: a user's mydocker mounts in the container only")]
#[cfg_attr(not(can_strace), ignore = "needs strace")]
fn prune_clears_up_after_a_kill_at_any_mount(#[case] calls: &str, #[case] at_most: usize) {
    sweep(calls, at_most);
}

fn sweep(calls: &str, at_most: usize) {
    let host = host();
    let before = volume(&host);
    for number in 1..=at_most {
        let output = run_killed_at(&host, &[], calls, number);
        let killed = output.status.signal() == Some(Signal::SIGKILL as i32);
        assert!(killed || number > 1, "no {calls} is called: {output:?}");
        prune(&host);
        assert_eq!(volume(&host), before, "the volume has changed");
        if !killed {
            break;
        }
    }
}

/// The container's calls: the parent lives, and clears up itself.
#[rstest]
#[case::mount("mount", 3)]
#[case::make_a_file_system("fsmount", 3)]
#[case::take_the_volume("open_tree", 1)]
#[case::pivot("pivot_root", 1)]
#[case::attach_the_volume("move_mount", 1)]
#[case::set_the_host_name("sethostname", 1)]
#[case::drop_privileges("capset", 1)]
#[case::close_descriptors("close_range", 1)]
#[cfg_attr(not(can_strace), ignore = "needs strace")]
fn a_container_that_is_killed_during_its_start_leaves_nothing(
    #[case] call: &str,
    #[case] at_most: usize,
) {
    let host = host();
    let before = volume(&host);
    // Of root's mounts, the first is the parent's own.
    let first = if call == "mount" && nix::unistd::geteuid().is_root() { 2 } else { 1 };
    for number in first..=at_most {
        let output = run_killed_at(&host, &["-f"], call, number);
        assert_eq!(output.status.code(), Some(137), "{call} {number}: {output:?}");
        host.assert_untouched();
        assert_eq!(volume(&host), before, "the volume has changed");
    }
}

/// The second poll fails. Nothing may be deleted under a command that runs.
#[cfg_attr(not(can_strace), ignore = "needs strace")]
#[test]
fn a_container_that_cannot_be_supervised_is_ended_before_its_workspace_is_deleted() {
    let host = host();
    let log = host.path("strace");
    let mut strace = Command::new("strace");
    strace.args(["-qq", "-e", "trace=/^p?poll$,wait4,unlinkat", "-o"]).arg(&log);
    strace.args(["-e", "inject=/^p?poll$:error=ENOMEM:when=2+"]);
    strace.arg(host.command().get_program()).args(["run", "sleep", "1000"]);
    let output = strace.env("MYDOCKER_ROOT", host.root()).output().expect("strace runs");
    assert_eq!(output.status.code(), Some(125), "{output:?}");
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(told, "mydocker: poll() => ENOMEM (Out of memory)\n");
    let log = fs::read_to_string(log).expect("strace's log");
    let after_failure = log.split_once("INJECTED").expect("a poll that failed").1;
    let before_deletion = after_failure.split("unlinkat").next().expect("at least nothing");
    assert!(before_deletion.contains("WTERMSIG(s) == SIGKILL"), "{log}");
    host.assert_untouched();
}
