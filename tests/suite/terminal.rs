//! `run -t` and `-i`, on a terminal as a person has it.

use std::io::Write;
use std::process::Stdio;

use harness::host::{Host, Running, wait_until};
use harness::terminal::Terminal;
use nix::sys::signal::Signal;
use rstest::rstest;

use crate::host;

/// `mydocker run -ti …` on a terminal.
fn run(host: &Host, arguments: &[&str]) -> Terminal {
    let mut command = host.command();
    command.args(["run", "-ti", "--name", "it"]).args(arguments);
    Terminal::start(&command)
}

/// A shell that waits for the first line, without echo.
fn shell(host: &Host) -> Terminal {
    let mut terminal = run(host, &["sh"]);
    terminal.read_until("# ");
    terminal.type_in("stty -echo; PS1='>''>'\n");
    terminal.read_until(">>");
    terminal
}

/// What a line typed at the prompt is answered with.
fn answer(terminal: &mut Terminal, line: &str) -> String {
    terminal.type_in(&format!("{line}\n"));
    terminal.read_until(">>").replace("\r\n", "\n")
}

fn leave(mut terminal: Terminal) {
    terminal.type_in("exit\n");
    assert_eq!(terminal.finish().0.code(), Some(0));
}

#[test]
fn the_shell_has_a_terminal_of_its_own() {
    let host = host();
    let mut terminal = shell(&host);
    assert_eq!(answer(&mut terminal, "tty"), "/dev/pts/0\n");
    let streams = "test -t 0 && test -t 1 && test -t 2 && echo all three";
    assert_eq!(answer(&mut terminal, streams), "all three\n");
    let same =
        "test \"$(stat -c %t:%T /dev/console)\" = \"$(stat -c %t:%T /dev/pts/0)\" && echo same";
    assert_eq!(answer(&mut terminal, same), "same\n");
    assert_eq!(answer(&mut terminal, "echo hi >/dev/tty"), "hi\n");
    leave(terminal);
}

#[test]
fn the_window_has_the_size_of_ours_and_follows_it() {
    let host = host();
    let mut terminal =
        run(&host, &["sh", "-c", "stty -echo; while stty size; read line; do :; done"]);
    terminal.read_until("24 80\r\n");
    terminal.set_size(50, 132);
    wait_until("the container's window has changed", || {
        terminal.type_in("\n");
        terminal.read_until("\r\n") == "50 132"
    });
    terminal.type_in("\x04");
    assert_eq!(terminal.finish().0.code(), Some(0));
}

#[test]
fn a_program_in_the_container_is_told_of_a_new_size() {
    let host = host();
    let script = "trap 'stty size' WINCH; echo ready; while :; do sleep 0.01; done";
    let mut terminal = run(&host, &["sh", "-c", script]);
    terminal.read_until("ready");
    terminal.set_size(30, 90);
    terminal.read_until("30 90");
    terminal.signal(Signal::SIGTERM);
    terminal.read_until("once more, and it is killed");
    terminal.signal(Signal::SIGTERM);
    assert_eq!(terminal.finish().0.code(), Some(137));
}

#[test]
fn ctrl_c_interrupts_the_program_and_not_the_shell() {
    let host = host();
    let mut terminal = shell(&host);
    terminal.type_in("sleep 1000\n");
    wait_until("sleep is in the foreground", || foreground_is(&terminal, "sleep"));
    terminal.type_in("\x03");
    terminal.read_until(">>");
    assert_eq!(answer(&mut terminal, "echo $?"), "130\n");
    leave(terminal);
}

#[test]
fn jobs_can_be_stopped_and_brought_back() {
    let host = host();
    let mut terminal = shell(&host);
    answer(&mut terminal, "sleep 1000 &");
    assert!(answer(&mut terminal, "jobs").contains("Running"), "no job runs");
    terminal.type_in("fg\n");
    terminal.read_until("sleep 1000\r\n");
    wait_until("sleep is in the foreground", || foreground_is(&terminal, "sleep"));
    terminal.type_in("\x1a");
    terminal.read_until(">>");
    assert!(answer(&mut terminal, "jobs").contains("Stopped"), "it is not stopped");
    terminal.type_in("fg\n");
    terminal.read_until("sleep 1000\r\n");
    wait_until("sleep is in the foreground", || foreground_is(&terminal, "sleep"));
    terminal.type_in("\x03");
    terminal.read_until(">>");
    assert_eq!(answer(&mut terminal, "jobs"), "");
    leave(terminal);
}

