//! What whoever calls us has, and a container does not get: groups, keys, access lists,
//! files and a terminal that can be opened once more.

use std::fs::{self, File};
use std::process::{Command, Stdio};

use harness::host::{Host, wait_until};
use harness::terminal::Terminal;
use nix::sys::signal::{Signal, kill};
use predicates::str::contains;
use rstest::rstest;

use crate::host;

#[rstest]
#[case::supplementary(&["--regid", "0", "--groups", "6,27,1001"])]
#[case::its_own(&["--regid", "100", "--clear-groups"])]
#[cfg_attr(not(can_root), ignore = "needs root: only that has groups to give away")]
fn groups_stay_behind(#[case] groups: &[&str]) {
    let host = host();
    let command = host.command();
    let mut setpriv = Command::new("setpriv");
    setpriv.args(["--reuid", "0"]).args(groups).arg(command.get_program());
    setpriv.args(["run", "sh", "-c", "id -G; touch /file; stat -c %g /file"]);
    let output = setpriv.env("MYDOCKER_ROOT", host.root()).output().expect("setpriv starts");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "0\n0\n", "{output:?}");
}

#[test]
fn the_keyring_of_the_session_stays_behind() {
    let host = host();
    let file = host.path("trace");
    host.mydocker(["run", &format!("--trace={}", file.display()), "true"]).assert().success();
    let trace = fs::read_to_string(file).expect("the trace");
    let (before, after) = trace.split_once("KEYCTL_JOIN_SESSION_KEYRING, NULL)").expect("the call");
    assert!(after.contains("execve") || after.contains("execute the command"), "{after}");
    assert!(!before.contains(r#""side":"container""#), "it has begun before: {before}");
}

/// A folder above can hand its access list down to all that is made in it.
#[test]
fn an_access_list_is_not_handed_down() {
    let host = host();
    // Version 2; the owner, uid 65534, the group, the mask: all rwx; others: nothing.
    let mut list = 2u32.to_le_bytes().to_vec();
    for (tag, may, id) in [
        (1u16, 7u16, u32::MAX),
        (2, 7, 65534),
        (4, 7, u32::MAX),
        (16, 7, u32::MAX),
        (32, 0, u32::MAX),
    ] {
        list.extend(tag.to_le_bytes());
        list.extend(may.to_le_bytes());
        list.extend(id.to_le_bytes());
    }
    let folder = host.root().join("containers");
    fs::create_dir_all(&folder).expect("the folder of the containers");
    xattr::set(&folder, "system.posix_acl_default", &list).expect("an access list");
    let script = "touch /n; mkdir /d; stat -c %a /n /d /etc/hosts /etc/resolv.conf";
    let run = host.mydocker(["run", "sh", "-c", script]).assert();
    run.success().stdout("644\n755\n644\n644\n");
}

/// The log of somebody who only ever adds to it.
#[test]
fn a_file_for_the_output_is_neither_read_nor_emptied() {
    let host = host();
    let log = host.path("log");
    fs::write(&log, "secret\n").expect("a log");
    let file = || File::options().append(true).open(&log).expect("the log");
    let script = "for n in 1 2; do cat /proc/self/fd/$n; : >/proc/self/fd/$n; done & echo out";
    let mut run = host.command();
    let status = run.args(["run", "sh", "-c", script]).stdout(file()).stderr(file()).status();
    assert!(status.expect("mydocker starts").success());
    let text = fs::read_to_string(&log).expect("the log");
    assert!(text.starts_with("secret\n") && text.matches("secret").count() == 1, "{text:?}");
}

/// Both are one file, and so what is written keeps its order.
#[test]
fn what_goes_into_one_file_keeps_its_order() {
    let host = host();
    let log = host.path("log");
    fs::write(&log, "old\n").expect("a log");
    let file = || File::options().append(true).open(&log).expect("the log");
    let script = "for n in 1 2 3; do echo out $n; echo err $n >&2; done";
    let mut run = host.command();
    let status = run.args(["run", "sh", "-c", script]).stdout(file()).stderr(file()).status();
    assert!(status.expect("mydocker starts").success());
    let text = fs::read_to_string(&log).expect("the log");
    assert_eq!(text, "old\nout 1\nerr 1\nout 2\nerr 2\nout 3\nerr 3\n");
}

#[test]
fn a_file_for_the_input_is_not_written() {
    let host = host();
    let input = host.path("input");
    fs::write(&input, "old\n").expect("a file");
    let mut run = host.command();
    run.args(["run", "-i", "sh", "-c", "cat; echo new >/proc/self/fd/0"]);
    let output = run.stdin(File::open(&input).expect("the file")).output().expect("it starts");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "old\n");
    assert_eq!(fs::read_to_string(&input).expect("the file"), "old\n");
}

/// Without -t it has none, and so nothing to read from it or to set on it.
#[rstest]
fn our_terminal_is_not_the_containers(#[values(&[][..], &["-i"])] options: &[&str]) {
    let host = host();
    let mut command = host.command();
    let script = "for n in 0 1 2; do test -t $n && echo terminal $n; done; echo done";
    command.arg("run").args(options).args(["sh", "-c", script]);
    let mut terminal = Terminal::start(&command);
    let before = terminal.settings();
    let (status, screen) = terminal.finish();
    assert!(status.success() && !screen.contains("terminal "), "{screen}");
    assert_eq!(terminal.settings(), before);
}

#[test]
fn much_output_and_much_input_come_through_whole() {
    let host = host();
    let (input, output) = (host.path("input"), host.path("output"));
    let content: Vec<u8> = (0..3_000_000u32).map(|n| (n % 251) as u8).collect();
    fs::write(&input, &content).expect("a file");
    let mut run = host.command();
    run.args(["run", "-i", "cat"]).stdin(File::open(&input).expect("the file"));
    let status = run.stdout(File::create(&output).expect("a file")).status();
    assert!(status.expect("mydocker starts").success());
    assert!(fs::read(&output).expect("the file") == content, "something is missing");
}

#[test]
fn a_reader_that_goes_away_is_a_closed_pipe_for_the_container() {
    let host = host();
    let script = format!("{} run sh -c 'yes; echo $? >&2' | head -1", crate::PROGRAM);
    let mut shell = Command::new("sh");
    let output = shell.args(["-c", &script]).env("MYDOCKER_ROOT", host.root()).output();
    let output = output.expect("a shell");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "y\n");
}

