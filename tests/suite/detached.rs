//! Containers in the background: `run -d`, `logs`, `ps`, `wait`, `stop`, `kill`, `rm`.

use std::fs;
use std::process::{Command, Stdio};
use std::time::Instant;

use harness::host::{Host, patience, wait_until};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use predicates::prelude::*;
use rstest::rstest;

use crate::host;
use crate::killed::killed_at;

/// Starts `script` in the background, in a container called `name`.
fn detached(host: &Host, name: &str, options: &[&str], script: &str) {
    let run = ["run", "-d", "--name", name].into_iter().chain(options.iter().copied());
    let all: Vec<&str> = run.chain(["sh", "-c", script]).collect();
    host.mydocker(&all).assert().success().stdout(format!("{name}\n")).stderr("");
}

fn said(host: &Host, arguments: &[&str]) -> String {
    let assert = host.mydocker(arguments).assert().success();
    String::from_utf8(assert.get_output().stdout.clone()).expect("UTF-8")
}

fn remove(host: &Host, name: &str) {
    host.mydocker(["rm", "-f", name]).assert().success().stdout(format!("{name}\n")).stderr("");
}

/// Its row of `ps --json`.
fn row(host: &Host, name: &str) -> serde_json::Value {
    let all = said(host, &["ps", "-a", "--json"]);
    let all: Vec<serde_json::Value> = serde_json::from_str(&all).expect("JSON");
    all.into_iter().find(|row| row["id"] == name).expect("its row")
}

#[test]
fn the_caller_goes_on_and_the_container_too() {
    let host = host();
    detached(&host, "c1", &[], "echo out; echo err >&2; echo more; exit 7");
    host.mydocker(["wait", "c1"]).assert().success().stdout("7\n");
    host.mydocker(["logs", "c1"]).assert().success().stdout("out\nmore\n").stderr("err\n");
    assert_eq!(
        (row(&host, "c1")["state"].clone(), row(&host, "c1")["exit_code"].clone()),
        ("kept".into(), 7.into())
    );
    host.mydocker(["ps", "-q"]).assert().success().stdout("");
    host.mydocker(["ps", "-aq"]).assert().success().stdout("c1\n");
    host.mydocker(["rm", "c1"]).assert().success().stdout("c1\n");
}

#[test]
fn nothing_of_the_callers_is_held() {
    let host = host();
    // A pipe of the shell's is open in it, and as its descriptor 7.
    let script = format!(
        "exec 7>&1; {} run -d --name c1 sleep 1000",
        host.command().get_program().to_string_lossy()
    );
    let mut shell = Command::new("sh");
    shell.args(["-c", &script]).env("MYDOCKER_ROOT", host.root());
    let child = shell.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    // Ends when nobody has the pipes any more.
    let output = child.expect("a shell").wait_with_output().expect("its output");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "c1\n");
    let pid = row(&host, "c1")["pid"].as_i64().expect("a number");
    for process in [pid, parent(pid), parent(parent(pid))] {
        for entry in fs::read_dir(format!("/proc/{process}/fd")).into_iter().flatten().flatten() {
            let number = entry.file_name();
            let target = entry.path().read_link().unwrap_or_default();
            let is_outside = target.starts_with(host.root());
            let is_pipe =
                number.to_str().is_some_and(|it| it.parse::<u32>().is_ok_and(|it| it < 3));
            assert!(process != pid || !is_outside || is_pipe, "{process}: {number:?} {target:?}");
        }
    }
    assert_ne!(
        nix::unistd::getsid(Some(Pid::from_raw(parent(parent(pid)) as i32))),
        nix::unistd::getsid(None)
    );
    remove(&host, "c1");
}

fn parent(pid: i64) -> i64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("a process");
    let line = status.lines().find_map(|line| line.strip_prefix("PPid:")).expect("a parent");
    line.trim().parse().expect("a number")
}

#[rstest]
#[case::not_found("no-such", 127)]
#[case::not_executable("/etc/passwd", 126)]
fn a_start_that_fails_is_told_and_leaves_nothing(#[case] command: &str, #[case] code: i32) {
    let host = host();
    let told = host.mydocker(["run", "-d", "--name", "c1", command]).assert().code(code).stdout("");
    told.stderr(predicate::str::contains(command));
    host.assert_untouched();
}

