//! Control groups. They are the whole machine's, so each test's container has
//! a name that no other has.

use std::fs;
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use harness::host::{Host, Running};
use mydocker_kernel::mountinfo::MountTable;
use nix::sys::signal::{Signal, kill};
use predicates::prelude::*;
use rstest::rstest;

use crate::host;

/// A process ID alone is another's too, in another PID namespace.
pub fn unique(name: &str) -> String {
    let time = SystemTime::now().duration_since(UNIX_EPOCH).expect("later than 1970");
    format!("{name}-{}-{}", std::process::id(), time.subsec_nanos())
}

/// Where a container's control group is if it has one, in all hierarchies.
pub fn places_of_group(name: &str) -> Vec<PathBuf> {
    let hierarchies = MountTable::read().expect("the mount table").mounts.into_iter();
    hierarchies
        .filter(|mount| mount.fs_type.starts_with("cgroup"))
        .map(|mount| mount.mount_point.join(format!("mydocker-{name}")))
        .collect()
}

fn groups(name: &str) -> Vec<PathBuf> {
    places_of_group(name).into_iter().filter(|folder| folder.exists()).collect()
}

/// The content of the file of the group that has one of these names: the first
/// is that of version 2, the second that of version 1.
fn value(name: &str, files: [&str; 2]) -> String {
    let paths = groups(name).into_iter().flat_map(|group| files.map(|file| group.join(file)));
    let path = paths.into_iter().find(|path| path.exists()).expect("a file of the limit");
    fs::read_to_string(path).expect("its content").trim().to_owned()
}

fn started(host: &Host, name: &str, options: &[&str]) -> Running {
    host.start(name, options, "echo ready; read end")
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
    let name = unique(&format!("limit{}", option.concat().replace('.', "_")));
    let running = started(&host, &name, option);
    let has_swap_file =
        groups(&name).iter().any(|group| files.iter().any(|f| group.join(f).exists()));
    if has_swap_file || !files[0].contains("swap") {
        let value = value(&name, files);
        assert!(right.contains(&value.as_str()), "{value}");
    }
    running.finish();
    assert_eq!(groups(&name), Vec::<PathBuf>::new());
}

#[cfg_attr(not(can_cgroups), ignore = "needs root and control groups")]
#[test]
fn every_process_of_the_container_is_in_the_group() {
    let host = host();
    let name = unique("members");
    let script = "sleep 1000 & sleep 1000 & echo ready; read end";
    let running = host.start(&name, &["--pids-limit", "20"], script);
    let pid1 = running.pid1();
    let children = fs::read_to_string(format!("/proc/{pid1}/task/{pid1}/children"));
    let mut expected: Vec<String> =
        children.expect("its children").split_whitespace().map(str::to_owned).collect();
    expected.push(pid1.to_string());
    expected.sort();
    let procs = value(&name, ["cgroup.procs", "cgroup.procs"]);
    let mut members: Vec<&str> = procs.lines().collect();
    members.sort_unstable();
    assert_eq!(members, expected);
    running.finish();
}

#[cfg_attr(not(can_cgroups), ignore = "needs root and control groups")]
#[test]
fn without_a_limit_there_is_no_group() {
    let host = host();
    let name = unique("none");
    let running = started(&host, &name, &[]);
    assert_eq!(groups(&name), Vec::<PathBuf>::new());
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
    let name = unique(&format!("failed-{code}"));
    host.mydocker(["run", "--name", &name]).args(arguments).assert().code(code);
    assert_eq!(groups(&name), Vec::<PathBuf>::new());
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
    let name = unique("pruned");
    let running = started(&host, &name, &["--pids-limit", "20", "-m", "50m"]);
    kill(running.pid(), Signal::SIGKILL).expect("it is there");
    running.wait();
    assert_ne!(groups(&name), Vec::<PathBuf>::new());
    host.mydocker(["prune"]).assert().success().stdout(format!("container {name}\n"));
    assert_eq!(groups(&name), Vec::<PathBuf>::new());
}
