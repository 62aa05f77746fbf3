//! One more command in a container that runs.

use std::collections::BTreeMap;
use std::fs;
use std::process::{Command, Stdio};
use std::time::Duration;

use harness::host::{Host, wait_until};
use harness::terminal::Terminal;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use predicates::prelude::*;
use rstest::rstest;

use crate::host;
use crate::killed::killed_at;

/// A container `c1` that waits for its end, which `end` brings.
fn running(options: &[&str]) -> Host {
    let host = host();
    let script = "trap 'exit 0' TERM; sleep 100000 & wait";
    let run = ["run", "-d", "--name", "c1"].into_iter().chain(options.iter().copied());
    let all: Vec<&str> = run.chain(["sh", "-c", script]).collect();
    host.mydocker(&all).assert().success();
    host
}

fn end(host: &Host) {
    host.mydocker(["rm", "-f", "c1"]).assert().success();
}

fn said(host: &Host, arguments: &[&str]) -> String {
    let all: Vec<&str> = ["exec", "c1"].into_iter().chain(arguments.iter().copied()).collect();
    let assert = host.mydocker(&all).assert().success().stderr("");
    String::from_utf8(assert.get_output().stdout.clone()).expect("UTF-8")
}

fn pid1(host: &Host) -> i32 {
    let assert = host.mydocker(["ps", "--json"]).assert().success();
    let all: serde_json::Value = serde_json::from_slice(&assert.get_output().stdout).expect("JSON");
    all[0]["pid"].as_i64().expect("a number") as i32
}

/// What of a process decides what it may do and see.
fn place(status: &str) -> BTreeMap<&str, &str> {
    let fields = [
        "Uid",
        "Gid",
        "Groups",
        "CapInh",
        "CapPrm",
        "CapEff",
        "CapBnd",
        "CapAmb",
        "NoNewPrivs",
        "Seccomp",
        "Seccomp_filters",
        "SigBlk",
    ];
    status
        .lines()
        .filter_map(|line| line.split_once(':'))
        .filter(|(name, _)| fields.contains(name))
        .map(|(name, value)| (name, value.trim()))
        .collect()
}