#[test]
fn a_handled_sigterm_ends_it_and_an_unhandled_one_is_followed_by_a_kill() {
    let host = host();
    detached(
        &host,
        "mild",
        &[],
        "trap 'echo bye; exit 3' TERM; echo ready; while :; do sleep 1; done",
    );
    wait_until("it is ready", || said(&host, &["logs", "mild"]) == "ready\n");
    host.mydocker(["stop", "mild"]).assert().success().stdout("mild\n");
    host.mydocker(["wait", "mild"]).assert().success().stdout("3\n");
    assert_eq!(said(&host, &["logs", "mild"]), "ready\nbye\n");
    // What has ended is no error.
    host.mydocker(["stop", "mild"]).assert().success();

    detached(&host, "hard", &[], "exec sleep 1000");
    let begun = Instant::now();
    host.mydocker(["stop", "-t", "0", "hard"]).assert().success();
    assert!(begun.elapsed() < patience(), "not after a time");
    host.mydocker(["wait", "hard"]).assert().success().stdout("137\n");
    remove(&host, "mild");
    remove(&host, "hard");
}

#[test]
fn kill_sends_what_is_asked_for() {
    let host = host();
    detached(&host, "c1", &[], "trap 'echo usr1' USR1; echo ready; while :; do sleep 0.01; done");
    wait_until("it is ready", || said(&host, &["logs", "c1"]) == "ready\n");
    host.mydocker(["kill", "-s", "sigusr1", "c1"]).assert().success().stdout("c1\n").stderr("");
    wait_until("it has the signal", || said(&host, &["logs", "c1"]) == "ready\nusr1\n");
    let dropped = host.mydocker(["kill", "-s", "USR2", "c1"]).assert().success();
    dropped.stderr(predicate::str::contains("the kernel drops it"));
    host.mydocker(["kill", "c1"]).assert().success();
    host.mydocker(["wait", "c1"]).assert().success().stdout("137\n");
    let ended = host.mydocker(["kill", "c1"]).assert().code(125).stdout("");
    ended.stderr(predicate::str::contains("it has ended with 137"));
    remove(&host, "c1");
}

#[test]
fn what_runs_is_deleted_only_by_force() {
    let host = host();
    detached(&host, "c1", &[], "exec sleep 1000");
    let refused = host.mydocker(["rm", "c1"]).assert().code(125).stdout("");
    refused.stderr(predicate::str::contains("container \"c1\" runs"));
    // One that is not there keeps none of the others.
    let mixed = host.mydocker(["rm", "-f", "nope", "c1"]).assert().code(125).stdout("c1\n");
    mixed.stderr(predicate::str::contains("there is no container \"nope\""));
    // Of one in the foreground its own mydocker clears up.
    let running = host.start("fore", &[], "echo ready; read end");
    host.mydocker(["rm", "-f", "fore"]).assert().success().stdout("fore\n");
    assert_eq!(running.wait().status.code(), Some(137));
}

#[test]
fn logs_can_be_followed_and_cut() {
    let host = host();
    detached(
        &host,
        "c1",
        &["-i"],
        "for i in 1 2 3; do echo $i; done; printf part; sleep 1; echo -end",
    );
    let follow = host.mydocker(["logs", "-f", "c1"]).assert().success();
    follow.stdout("1\n2\n3\npart-end\n");
    host.mydocker(["logs", "--tail", "2", "c1"]).assert().success().stdout("3\npart-end\n");
    host.mydocker(["logs", "-n", "0", "c1"]).assert().success().stdout("");
    let with_times = r"^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z [123]\n){3}";
    let with_times = predicate::str::is_match(with_times).expect("a regex");
    host.mydocker(["logs", "-t", "c1"]).assert().success().stdout(with_times);
    remove(&host, "c1");
}

#[test]
fn a_log_is_bounded_and_keeps_all_bytes() {
    let host = host();
    detached(
        &host,
        "c1",
        &[],
        "printf 'a\\0b\\377\\n'; yes 0123456789 | head -c 30000000; echo end",
    );
    host.mydocker(["wait", "c1"]).assert().success().stdout("0\n");
    let size: u64 = ["c1/log", "c1/log.1"]
        .iter()
        .map(|name| fs::metadata(host.container(name)).expect("a log").len())
        .sum();
    assert!(size < 2 * ((8 << 20) + (4 << 20)), "{size} bytes");
    assert!(said(&host, &["logs", "--tail", "1", "c1"]).ends_with("end\n"));
    remove(&host, "c1");
    detached(&host, "c2", &[], "printf 'a\\0b\\377\\n'");
    host.mydocker(["wait", "c2"]).assert().success();
    let bytes = host.mydocker(["logs", "c2"]).assert().success().get_output().stdout.clone();
    assert_eq!(bytes, b"a\0b\xff\n");
    remove(&host, "c2");
}

