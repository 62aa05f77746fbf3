//! Which processes a run consists of.

use std::process::Command;

use crate::{PROGRAM, host};

/// What strace sees of these calls, one line each, of all processes.
fn calls_of_a_run(calls: &str) -> Vec<String> {
    let host = host();
    let log = host.path("calls");
    let mut strace = Command::new("strace");
    strace.args(["-f", "-qq", "-s", "200", "-e", &format!("trace={calls}"), "-o"]).arg(&log);
    strace.args([PROGRAM, "run", "/bin/true"]).env("MYDOCKER_ROOT", host.root());
    assert!(strace.status().expect("strace runs: scripts/test installs it").success());
    let log = std::fs::read_to_string(log).expect("strace's log");
    log.lines().map(str::to_owned).collect()
}

#[cfg_attr(not(can_strace), ignore = "needs strace")]
#[test]
fn a_run_starts_a_keeper_and_the_container() {
    let calls = calls_of_a_run("clone,clone3,?fork,?vfork");
    assert_eq!(calls.len(), 2, "{calls:#?}");
    assert!(calls.iter().all(|call| call.contains("CLONE_NEWPID")), "{calls:#?}");
}

#[cfg_attr(not(can_strace), ignore = "needs strace")]
#[test]
fn no_program_is_executed_but_the_command() {
    let calls = calls_of_a_run("execve,execveat");
    let executed: Vec<&str> = calls.iter().filter_map(|call| call.split('"').nth(1)).collect();
    assert_eq!(executed, [PROGRAM, "/bin/true"]);
}