#[rstest]
#[case::plain(&[])]
#[case::privileged(&["--privileged"])]
#[case::on_the_hosts_network(&["--net", "host"])]
fn it_is_where_pid_1_is_and_may_do_as_much(#[case] options: &[&str]) {
    let host = running(options);
    let script = "for ns in user mnt pid uts ipc net cgroup; do
            [ \"$(readlink /proc/self/ns/$ns)\" = \"$(readlink /proc/1/ns/$ns)\" ] || echo $ns
        done; cat /proc/self/cgroup";
    let of_it = said(&host, &["sh", "-c", script]);
    assert_eq!(of_it, said(&host, &["cat", "/proc/1/cgroup"]), "namespaces or groups differ");
    let [of_it, of_pid_1] =
        ["self", "1"].map(|process| said(&host, &["cat", &format!("/proc/{process}/status")]));
    assert_eq!(place(&of_it), place(&of_pid_1));
    assert_eq!(said(&host, &["readlink", "/proc/self/cwd"]), "/\n");
    end(&host);
}

#[cfg_attr(not(can_cgroups), ignore = "needs root and control groups")]
#[test]
fn the_containers_limits_hold_for_it() {
    let host = running(&["--pids-limit", "20"]);
    let groups = fs::read_to_string(format!("/proc/{}/cgroup", pid1(&host))).expect("its groups");
    let mut exec = host.command();
    exec.args(["exec", "-i", "c1", "sh", "-c", "echo $$; read end"]);
    let mut child =
        exec.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("mydocker starts");
    let children = |pid: Pid| {
        fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default()
    };
    let ours = Pid::from_raw(child.id() as i32);
    wait_until("the joiner is there", || !children(ours).trim().is_empty());
    let joiner = harness::host::only_child(ours);
    wait_until("the command is there", || !children(joiner).trim().is_empty());
    let process = harness::host::only_child(joiner);
    let own = fs::read_to_string(format!("/proc/{process}/cgroup")).expect("its groups");
    assert_eq!(own, groups);
    drop(child.stdin.take());
    child.wait().expect("its end");
    end(&host);
}

#[rstest]
#[case::its_own(&["sh", "-c", "exit 7"], 7)]
#[case::of_a_signal(&["sh", "-c", "kill -9 $$"], 137)]
#[case::of_a_real_time_signal(&["sh", "-c", "kill -40 $$"], 168)]
#[case::not_executable(&["/etc/passwd"], 126)]
#[case::not_found(&["no-such-command"], 127)]
fn exit_codes_are_dockers(#[case] command: &[&str], #[case] code: i32) {
    let host = running(&[]);
    let all: Vec<&str> = ["exec", "c1"].into_iter().chain(command.iter().copied()).collect();
    host.mydocker(&all).assert().code(code);
    end(&host);
}

#[test]
fn environment_directory_and_user_are_what_is_asked_for() {
    let host = running(&["-e", "A=1", "-w", "/tmp"]);
    assert_eq!(said(&host, &["sh", "-c", "echo $A $HOME $PWD; id -u"]), "1 /root /tmp\n0\n");
    let with =
        ["exec", "-e", "A=2", "-e", "B=3", "-w", "/etc", "c1", "sh", "-c", "echo $A $B $PWD"];
    host.mydocker(with).assert().success().stdout("2 3 /etc\n");
    let missing = host.mydocker(["exec", "-w", "/nowhere", "c1", "true"]).assert().code(127);
    missing.stdout("").stderr(predicate::str::contains("/nowhere"));
    // CVE-2024-21626: no descriptor is a way to a directory.
    for number in 0..20 {
        let way = format!("/proc/self/fd/{number}");
        host.mydocker(["exec", "-w", &way, "c1", "pwd"]).assert().failure().stdout("");
    }
    let unknown = host.mydocker(["exec", "-u", "nobody-here", "c1", "id"]).assert().code(125);
    unknown.stdout("").stderr(predicate::str::contains("no user \"nobody-here\""));
    host.mydocker(["exec", "-i", "c1", "cat"])
        .write_stdin("in\n")
        .assert()
        .success()
        .stdout("in\n");
    end(&host);
}

#[cfg_attr(not(can_root), ignore = "needs root: a container with more than one user")]
#[test]
fn another_user_has_no_power() {
    let host = running(&[]);
    let exec =
        ["exec", "-u", "7:8", "c1", "sh", "-c", "id -u; id -g; grep CapEff /proc/self/status"];
    host.mydocker(exec).assert().success().stdout("7\n8\nCapEff:\t0000000000000000\n");
    end(&host);
}

/// To the kernel the number -1 says: as it is, and that is root. See CVE-2019-14287.
#[cfg_attr(not(can_root), ignore = "needs root: a container with more than one user")]
#[rstest]
#[case::a_number("4294967295", "user")]
#[case::a_group("7:4294967295", "group")]
#[case::of_the_containers_passwd("evil", "user")]
fn nobody_stays_root_by_a_number(#[case] user: &str, #[case] what: &str) {
    let host = running(&[]);
    said(&host, &["sh", "-c", "echo evil:x:4294967295:4294967295::/:/bin/sh >>/etc/passwd"]);
    let refused = host.mydocker(["exec", "-u", user, "c1", "id"]).assert().code(125).stdout("");
    refused.stderr(predicate::str::contains(format!("the container has no {what}")));
    end(&host);
}

/// Until the command is there, the root of the container's process is the host's.
#[cfg_attr(not(can_strace), ignore = "needs strace")]
#[test]
fn a_container_that_is_just_starting_is_not_joined() {
    let host = host();
    let mut strace = Command::new("strace");
    // Until strace is killed.
    let wait = "inject=pivot_root:delay_enter=3000000000";
    strace.args(["-f", "-qq", "-o", "/dev/null", "-e", "trace=pivot_root", "-e", wait]);
    let program = host.command().get_program().to_owned();
    strace.arg(program).args(["run", "--name", "c1", "true"]).env("MYDOCKER_ROOT", host.root());
    let mut starting = strace.spawn().expect("strace is there: scripts/install-tools");
    wait_until("it is known", || {
        let listed = host.mydocker(["ps", "--json"]).assert().success();
        String::from_utf8_lossy(&listed.get_output().stdout).contains("\"pid\":")
    });
    let refused = host.mydocker(["exec", "c1", "true"]).assert().code(125).stdout("");
    refused.stderr(predicate::str::contains("it is just starting"));
    starting.kill().expect("it is there");
    starting.wait().expect("its end");
    wait_until("the container has ended", || host.containers().is_empty());
}

#[test]
fn it_has_a_terminal_of_its_own() {
    let host = running(&[]);
    let mut command = host.command();
    command.args(["exec", "-ti", "c1", "sh", "-c", "tty; read x; echo got $x; exit 4"]);
    let mut terminal = Terminal::start(&command);
    terminal.read_until("/dev/pts/0");
    terminal.type_in("hello\n");
    terminal.read_until("got hello");
    assert_eq!(terminal.finish().0.code(), Some(4));
    end(&host);
}

#[test]
fn a_container_that_does_not_run_is_no_place() {
    let host = host();
    host.mydocker(["run", "--keep", "--name", "c1", "true"]).assert().success();
    let refused = host.mydocker(["exec", "c1", "true"]).assert().code(125).stdout("");
    refused.stderr(predicate::str::contains("container \"c1\" does not run"));
    host.mydocker(["rm", "c1"]).assert().success();
}

/// A process of the container looks at all others, all the time: what of one that is
/// not the command yet, and still mydocker, it can see.
#[test]
fn nothing_of_the_host_is_seen_before_the_command_runs() {
    let host = host();
    let script = "while :; do for p in /proc/[0-9]*; do
            readlink $p/exe $p/cwd $p/root $p/fd/*; done; done >/seen 2>/dev/null";
    host.mydocker(["run", "-d", "--name", "c1", "sh", "-c", script]).assert().success();
    for _ in 0..40 {
        host.mydocker(["exec", "c1", "true"]).assert().success();
    }
    let seen = said(&host, &["sort", "-u", "/seen"]);
    let harmless = |line: &&str| {
        [
            "/bin/busybox",
            "/bin/sh",
            "/bin/true",
            "/bin/readlink",
            "/bin/sort",
            "/",
            "/seen",
            "/dev/null",
        ]
        .contains(line)
            || line.starts_with("pipe:")
            || line.starts_with("/bin/")
            || line.starts_with("/proc")
    };
    let others: Vec<&str> = seen.lines().filter(|line| !harmless(line)).collect();
    assert_eq!(others, Vec::<&str>::new());
    end(&host);
}

/// The same, with all the time in the world: the process is stopped just before.
#[cfg_attr(not(can_strace), ignore = "needs strace")]
#[test]
fn a_process_on_its_way_into_the_container_is_closed_to_it() {
    let host = running(&[]);
    let mut strace = Command::new("strace");
    strace.args(["-f", "-qq", "-o", "/dev/null", "-e", "trace=capset"]);
    strace.args(["-e", "inject=capset:signal=SIGSTOP:when=1"]);
    strace.arg(host.command().get_program()).args(["exec", "c1", "echo", "done"]);
    strace.env("MYDOCKER_ROOT", host.root()).stdout(Stdio::piped());
    let child = strace.spawn().expect("strace is there: scripts/install-tools");
    // Of the kernel's stops it is the one by a signal, or the tracer's of one.
    let find = "grep -l '^State:.[Tt]' /proc/[0-9]*/status 2>/dev/null; true";
    let mut process = String::new();
    wait_until("it is stopped", || {
        process = said(&host, &["sh", "-c", find]).trim().trim_end_matches("/status").to_owned();
        !process.is_empty()
    });
    let look = format!(
        "p={process}; readlink $p/exe $p/cwd $p/root $p/fd/*; cat $p/environ; \
         head -c 1 $p/mem; (: >>$p/exe) && echo written; true"
    );
    host.mydocker(["exec", "c1", "sh", "-c", &look]).assert().success().stdout("");
    let go_on = format!("kill -CONT {}", process.trim_start_matches("/proc/"));
    said(&host, &["sh", "-c", &go_on]);
    let output = child.wait_with_output().expect("its end");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "done\n");
    end(&host);
}