/// Whether the container's terminal is now this program's, as
/// /proc/PID/stat shows it: its eighth field is the foreground's group.
fn foreground_is(terminal: &Terminal, name: &str) -> bool {
    let pid = terminal.pid();
    let read = |path: String| std::fs::read_to_string(path).unwrap_or_default();
    let keeper = read(format!("/proc/{pid}/task/{pid}/children"));
    let keeper = keeper.trim();
    let pid1 = read(format!("/proc/{keeper}/task/{keeper}/children"));
    let pid1 = pid1.trim();
    let children = read(format!("/proc/{pid1}/task/{pid1}/children"));
    children.split_whitespace().any(|child| {
        let stat = read(format!("/proc/{child}/stat"));
        let fields: Vec<&str> = stat.rsplit(") ").next().unwrap_or_default().split(' ').collect();
        // State, parent, group, session, terminal, foreground group.
        stat.contains(&format!("({name})"))
            && fields.len() > 5
            && fields[2] == fields[5]
            && fields[0] == "S"
    })
}

#[test]
fn ctrl_d_ends_the_shell() {
    let host = host();
    let mut terminal = shell(&host);
    assert_eq!(answer(&mut terminal, "false"), "");
    terminal.type_in("\x04");
    assert_eq!(terminal.finish().0.code(), Some(1));
}

#[rstest]
#[case::a_normal_end(&["sh", "-c", "stty raw -echo; exit 3"], 3)]
#[case::a_command_that_is_not_found(&["no-such-command"], 127)]
#[case::a_crash(&["sh", "-c", "f() { f; }; f"], 139)]
fn our_terminal_is_set_as_before(#[case] arguments: &[&str], #[case] code: i32) {
    let host = host();
    let mut terminal = run(&host, arguments);
    assert_eq!(terminal.finish().0.code(), Some(code));
    assert_eq!(terminal.settings(), terminal.settings_before);
}

#[test]
fn our_terminal_is_set_as_before_after_a_sigterm() {
    let host = host();
    let script = "trap 'exit 3' TERM; echo ready; while :; do sleep 0.01; done";
    let mut command = host.command();
    command.args(["run", "-ti", "sh", "-c", script]);
    let mut terminal = Terminal::start(&command);
    let before = terminal.settings_before.clone();
    terminal.read_until("ready");
    assert_ne!(terminal.settings(), before, "it is raw");
    terminal.signal(Signal::SIGTERM);
    assert_eq!(terminal.finish().0.code(), Some(3));
    assert_eq!(terminal.settings(), before);
}

#[test]
fn a_large_paste_arrives_whole() {
    let host = host();
    let mut terminal =
        run(&host, &["sh", "-c", "stty -echo raw; echo ready; head -c 100000 | md5sum"]);
    terminal.read_until("ready");
    let paste: String = (0..100_000).map(|i| char::from(b'a' + (i % 23) as u8)).collect();
    terminal.type_in(&paste);
    let sum = "637aaf20c6b2a6dcab04d6ab7e5f429a";
    terminal.read_until(sum);
    assert_eq!(terminal.finish().0.code(), Some(0));
}

#[test]
fn a_large_output_arrives_whole() {
    let host = host();
    let script = "stty -opost; yes 0123456789abcde | head -c 1048576; echo end";
    let mut terminal = run(&host, &["sh", "-c", script]);
    let output = terminal.read_until("end");
    assert_eq!(output, "0123456789abcde\n".repeat(65_536));
    assert_eq!(terminal.finish().0.code(), Some(0));
}

