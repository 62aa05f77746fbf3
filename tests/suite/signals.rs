//! Signals to `mydocker`, and the processes of a container.

use std::process::{Command, Stdio};
use std::time::Duration;

use harness::host::{Host, Running, only_child, wait_until};
use nix::sys::signal::{Signal, kill};
use rstest::rstest;

use crate::host;

/// A command with a handler for all that is forwarded.
const WITH_HANDLERS: &str = "trap 'exit 41' INT; trap 'exit 42' TERM; trap 'exit 43' HUP; \
                             trap 'exit 44' QUIT; sleep 1000 & echo ready; wait";

#[rstest]
#[case(Signal::SIGINT, 41)]
#[case(Signal::SIGTERM, 42)]
#[case(Signal::SIGHUP, 43)]
#[case(Signal::SIGQUIT, 44)]
fn a_signal_to_mydocker_reaches_the_commands_handler(#[case] signal: Signal, #[case] code: i32) {
    let host = host();
    let running = host.start("handles", &[], WITH_HANDLERS);
    kill(running.pid(), signal).expect("it is there");
    let output = running.wait();
    assert_eq!(output.status.code(), Some(code));
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
}

/// Whatever is sent; those of real time have no names.
#[rstest]
fn no_signal_ends_mydocker_before_it_has_cleaned_up(
    #[values(
        "USR1", "USR2", "ALRM", "VTALRM", "PROF", "IO", "PWR", "STKFLT", "XCPU", "XFSZ", "ABRT",
        "SEGV", "RTMIN", "RTMIN+3", "RTMIN+20"
    )]
    signal: &str,
) {
    let host = host();
    // Numbers, for some shells know few names.
    let traps = (1..=64).filter(|number| ![9, 17, 19].contains(number));
    let traps: String = traps.map(|number| format!("trap 'exit 41' {number} 2>&-;")).collect();
    let script = format!("{traps} sleep 1000 & echo ready; wait");
    let running = host.start("handles", &[], &script);
    // The shell's own: not every system has the command.
    let kill = ["-c", r#"kill -s "$1" "$2""#, "bash", signal, &running.pid().to_string()];
    assert!(Command::new("bash").args(kill).status().expect("bash starts").success());
    let output = running.wait();
    assert_eq!(output.status.code(), Some(41), "{output:?}");
    host.assert_untouched();
}

#[rstest]
#[case(Signal::SIGINT)]
#[case(Signal::SIGTERM)]
fn a_command_without_a_handler_is_killed_by_the_second_signal(#[case] signal: Signal) {
    let host = host();
    let mut running = host.start("deaf", &[], "echo ready; exec sleep 1000");
    let pid1 = running.pid1();
    wait_until("sleep runs", || is_called(pid1, "sleep"));
    kill(running.pid(), signal).expect("it is there");
    let note = running.read_stderr_line();
    assert!(note.contains(&format!("does not handle {signal}")), "{note}");
    assert!(is_called(pid1, "sleep"), "the first signal is dropped");
    kill(running.pid(), signal).expect("it is there");
    assert_eq!(running.wait().status.code(), Some(137));
    host.assert_untouched();
}

fn is_called(pid: nix::unistd::Pid, name: &str) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|comm| comm.trim() == name)
}

/// strace stops the container when it pivots.
#[rstest]
#[case(Signal::SIGINT)]
#[case(Signal::SIGTERM)]
#[case(Signal::SIGHUP)]
#[cfg_attr(not(can_strace), ignore = "needs strace")]
fn a_signal_before_the_command_has_started_ends_the_start(#[case] signal: Signal) {
    let host = host();
    let log = host.path("strace");
    let mut strace = Command::new("strace");
    strace.args(["-f", "-qq", "-o"]).arg(&log);
    strace.args(["-e", "trace=pivot_root", "-e", "inject=pivot_root:signal=SIGSTOP"]);
    strace.arg(host.command().get_program()).args(["run", "echo", "started"]);
    strace.env("MYDOCKER_ROOT", host.root()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let running = Running { child: strace.spawn().expect("strace") };
    wait_until("the container has stopped", || {
        std::fs::read_to_string(&log).is_ok_and(|log| log.contains("stopped by SIGSTOP"))
    });

    // strace's only child is mydocker.
    kill(only_child(running.pid()), signal).expect("it is there");
    let output = running.wait();
    assert_eq!(output.status.code(), Some(137), "{output:?}");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "");
    host.assert_untouched();
}

/// Otherwise Ctrl-C would reach the command twice: from the terminal, from us.
#[test]
fn a_container_has_a_session_of_its_own() {
    let host = host();
    let running = host.start("session", &[], "echo ready; read end");
    assert_eq!(nix::unistd::getsid(Some(running.pid1())), Ok(running.pid1()));
    running.finish();
}

#[test]
fn ctrl_c_at_any_moment_leaves_nothing() {
    let host = host();
    for delay in 0..40 {
        let mut command = host.command();
        command.args(["run", "true"]).stderr(Stdio::null());
        let mut child = command.spawn().expect("mydocker starts");
        // Not to wait for anything, but to hit another moment each time.
        std::thread::sleep(Duration::from_micros(delay * 250));
        let _ = kill(nix::unistd::Pid::from_raw(child.id() as i32), Signal::SIGINT);
        child.wait().expect("its status");
        host.assert_untouched();
    }
}

#[test]
fn orphans_are_reaped_by_a_shell_that_is_pid_1() {
    let host = host();
    // Each subshell leaves a `true` behind that nobody waits for.
    let script = "for i in 1 2 3 4 5 6 7 8; do (true & true &) ; done; echo ready; \
                  while sleep 0.01; do :; done";
    let running = host.start("orphans", &[], script);
    wait_until("no orphan is a zombie", || zombies(running.pid1()) == 0);
    stop(&host, running);
}

#[test]
fn mydocker_itself_has_no_zombie() {
    let host = host();
    let running = host.start("clean", &[], "true; echo ready; read end");
    assert_eq!(zombies(running.pid()), 0);
    drop(running.finish());
}

fn zombies(parent: nix::unistd::Pid) -> usize {
    let children = std::fs::read_to_string(format!("/proc/{parent}/task/{parent}/children"));
    let is_zombie = |pid: &&str| {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        status.contains("State:\tZ")
    };
    children.expect("a list of children").split_whitespace().filter(is_zombie).count()
}

fn stop(host: &Host, running: Running) {
    kill(running.pid1(), Signal::SIGKILL).expect("it is there");
    running.wait();
    host.assert_untouched();
}

#[test]
fn what_the_command_leaves_running_ends_with_it() {
    let host = host();
    let running = host.start("leaves", &[], "sleep 1000 & echo ready; read end");
    let pid1 = running.pid1();
    let children = std::fs::read_to_string(format!("/proc/{pid1}/task/{pid1}/children"));
    let sleeper = children.expect("a list of children").trim().to_owned();
    assert!(std::path::Path::new("/proc").join(&sleeper).exists());
    running.finish();
    assert!(!std::path::Path::new("/proc").join(sleeper).exists());
}
