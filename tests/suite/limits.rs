//! Control groups.

use std::fs;
use std::path::{Path, PathBuf};

use harness::busybox::busybox_tar;
use harness::host::{Host, Running, places_of_group, wait_until};
use nix::sys::signal::{Signal, kill};
use predicates::prelude::*;
use rstest::rstest;

use crate::host;

/// The control group of the container `c1` of a store, in the hierarchies that have it.
fn groups(root: &Path) -> Vec<PathBuf> {
    places_of_group(root, "c1").into_iter().filter(|folder| folder.exists()).collect()
}

/// The content of the file of the group that has one of these names: the first
/// is that of version 2, the second that of version 1.
fn value(root: &Path, files: [&str; 2]) -> String {
    let paths = groups(root).into_iter().flat_map(|group| files.map(|file| group.join(file)));
    let path = paths.into_iter().find(|path| path.exists()).expect("a file of the limit");
    fs::read_to_string(path).expect("its content").trim().to_owned()
}

fn started(host: &Host, options: &[&str]) -> Running {
    host.start("c1", options, "echo ready; read end")
}

#[rstest]
#[case::memory(&["-m", "100m"], ["memory.max", "memory.limit_in_bytes"], &["104857600"])]
#[case::no_swap(&["-m", "64m"], ["memory.swap.max", "memory.memsw.limit_in_bytes"], &["0", "67108864"])]
#[case::shares(&["--cpu-shares", "1024"], ["cpu.weight", "cpu.shares"], &["39", "1024"])]
#[case::cpus(&["--cpus", "0.5"], ["cpu.max", "cpu.cfs_quota_us"], &["50000 100000", "50000"])]
#[case::cpuset(&["--cpuset-cpus", "0"], ["cpuset.cpus", "cpuset.cpus"], &["0"])]
#[case::pids(&["--pids-limit", "20"], ["pids.max", "pids.max"], &["20"])]
#[case::max(&["--pids-limit", "max"], ["pids.max", "pids.max"], &["max"])]
#[cfg_attr(not(can_cgroups), ignore = "needs root and control groups")]
fn a_limit_is_in_the_groups_file_while_the_container_runs(
    #[case] option: &[&str],
    #[case] files: [&str; 2],
    #[case] right: &[&str],
) {
    let host = host();
    let running = started(&host, option);
    let has_swap_file =
        groups(host.root()).iter().any(|group| files.iter().any(|f| group.join(f).exists()));
    if has_swap_file || !files[0].contains("swap") {
        let value = value(host.root(), files);
        assert!(right.contains(&value.as_str()), "{value}");
    }
    running.finish();
    assert_eq!(groups(host.root()), Vec::<PathBuf>::new());
}

#[cfg_attr(not(can_cgroups), ignore = "needs root and control groups")]
#[test]
fn every_process_of_the_container_is_in_the_group() {
    let host = host();
    let script = "sleep 1000 & sleep 1000 & echo ready; read end";
    let running = host.start("c1", &["--pids-limit", "20"], script);
    let pid1 = running.pid1();
    let children = fs::read_to_string(format!("/proc/{pid1}/task/{pid1}/children"));
    let mut expected: Vec<String> =
        children.expect("its children").split_whitespace().map(str::to_owned).collect();
    expected.push(pid1.to_string());
    expected.sort();
    let procs = value(host.root(), ["cgroup.procs", "cgroup.procs"]);
    let mut members: Vec<&str> = procs.lines().collect();
    members.sort_unstable();
    assert_eq!(members, expected);
    running.finish();
}

#[cfg_attr(not(can_cgroups), ignore = "needs root and control groups")]
#[test]
fn without_a_limit_there_is_no_group() {
    let host = host();
    let running = started(&host, &[]);
    assert_eq!(groups(host.root()), Vec::<PathBuf>::new());
    running.finish();
}

#[cfg_attr(not(can_cgroups), ignore = "needs root and control groups")]
#[test]
fn who_needs_more_memory_than_there_is_is_killed() {
    // Not so much that a host where the limit does not work would suffer.
    let dd = ["dd", "if=/dev/zero", "of=/dev/null", "bs=200M", "count=1"];
    host().mydocker(["run", "-m", "20m"]).args(dd).assert().code(137);
}

