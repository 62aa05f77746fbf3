//! `run --trace`: the steps, and what each does to the mount table.

use std::fs;

use harness::host::Host;
use mydocker_kernel::mountinfo::MountTable;
use predicates::prelude::*;
use serde_json::Value;

use crate::host;

/// The trace of a run that is over, a line each.
fn trace(host: &Host, options: &[&str]) -> Vec<Value> {
    let file = host.path("trace.json");
    let option = format!("--trace={}", file.display());
    host.mydocker(["run", &option]).args(options).arg("true").assert().success().stderr("");
    parse(&fs::read_to_string(file).expect("the trace"))
}

fn parse(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).expect("each line is JSON")).collect()
}

fn of<'a>(side: &str, steps: &'a [Value]) -> Vec<&'a Value> {
    steps.iter().filter(|step| step["side"] == side).collect()
}

fn step<'a>(steps: &'a [Value], name: &str) -> &'a Value {
    steps.iter().find(|step| step["step"] == name).expect("the step is there")
}

fn changes(step: &Value) -> Vec<&str> {
    let changes = step["changes"].as_array().expect("a list");
    changes.iter().map(|change| change.as_str().expect("a text")).collect()
}

fn names(side: &str, steps: &[Value]) -> String {
    of(side, steps)
        .iter()
        .map(|step| format!("{side}: {}\n", step["step"].as_str().expect("it")))
        .collect()
}

#[test]
fn the_steps_come_in_the_documented_order() {
    let host = host();
    let steps = trace(&host, &["-v", &format!("{}:/volume", host.root().display())]);
    let user = if nix::unistd::geteuid().is_root() { "root" } else { "user" };
    let names: String =
        ["parent", "keeper", "container"].iter().map(|side| names(side, &steps)).collect();
    insta::assert_snapshot!(format!("steps-of-{user}"), names);
}

#[test]
fn pivoting_moves_the_overlay_to_the_root() {
    let steps = trace(&host(), &[]);
    let pivot = step(&steps, "pivot the root into mnt");
    let moved: Vec<&str> = changes(pivot)
        .into_iter()
        .filter(|change| change.starts_with("MOVED") && change.contains(" -> / overlay"))
        .collect();
    assert_eq!(moved.len(), 1, "{:?}", changes(pivot));
    assert!(moved[0].contains("/mnt -> / overlay"), "{moved:?}");
}

#[test]
fn a_step_shows_its_own_changes_and_no_others() {
    let steps = trace(&host(), &[]);
    let changes = changes(step(&steps, "mount /proc and /sys"));
    let own = ["MOUNTED /proc proc ", "MOUNTED /sys sysfs "];
    let is_own = |change: &&str| own.iter().any(|own| change.starts_with(own));
    assert!(changes.len() == 2 && changes.iter().all(is_own), "{changes:?}");
}

#[test]
fn detaching_leaves_nothing_of_the_host() {
    let steps = trace(&host(), &[]);
    let detach = step(&steps, "detach the old root");
    let table = detach["mounts"].as_array().expect("a table");
    let mut left: Vec<&str> =
        table.iter().map(|mount| mount["mount_point"].as_str().expect("a path")).collect();
    left.retain(|path| !path.starts_with("/sys/"));
    assert_eq!(left, ["/", "/proc", "/sys"]);
}

#[test]
fn every_kernel_call_of_a_step_is_named() {
    let steps = trace(&host(), &[]);
    let calls = |name: &str| step(&steps, name)["calls"].to_string();
    assert!(calls("make every mount private").contains("MS_REC|MS_PRIVATE"));
    assert!(calls("pivot the root into mnt").contains("pivot_root("));
    assert!(calls("mount /dev").contains("move_mount(<tree>, </dev/pts>)"));
}

#[test]
fn the_hosts_table_is_at_the_end_what_it_was_at_the_beginning() {
    let steps = trace(&host(), &[]);
    let parent = of("parent", &steps);
    let (first, last) = (parent.first().expect("a step"), parent.last().expect("a step"));
    assert_eq!(first["mounts"], last["mounts"]);
}

#[test]
fn the_last_table_is_the_one_that_the_command_sees() {
    let host = host();
    let file = host.path("trace.json");
    let option = format!("--trace={}", file.display());
    let running = host.start("traced", &[&option], "echo ready; read end");
    let seen = MountTable::read_of(running.pid1().as_raw()).expect("its mount table");
    let steps = parse(&fs::read_to_string(file).expect("the trace"));
    let last = of("container", &steps).last().copied().expect("a step");
    assert_eq!(last["mounts"], serde_json::to_value(seen).expect("JSON"));
    running.finish();
}

#[test]
fn as_a_text_the_trace_goes_to_stderr() {
    let host = host();
    let assert = host.mydocker(["run", "--trace", "echo", "hi"]).assert().success().stdout("hi\n");
    let text = String::from_utf8_lossy(&assert.get_output().stderr).into_owned();
    assert!(text.contains("[container] pivot the root into mnt\n"), "{text}");
    assert!(text.contains("[container]     pivot_root(\""), "{text}");
    assert!(text.contains("[container]       MOVED "), "{text}");
    assert!(text.contains("[parent] unmount and delete the workspace\n"), "{text}");
}

#[test]
fn without_the_option_nothing_is_traced() {
    host().mydocker(["run", "true"]).assert().success().stdout("").stderr("");
}

#[test]
fn a_run_that_fails_is_traced_up_to_there() {
    let host = host();
    let says = predicate::str::is_match(r"\[container\] +sethostname\(.* => EINVAL\n");
    let arguments = ["run", "--trace", "--hostname", &"h".repeat(65), "true"];
    host.mydocker(arguments).assert().code(125).stderr(says.expect("a regex"));
}