/// It changes its IDs, and with them what it was to die of.
#[cfg_attr(not(can_root), ignore = "needs root: a user has no second ID in the container")]
#[test]
fn a_container_that_changes_its_ids_ends_with_mydocker_too() {
    let host = host();
    let script = "echo 'other:x:65534:65534::/:/bin/sh' >>/etc/passwd; \
                  exec su other -c 'echo ready; exec sleep 1000'";
    ends_with_mydocker(&host, script);
}

#[test]
fn a_container_ends_with_mydocker_however_that_ends() {
    let host = host();
    ends_with_mydocker(&host, "sleep 1000 & echo ready; exec sleep 1000");
}

fn ends_with_mydocker(host: &Host, script: &str) {
    let running = host.start("orphan", &[], script);
    let pid1 = running.pid1();
    kill(running.pid(), Signal::SIGKILL).expect("it is there");
    running.wait();
    wait_until("it has ended", || {
        let status = fs::read_to_string(format!("/proc/{pid1}/status")).unwrap_or_default();
        status.is_empty() || status.contains("State:\tZ")
    });
    host.mydocker(["prune"]).assert().success().stdout("container orphan\n");
    host.assert_untouched();
}

/// A record that tells of a container that lives, beside a lock that is free: prune
/// ends what it deletes.
#[test]
fn prune_deletes_nothing_under_what_runs() {
    let host = host();
    let mut sleeper = Command::new("sleep").arg("1000").spawn().expect("sleep starts");
    let pid = sleeper.id();
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).expect("it runs");
    let started = stat.rsplit(')').next().expect("fields").split_whitespace().nth(19);
    let record = format!(
        r#"{{"pid":{pid},"started":{},"image":"busybox","driver":"overlay","command":[],"created":1,"keep":false}}"#,
        started.expect("when it was started")
    );
    fs::create_dir_all(host.container("half")).expect("its folder");
    fs::write(host.container("half/lock"), record).expect("its lock");
    host.mydocker(["prune"]).assert().success().stdout("container half\n");
    let status = sleeper.wait().expect("its status");
    assert_eq!(std::os::unix::process::ExitStatusExt::signal(&status), Some(9));
}