#[rstest]
#[case::a_shell(&["sh"], "# ")]
#[case::who_reads(&["sh", "-c", "echo ready; cat; cat"], "ready")]
#[case::who_does_not(&["sh", "-c", "echo ready; exec sleep 1000"], "ready")]
#[case::who_writes(&["yes"], "y\r\n")]
fn closing_the_window_ends_the_container(#[case] arguments: &[&str], #[case] shown: &str) {
    let host = host();
    let mut terminal = run(&host, arguments);
    terminal.read_until(shown);
    terminal.hang_up();
    host.assert_untouched();
}

#[test]
fn closing_the_window_tells_the_command_with_sighup() {
    let host = host();
    std::fs::create_dir(host.path("volume")).expect("a folder");
    let volume = format!("{}:/v", host.path("volume").display());
    let script = "trap 'echo told >/v/told; exit' HUP; echo ready; while :; do sleep 0.01; done";
    let mut terminal = run(&host, &["-v", &volume, "sh", "-c", script]);
    terminal.read_until("ready");
    terminal.hang_up();
    assert!(host.path("volume/told").exists());
}

#[test]
fn a_terminal_without_stdin_is_only_a_screen() {
    let host = host();
    let mut command = host.command();
    command.args(["run", "-t", "sh", "-c", "test -t 1 && tty && stty size"]);
    let mut terminal = Terminal::start(&command);
    // Both terminals end a line with a carriage return: ours is not raw.
    terminal.read_until("/dev/pts/0\r\r\n24 80\r\r\n");
    assert_eq!(terminal.settings(), terminal.settings_before, "our keyboard is not touched");
    assert_eq!(terminal.finish().0.code(), Some(0));
}

#[test]
fn a_terminal_works_with_all_streams_somewhere_else() {
    let expected = "/dev/pts/0\r\nerror\r\n";
    let arguments = ["run", "-t", "sh", "-c", "tty; echo error >&2"];
    host().mydocker(arguments).assert().success().stdout(expected).stderr("");
}

#[test]
fn a_pipe_is_read_with_i() {
    host().mydocker(["run", "-i", "cat"]).write_stdin("hi\n").assert().success().stdout("hi\n");
}

#[test]
fn a_large_pipe_arrives_whole() {
    let input = "0123456789abcde\n".repeat(65_536);
    let assert = host().mydocker(["run", "-i", "cat"]).write_stdin(input.clone()).assert();
    assert.success().stdout(input);
}

#[test]
fn without_i_there_is_nothing_to_read() {
    let host = host();
    let mut command = host.command();
    command.args(["run", "cat"]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut running = Running { child: command.spawn().expect("it starts") };
    // The pipe stays open: cat ends all the same.
    let mut stdin = running.child.stdin.take().expect("a pipe");
    // Unless it is over already.
    let _ = stdin.write_all(b"not for the container");
    let output = running.wait();
    assert_eq!((output.status.code(), output.stdout), (Some(0), Vec::new()));
    drop(stdin);
}

#[test]
fn stdout_and_stderr_stay_apart_without_a_terminal() {
    let script = "echo out; echo err >&2";
    host().mydocker(["run", "sh", "-c", script]).assert().success().stdout("out\n").stderr("err\n");
}

#[test]
fn stdin_that_is_closed_is_no_failure() {
    let script = "exec \"$0\" run -i cat <&-";
    let host = host();
    let program = host.command();
    let mut command = std::process::Command::new("sh");
    command.args(["-c", script]).arg(program.get_program()).env("MYDOCKER_ROOT", host.root());
    assert_eq!(command.output().expect("its end").stdout, b"");
}

/// Nobody reads any more: the container's terminal hangs up, as ours would.
#[test]
fn a_reader_that_goes_away_ends_the_container() {
    let host = host();
    let mut command = host.command();
    command.args(["run", "-t", "yes"]).stdin(Stdio::null()).stdout(Stdio::piped());
    let mut child = command.stderr(Stdio::null()).spawn().expect("mydocker starts");
    let mut first = [0; 3];
    let mut stdout = child.stdout.take().expect("a pipe");
    std::io::Read::read_exact(&mut stdout, &mut first).expect("some of it");
    drop(stdout);
    wait_until("mydocker ends", || child.try_wait().expect("its status").is_some());
    host.assert_untouched();
}