/// CVE-2019-5736: the container has our own program executed, and writes to it.
#[test]
fn our_own_program_cannot_be_written_to() {
    let host = running(&[]);
    let copy = host.path("mydocker-copy");
    fs::copy(host.command().get_program(), &copy).expect("a copy");
    let before = fs::read(&copy).expect("it");
    let prepare = "printf '#!/proc/self/exe\\n' >/evil; chmod 755 /evil
        (while :; do for p in /proc/[0-9]*; do case $(readlink $p/exe) in
            *mydocker*) readlink $p/exe >>/exes; (echo x >>$p/exe) && echo >/wrote
                exec 9<$p/exe && (echo x >>/proc/self/fd/9) && echo >/wrote
        esac; done; done) >/dev/null 2>&1 </dev/null &";
    said(&host, &["sh", "-c", prepare]);
    for _ in 0..10 {
        let mut exec = Command::new(&copy);
        exec.args(["exec", "c1", "/evil"]).env("MYDOCKER_ROOT", host.root());
        exec.output().expect("mydocker starts");
        let mut exec = Command::new(&copy);
        exec.args(["exec", "c1", "/proc/self/exe", "doctor"]).env("MYDOCKER_ROOT", host.root());
        exec.output().expect("mydocker starts");
    }
    assert!(fs::read(&copy).expect("it") == before, "our program has changed");
    host.mydocker(["exec", "c1", "cat", "/wrote"]).assert().failure();
    // What it finds at all is the copy in memory.
    let found = said(&host, &["sh", "-c", "sort -u /exes 2>/dev/null; true"]);
    assert!(found.lines().all(|exe| exe.starts_with("/memfd:")), "{found}");
    end(&host);
}

