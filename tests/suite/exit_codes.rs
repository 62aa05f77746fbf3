//! What `mydocker run` ends with.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use nix::sys::signal::{Signal, kill};
use predicates::prelude::*;
use rstest::rstest;

use crate::host;

#[rstest]
#[case(0)]
#[case(1)]
#[case(7)]
#[case(125)]
#[case(255)]
fn the_commands_own_exit_code_is_ours(#[case] code: i32) {
    let script = format!("exit {code}");
    host().mydocker(["run", "sh", "-c", &script]).assert().code(code).stdout("").stderr("");
}

#[test]
fn a_command_that_is_killed_from_outside_ends_with_128_and_the_signal() {
    let host = host();
    let running = host.start("killed", &[], "echo ready; read end");
    kill(running.pid1(), Signal::SIGKILL).expect("it is there");
    assert_eq!(running.wait().status.code(), Some(128 + Signal::SIGKILL as i32));
}

#[test]
fn a_command_that_crashes_ends_with_128_and_the_signal() {
    let endless_recursion = "f() { f; }; f";
    let crash = 128 + Signal::SIGSEGV as i32;
    host().mydocker(["run", "sh", "-c", endless_recursion]).assert().code(crash);
}

#[test]
fn a_child_that_is_killed_is_the_commands_own_affair() {
    let script = "sh -c 'kill -9 $$'; echo $?";
    host().mydocker(["run", "sh", "-c", script]).assert().success().stdout("137\n");
}

#[rstest]
#[case::not_in_the_path(&["no-such-command"], 127, "is not in the container's PATH")]
#[case::no_such_file(&["/no/such/command"], 127, "ENOENT")]
#[case::below_a_file(&["/etc/passwd/x"], 127, "is a file, not a directory")]
#[case::a_directory(&["/etc"], 126, "it is a directory")]
#[case::not_executable(&["/etc/passwd"], 126, "its mode is 0644")]
#[case::an_empty_name(&[""], 127, "is not in the container's PATH")]
#[case::a_relative_folder(&["-w", "relative", "true"], 125, "is no absolute path")]
fn a_command_that_cannot_start_is_told_from_one_that_fails(
    #[case] arguments: &[&str],
    #[case] code: i32,
    #[case] says: &str,
) {
    let arguments = ["run"].iter().chain(arguments);
    let says = predicate::str::contains(says);
    host().mydocker(arguments).assert().code(code).stdout("").stderr(says);
}

#[rstest]
#[case::no_program("neither a program nor a script\n", 126, "it is no program for this machine")]
#[case::of_another_machine("\x7fELF\x02\x01\x01", 126, "ENOEXEC")]
#[case::without_its_interpreter("#!/no/such/shell\n", 127, "not the interpreter")]
fn a_file_that_the_kernel_cannot_execute_says_why(
    #[case] content: &str,
    #[case] code: i32,
    #[case] says: &str,
) {
    let host = host();
    let file = host.path("program");
    fs::write(&file, content).expect("a file");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).expect("its mode");
    let volume = format!("{}:/program", file.display());
    let says = predicate::str::contains(says);
    host.mydocker(["run", "-v", &volume, "/program"]).assert().code(code).stderr(says);
}

#[test]
fn the_first_file_in_the_path_that_can_be_executed_is() {
    let script = "mkdir /a && echo no >/a/ls && exec env PATH=/a:/bin ls /etc/passwd";
    host().mydocker(["run", "sh", "-c", script]).assert().success().stdout("/etc/passwd\n");
}

#[test]
fn a_working_directory_that_is_missing_is_made() {
    host()
        .mydocker(["run", "-w", "/made/for/it", "pwd"])
        .assert()
        .success()
        .stdout("/made/for/it\n");
}

#[test]
fn a_command_that_is_not_started_leaves_nothing() {
    let host = host();
    host.mydocker(["run", "--name", "never", "no-such-command"]).assert().code(127);
    host.assert_untouched();
}