/// Its forty are few enough for a host where the limit does not work.
#[cfg_attr(not(can_cgroups), ignore = "needs root and control groups")]
#[test]
fn who_starts_more_processes_than_the_limit_is_refused() {
    let script = "for i in $(seq 40); do sleep 1000 & done; echo all forty run";
    let says = predicate::str::contains("can't fork");
    let arguments = ["run", "--pids-limit", "12", "sh", "-c", script];
    host().mydocker(arguments).assert().failure().stdout("").stderr(says);
}

#[rstest]
#[case::a_command_that_is_not_found(&["--pids-limit", "20", "no-such-command"], 127)]
#[case::a_value_that_the_kernel_refuses(&["--pids-limit", "20", "--cpuset-cpus", "99999", "true"], 125)]
#[cfg_attr(not(can_cgroups), ignore = "needs root and control groups")]
fn the_group_is_gone_after_an_error(#[case] arguments: &[&str], #[case] code: i32) {
    let host = host();
    host.mydocker(["run", "--name", "c1"]).args(arguments).assert().code(code);
    assert_eq!(groups(host.root()), Vec::<PathBuf>::new());
}

#[cfg_attr(not(can_cgroups), ignore = "needs root and control groups")]
#[test]
fn a_value_that_the_kernel_refuses_is_not_blamed_on_the_user() {
    let says = predicate::str::contains("cpuset.cpus").and(predicate::str::contains("99999"));
    let blames = predicate::str::contains("limits need root");
    let arguments = ["run", "--cpuset-cpus", "99999", "true"];
    host().mydocker(arguments).assert().code(125).stderr(says.and(blames.not()));
}

#[cfg_attr(not(can_cgroups), ignore = "needs root and control groups")]
#[test]
fn prune_removes_the_group_of_a_killed_run() {
    let host = host();
    let running = started(&host, &["--pids-limit", "20", "-m", "50m"]);
    kill(running.pid(), Signal::SIGKILL).expect("it is there");
    running.wait();
    assert_ne!(groups(host.root()), Vec::<PathBuf>::new());
    host.mydocker(["prune"]).assert().success().stdout("container c1\n");
    assert_eq!(groups(host.root()), Vec::<PathBuf>::new());
}

/// Groups are the whole machine's, and another store may have the same name.
#[cfg_attr(not(can_cgroups), ignore = "needs root and control groups")]
#[test]
fn a_group_belongs_to_the_container_of_one_store() {
    let host = host();
    let other = host.path("other");
    let archive = busybox_tar();
    let in_other = |arguments: &[&str]| {
        let mut command = host.mydocker(["--root".as_ref(), other.as_os_str()]);
        command.args(arguments);
        command
    };
    let import = ["image", "import", "busybox", archive.to_str().expect("UTF-8")];
    in_other(&import).assert().success();
    let running = started(&host, &["--pids-limit", "20"]);
    let run = ["run", "-d", "--name", "c1", "--pids-limit", "30", "sleep", "1000"];
    in_other(&run).assert().success();
    assert_eq!(value(host.root(), ["pids.max", "pids.max"]), "20");

    kill(running.pid(), Signal::SIGKILL).expect("it is there");
    running.wait();
    host.mydocker(["prune"]).assert().success().stdout("container c1\n");
    assert_eq!(groups(host.root()), Vec::<PathBuf>::new());
    assert_eq!(value(&other, ["pids.max", "pids.max"]), "30");
    in_other(&["exec", "c1", "true"]).assert().success();
    in_other(&["rm", "-f", "c1"]).assert().success();
    fs::remove_dir_all(other).expect("a folder");
}

#[cfg_attr(not(can_cgroups), ignore = "needs root and control groups")]
#[test]
fn prune_removes_a_group_that_is_named_as_they_once_were() {
    let host = host();
    let running = started(&host, &["--pids-limit", "20"]);
    let name = format!("mydocker-c1-{}", std::process::id());
    kill(running.pid(), Signal::SIGKILL).expect("it is there");
    running.wait();
    fs::rename(host.container("c1"), host.container(&name[9..])).expect("another name");
    let old: Vec<PathBuf> = groups(host.root());
    let old = old.into_iter().map(|group| {
        let named = group.with_file_name(&name);
        fs::create_dir(&named).expect("a group");
        // Its processes end a moment after the one that was killed.
        wait_until("nobody is in it", || fs::remove_dir(&group).is_ok());
        named
    });
    let old: Vec<PathBuf> = old.collect();
    host.mydocker(["prune"]).assert().success();
    assert!(!old.is_empty() && old.iter().all(|group| !group.exists()), "{old:?}");
}