#[test]
fn it_ends_with_the_container_and_with_mydocker() {
    let host = running(&[]);
    let start = |script: &str| {
        let mut exec = host.command();
        exec.args(["exec", "c1", "sh", "-c", script]).stdout(Stdio::piped());
        exec.spawn().expect("mydocker starts")
    };
    let grep = "grep -l marker /proc/[0-9]*/cmdline 2>/dev/null | wc -l";
    let count = || said(&host, &["sh", "-c", grep]);
    // What counts, counts itself.
    let before = count();
    let mut killed = start("sleep 1000; : marker");
    wait_until("it runs", || count() != before);
    kill(Pid::from_raw(killed.id() as i32), Signal::SIGKILL).expect("it is there");
    killed.wait().expect("its end");
    wait_until("it has ended", || count() == before);

    let ended = start("sleep 1000; : marker");
    wait_until("it runs", || count() != before);
    host.mydocker(["stop", "c1"]).assert().success();
    assert_eq!(ended.wait_with_output().expect("its end").status.code(), Some(137));
    end(&host);
}

/// Whatever exec is doing when it is killed: the container goes on, and nothing stays.
#[rstest]
#[case::parent(&[], "/^(memfd_create|clone3?|socketpair|sendmsg|recvmsg|p?poll|pidfd_open)$", 12)]
#[case::all(&["-f"], "/^(setns|setsid|close_range|prctl|capset|execve)$", 12)]
#[cfg_attr(not(can_strace), ignore = "needs strace")]
fn a_killed_exec_leaves_nothing(#[case] who: &[&str], #[case] calls: &str, #[case] most: usize) {
    let host = running(&[]);
    let processes = || said(&host, &["sh", "-c", "ls -d /proc/[0-9]* 2>/dev/null | wc -l"]);
    let before = processes();
    for number in 1..=most {
        let output = killed_at(&host, who, calls, number, &["exec", "c1", "sleep", "0.01"]);
        wait_until("nothing is left", || {
            std::thread::sleep(Duration::from_millis(20));
            processes() == before
        });
        if output.status.success() {
            assert!(number > 1, "no {calls} is called");
            break;
        }
    }
    end(&host);
}