#[test]
fn a_reader_that_has_gone_does_not_stop_it() {
    let host = host();
    detached(
        &host,
        "c1",
        &[],
        "i=0; while [ $i -lt 3000 ]; do echo $i; i=$((i+1)); done; sleep 1000",
    );
    let mut logs = host.command();
    logs.args(["logs", "-f", "c1"]).stdout(Stdio::piped());
    let mut reader = logs.spawn().expect("mydocker starts");
    drop(reader.stdout.take());
    wait_until("all is written", || said(&host, &["logs", "--tail", "1", "c1"]) == "2999\n");
    kill(Pid::from_raw(reader.id() as i32), Signal::SIGTERM).expect("it is there");
    reader.wait().expect("it ends");
    assert_eq!(row(&host, "c1")["state"], "running");
    remove(&host, "c1");
}

#[cfg_attr(not(can_root), ignore = "needs root: it mounts a small disk")]
#[test]
fn a_full_disk_does_not_stop_it() {
    let host = host();
    let containers = host.root().join("containers");
    fs::create_dir(&containers).expect("a folder");
    let (kind, flags) = (Some("tmpfs"), nix::mount::MsFlags::empty());
    nix::mount::mount(Some("tmpfs"), &containers, kind, flags, Some("size=1m")).expect("a disk");
    detached(&host, "c1", &[], "yes | head -c 4000000; exit 5");
    host.mydocker(["wait", "c1"]).assert().success().stdout("5\n");
    host.mydocker(["rm", "c1"]).assert().success();
    nix::mount::umount(&containers).expect("the disk");
    fs::remove_dir(&containers).expect("a folder");
}

#[test]
fn a_terminal_in_the_background_is_logged_too() {
    let host = host();
    detached(&host, "c1", &["-ti"], "tty; exec sh");
    wait_until("it is logged", || said(&host, &["logs", "c1"]).starts_with("/dev/pts/0\r\n"));
    assert_eq!(row(&host, "c1")["state"], "running", "its shell waits for what is typed");
    remove(&host, "c1");
}

#[test]
fn a_killed_supervisor_takes_its_container_along_and_can_be_deleted() {
    let host = host();
    detached(&host, "c1", &[], "exec sleep 1000");
    let pid = row(&host, "c1")["pid"].as_i64().expect("a number");
    kill(Pid::from_raw(parent(parent(pid)) as i32), Signal::SIGKILL).expect("it is there");
    wait_until("PID 1 is gone", || !std::path::Path::new(&format!("/proc/{pid}")).exists());
    wait_until("it does not run", || row(&host, "c1")["state"] == "kept");
    assert_eq!(row(&host, "c1")["exit_code"], serde_json::Value::Null);
    let unknown = host.mydocker(["wait", "c1"]).assert().code(125).stdout("");
    unknown.stderr(predicate::str::contains("how container \"c1\" ended is not known"));
    host.mydocker(["rm", "c1"]).assert().success();
}

/// The name of a process is its own affair, and not always text.
#[test]
fn a_name_that_is_no_text_hides_no_container() {
    let host = host();
    let name = r"printf '\377 ) \n' >/proc/self/comm; trap 'exit 3' TERM; echo ready";
    detached(&host, "c1", &[], &format!("{name}; while :; do sleep 0.01; done"));
    wait_until("it is ready", || said(&host, &["logs", "c1"]) == "ready\n");
    host.mydocker(["exec", "c1", "true"]).assert().success();
    host.mydocker(["stop", "c1"]).assert().success().stdout("c1\n").stderr("");
    host.mydocker(["wait", "c1"]).assert().success().stdout("3\n");
    remove(&host, "c1");
}

/// Whatever stop and rm are doing when they are killed, doing it again does it.
#[rstest]
#[case::stop(&["stop", "-t", "0", "c1"], "/^(pidfd_open|pidfd_send_signal|p?poll|flock)$", 12)]
#[case::rm(&["rm", "-f", "c1"], "/^(pidfd_send_signal|p?poll|flock|unlinkat|umount2|openat2)$", 60)]
#[cfg_attr(not(can_strace), ignore = "needs strace")]
fn a_killed_end_can_be_repeated(
    #[case] command: &[&str],
    #[case] calls: &str,
    #[case] most: usize,
) {
    let host = host();
    for number in 1..=most {
        detached(&host, "c1", &[], "echo >/file; exec sleep 1000");
        let output = killed_at(&host, &[], calls, number, command);
        if host.containers().contains("c1") {
            wait_until("it is deleted", || {
                host.mydocker(["rm", "-f", "c1"]).ok().is_ok() || host.containers().is_empty()
            });
        }
        host.assert_untouched();
        if output.status.success() {
            assert!(number > 1, "no {calls} is called");
            return;
        }
    }
}