#[test]
fn a_long_name_is_a_host_name_as_far_as_one_goes() {
    let name = "n".repeat(100);
    host()
        .mydocker(["run", "--name", &name, "hostname"])
        .assert()
        .success()
        .stdout(format!("{}\n", &name[..64]));
}

#[test]
fn on_the_hosts_network_its_names_are_known() {
    let script = "hostname; cat /etc/hosts";
    let name = nix::unistd::gethostname().expect("a name").into_string().expect("UTF-8");
    let hosts = fs::read_to_string("/etc/hosts").unwrap_or_default();
    let run = host().mydocker(["run", "--net", "host", "sh", "-c", script]).assert().success();
    run.stdout(predicates::str::starts_with(format!("{name}\n{hosts}")));
    let arguments = ["run", "--net", "host", "--hostname", "other", "hostname"];
    host().mydocker(arguments).assert().success().stdout("other\n");
}

#[rstest]
#[case::as_it_is(&[], "/root\n")]
#[case::empty(&["-e", "HOME="], "/root\n")]
#[case::another(&["-e", "HOME=/home/me"], "/home/me\n")]
fn there_is_always_a_home(#[case] options: &[&str], #[case] home: &str) {
    let arguments = ["run"].iter().chain(options).chain(&["sh", "-c", "echo $HOME"]);
    host().mydocker(arguments).assert().success().stdout(home.to_owned());
}

#[test]
fn a_container_with_too_little_memory_to_start_is_refused() {
    let said = contains("a container needs 6m to start");
    host().mydocker(["run", "-m", "1m", "true"]).assert().code(125).stderr(said);
}

#[test]
fn what_is_closed_to_its_owner_is_seen_by_diff() {
    let host = host();
    let script = "mkdir -p /shut/in; touch /shut/in/file; chmod 0 /shut/in /shut";
    host.mydocker(["run", "--keep", "--name", "c1", "sh", "-c", script]).assert().success();
    let expected = contains("A /shut\nA /shut/in\nA /shut/in/file\n");
    host.mydocker(["diff", "c1"]).assert().success().stdout(expected);
    host.mydocker(["prune", "--kept"]).assert().success();
}

/// The stdin of a container that reads none is nobody's.
#[test]
fn without_i_nothing_is_read() {
    let host = host();
    let mut run = host.command();
    run.args(["run", "cat"]).stdin(Stdio::piped());
    let output = run.output().expect("mydocker starts");
    assert!(output.status.success() && output.stdout.is_empty(), "{output:?}");
}

/// How many files may be open is the caller's to say. Too few are told of, and whatever
/// fails for that, nothing is left over.
#[rstest]
fn a_caller_with_few_descriptors_leaves_nothing_over(
    #[values(4, 5, 6, 9, 10, 11, 12, 14, 20)] limit: u32,
) {
    let host = host();
    let command = host.command();
    let mut sh = Command::new("sh");
    sh.args(["-c", &format!("ulimit -n {limit}; exec \"$@\""), "sh"]).arg(command.get_program());
    sh.args(["run", "mkdir", "-p", "/a/b/c/d/e/f/g/h/i/j/k/l"]).env_clear();
    sh.env("PATH", "/usr/bin:/bin").env("MYDOCKER_ROOT", host.root());
    let output = sh.output().expect("sh starts");
    let said = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        assert_eq!(output.status.code(), Some(125), "{said}");
        assert!(said.contains(&format!("may have {limit} files open at once")), "{said}");
    }
    assert_eq!(host.containers().len(), 0, "{said}");
}

/// A file that may not grow is an error, which is told and cleaned up after.
#[test]
fn a_caller_with_a_limit_of_file_sizes_is_told() {
    let host = host();
    let command = host.command();
    let program = command.get_program().to_str().expect("a path in UTF-8");
    for script in ["ulimit -f 0; exec $1 run true", "ulimit -f 1; exec $1 image import other $2"] {
        let mut sh = Command::new("sh");
        sh.args(["-c", script, "sh", program]).arg(harness::busybox::busybox_tar());
        sh.env_clear().env("PATH", "/usr/bin:/bin").env("MYDOCKER_ROOT", host.root());
        let output = sh.output().expect("sh starts");
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(125), "{said}");
        assert!(said.contains("a file of this process may have"), "{said}");
    }
    assert!(!host.images().join("other").exists());
    let left = fs::read_dir(host.images()).expect("the images").count();
    assert_eq!(left, 1, "half an image is left");
}
