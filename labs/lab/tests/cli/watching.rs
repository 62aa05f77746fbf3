//! `lab watch`.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::fixture::{Fixture, all_kept, one_of_each};

/// The processor time of a process, in hundredths of a second. See
/// proc_pid_stat(5).
fn ticks(pid: u32) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).expect("it runs");
    let fields = stat.rsplit_once(") ").expect("a name").1.split(' ');
    fields.skip(11).take(2).map(|field| field.parse::<u64>().expect("a number")).sum()
}

#[test]
fn it_grades_again_after_a_change_and_ends_at_ctrl_c() {
    let fixture = Fixture::new();
    fixture.set_verdicts("06-pivot-root", &one_of_each());
    let mut watch = Command::new(assert_cmd::cargo::cargo_bin!("lab"));
    watch.args(["watch", "06"]).current_dir(fixture.top()).stdout(Stdio::piped());
    watch.env("CARGO", fixture.path("cargo.sh")).env("LAB_LANG", "en");
    let mut watch = watch.spawn().expect("lab");
    let mut lines = BufReader::new(watch.stdout.take().expect("it is piped")).lines();
    let mut until = |words: &str| {
        let is_there = |line: std::io::Result<String>| line.expect("UTF-8").contains(words);
        assert!(lines.any(is_there), "it never says {words:?}");
    };

    until("1 of 5 kept");
    until("Waiting for changes");
    let before = ticks(watch.id());
    thread::sleep(Duration::from_millis(500));
    assert!(ticks(watch.id()) - before < 25, "it is busy while nothing changes");
    fixture.set_verdicts("06-pivot-root", &all_kept());
    fixture.write("labs/06-pivot-root/src/lib.rs", "// better\n");
    until("4 of 5 kept");
    until("Waiting for changes");
    let pid = Pid::from_raw(watch.id().try_into().expect("a pid"));
    kill(pid, Signal::SIGINT).expect("it runs");
    until("Stopped watching");
    assert!(watch.wait().expect("its end").success());
}
