//! What `mydocker` can be told.

use std::fs;
use std::path::Path;
use std::process::Stdio;

use harness::host::Host;
use mydocker_kernel::mountinfo::MountTable;
use predicates::prelude::*;
use rstest::rstest;

use crate::{PROGRAM, host};

/// `mydocker` on a host without anything.
fn mydocker() -> assert_cmd::Command {
    let mut command = assert_cmd::Command::new(PROGRAM);
    command.env_clear();
    command
}

fn stdout(assert: assert_cmd::assert::Assert) -> String {
    String::from_utf8(assert.get_output().stdout.clone()).expect("UTF-8")
}

#[rstest]
#[case("mydocker", &[])]
#[case("run", &["run"])]
#[case("image", &["image"])]
#[case("image-import", &["image", "import"])]
#[case("image-export", &["image", "export"])]
#[case("image-ls", &["image", "ls"])]
#[case("image-rm", &["image", "rm"])]
#[case("commit", &["commit"])]
#[case("ps", &["ps"])]
#[case("exec", &["exec"])]
#[case("logs", &["logs"])]
#[case("stop", &["stop"])]
#[case("kill", &["kill"])]
#[case("wait", &["wait"])]
#[case("rm", &["rm"])]
#[case("prune", &["prune"])]
#[case("diff", &["diff"])]
#[case("mounts", &["mounts"])]
#[case("doctor", &["doctor"])]
#[case("completions", &["completions"])]
fn the_help_of_every_command(#[case] name: &str, #[case] command: &[&str]) {
    let help = mydocker().args(command).arg("--help").assert().success().stderr("");
    insta::assert_snapshot!(format!("help-{name}"), stdout(help));
}

#[test]
fn the_version_is_the_programs() {
    let version = concat!("mydocker ", env!("CARGO_PKG_VERSION"), "\n");
    mydocker().arg("--version").assert().success().stdout(version);
}

#[rstest]
#[case("bash")]
#[case("zsh")]
#[case("fish")]
fn completions_know_the_commands(#[case] shell: &str) {
    let knows = |word| predicate::str::contains(word);
    let all = knows("prune").and(knows("volume")).and(knows("completions"));
    mydocker().args(["completions", shell]).assert().success().stdout(all);
}

#[test]
fn ti_and_it_are_the_same() {
    let host = host();
    let [ti, it] = ["-ti", "-it"].map(|option| {
        let assert = host.mydocker(["run", option, "true"]).assert().code(125);
        String::from_utf8_lossy(&assert.get_output().stderr).into_owned()
    });
    assert!(ti.contains("-t and -i together need a terminal"), "{ti}");
    assert_eq!(ti, it);
}

#[test]
fn no_image_need_be_named_where_there_is_busybox() {
    host().mydocker(["run", "-i", "sh"]).write_stdin("echo $0\n").assert().success().stdout("sh\n");
}

#[rstest]
#[case(&["echo", "-t", "--name", "x", "--", "-v"], "-t --name x -- -v\n")]
#[case(&["echo", "--help"], "--help\n")]
#[case(&["--", "echo", "-i"], "-i\n")]
#[case(&["-e", "A=1", "sh", "-c", "echo $# $*", "x", "-e", "A=2"], "2 -e A=2\n")]
fn all_that_follows_the_command_is_its_own(#[case] arguments: &[&str], #[case] says: &str) {
    let arguments = ["run"].iter().chain(arguments);
    host().mydocker(arguments).assert().success().stdout(says.to_owned());
}

#[test]
fn arguments_arrive_as_they_were_given() {
    let script = r#"for word; do printf '<%s>' "$word"; done; echo $#"#;
    let words = ["a  b", "", " ", "new\nline", "*", "$HOME", "\"'\\", "-n", "é"];
    let arguments = ["run", "sh", "-c", script, "sh"].into_iter().chain(words);
    let expected = "<a  b><>< ><new\nline><*><$HOME><\"'\\><-n><é>9\n";
    host().mydocker(arguments).assert().success().stdout(expected);
}

#[rstest]
#[case::nothing(&[])]
#[case::no_command(&["run"])]
#[case::no_command_after_options(&["run", "--name", "x"])]
#[case::an_unknown_command(&["runn", "true"])]
#[case::an_unknown_option(&["run", "--bogus", "true"])]
#[case::an_unknown_short_option(&["run", "-q", "true"])]
#[case::an_option_without_its_value(&["run", "--name"])]
#[case::too_much(&["ps", "x"])]
#[case::no_id(&["diff"])]
fn a_wrong_command_line_is_125_and_shows_the_usage(#[case] arguments: &[&str]) {
    let usage = predicate::str::contains("--help");
    mydocker().args(arguments).assert().code(125).stdout("").stderr(usage);
}

#[rstest]
#[case::an_unknown_command(&["runn", "true"])]
#[case::an_unknown_option(&["run", "--bogus", "true"])]
#[case::a_similar_option(&["run", "--memry", "5m", "true"])]
#[case::an_option_without_its_value(&["run", "--name"])]
#[case::an_option_twice(&["run", "--net", "none", "--net", "host", "true"])]
#[case::no_command(&["run", "--trace"])]
#[case::too_much(&["ps", "x"])]
#[case::no_id(&["diff"])]
#[case::no_amount(&["run", "-m", "0", "true"])]
#[case::no_unit(&["run", "-m", "1x", "true"])]
#[case::not_digits(&["run", "-m", "x", "true"])]
#[case::too_little(&["run", "-m", "1k", "true"])]
#[case::too_large(&["run", "-m", "99999999999g", "true"])]
#[case::too_few_processes(&["run", "--pids-limit", "0", "true"])]
#[case::no_weight(&["run", "--cpu-shares", "1", "true"])]
#[case::no_share(&["run", "--cpus", "x", "true"])]
#[case::no_volume(&["run", "-v", "/x:y", "true"])]
#[case::no_such_value(&["run", "--driver", "btrfs", "true"])]
#[case::no_number(&["logs", "--tail", "x", "c1"])]
#[case::no_signal(&["kill", "-s", "FOO", "c1"])]
fn a_mistake_is_told_in_chinese(#[case] arguments: &[&str]) {
    let assert = mydocker().env("LAB_LANG", "zh").args(arguments).assert().code(125).stdout("");
    let said = String::from_utf8_lossy(&assert.get_output().stderr).into_owned();
    assert!(said.starts_with("错误："), "{said}");
    let english = r"(?i)\b(error|usage|options?|command|for|try|the|an?|is|not|write|number|tip)\b";
    let english = predicate::str::is_match(english).expect("a regular expression");
    assert!(!english.eval(&said), "English in\n{said}");
}

#[test]
fn a_bad_value_is_refused_with_what_would_be_right() {
    let bad = [
        ("-m", ["0", "1x", "-5", "99999999999g"].as_slice()),
        ("--cpus", &["0", "-1", "x", "nan"]),
        ("--pids-limit", &["0", "-1", "x"]),
        ("--cpu-shares", &["0", "1", "262145", "x"]),
        ("--driver", &["btrfs"]),
        ("--net", &["bridge"]),
        ("-v", &["/a", "/a:b", "/a:/b:zz", "/a:/", "/a:/b/../c"]),
    ];
    let mut said = String::new();
    for (option, values) in bad {
        for value in values {
            let assert = mydocker().args(["run", option, value, "true"]).assert().code(125);
            said += &format!("$ mydocker run {option} {value} true\n");
            said += &String::from_utf8_lossy(&assert.get_output().stderr);
        }
    }
    insta::assert_snapshot!(said.replace("\nFor more information, try '--help'.\n", ""));
}

/// Where `image import` puts an image, seen from a folder with everything that
/// may be named.
fn root_that_is_chosen(arguments: &[&str], variables: &[(&str, &str)]) -> String {
    let folder = tempfile::tempdir().expect("a folder");
    let top = folder.path().canonicalize().expect("its real path");
    fs::write(top.join("empty.tar"), [0; 1024]).expect("an archive");
    std::os::unix::fs::symlink("real", top.join("link")).expect("a link");
    fs::create_dir(top.join("real")).expect("a folder");
    let absolute = |value: &str| value.replace('@', top.to_str().expect("UTF-8"));
    let mut command = mydocker();
    command.current_dir(&top).args(arguments.iter().map(|argument| absolute(argument)));
    command.envs(variables.iter().map(|(name, value)| (name, absolute(value))));
    command.args(["image", "import", "it", "empty.tar"]).assert().success();
    find(&top, &top).expect("the image is somewhere")
}

fn find(folder: &Path, top: &Path) -> Option<String> {
    fs::read_dir(folder).expect("a folder").flatten().find_map(|entry| match entry.file_name() {
        name if name == "images" => {
            Some(folder.strip_prefix(top).expect("below it").display().to_string())
        }
        _ if entry.file_type().expect("its type").is_dir() => find(&entry.path(), top),
        _ => None,
    })
}

const ALL: [(&str, &str); 3] =
    [("MYDOCKER_ROOT", "@/variable"), ("XDG_DATA_HOME", "@/data"), ("HOME", "@/home")];

#[rstest]
#[case::the_option_first(&["--root", "@/option"], &ALL, "option")]
#[case::then_our_variable(&[], &ALL, "variable")]
#[case::a_relative_one_is_one_from_here(&["--root", "here"], &ALL, "here")]
#[case::links_are_followed(&["--root", "@/link/below"], &[], "real/below")]
#[case::a_link_itself(&["--root", "link"], &[], "real")]
fn the_folder_is_the_one_that_is_named(
    #[case] arguments: &[&str],
    #[case] variables: &[(&str, &str)],
    #[case] chosen: &str,
) {
    assert_eq!(root_that_is_chosen(arguments, variables), chosen);
}

#[rstest]
#[case::the_data_folder(&ALL[1..], "data/mydocker")]
#[case::then_home(&ALL[2..], "home/.local/share/mydocker")]
#[case::a_relative_data_folder_is_none(
    &[("XDG_DATA_HOME", "data"), ALL[2]], "home/.local/share/mydocker")]
#[cfg_attr(can_root, ignore = "needs an ordinary user: root's folder is /var/lib/mydocker")]
fn a_users_folder_is_in_the_users_data(#[case] variables: &[(&str, &str)], #[case] chosen: &str) {
    assert_eq!(root_that_is_chosen(&[], variables), chosen);
}

#[cfg_attr(can_root, ignore = "needs an ordinary user: root's folder is /var/lib/mydocker")]
#[test]
fn a_user_without_a_home_must_name_a_folder() {
    let says = predicate::str::contains("name one with --root DIR or $MYDOCKER_ROOT");
    mydocker().args(["image", "ls"]).assert().code(125).stdout("").stderr(says);
}

#[cfg_attr(not(can_root), ignore = "needs root: a user's folder is another")]
#[test]
fn the_folder_of_root_is_in_var_lib() {
    // Of an image that nobody has, so that nothing is done there.
    let says = predicate::str::contains("/var/lib/mydocker/images");
    mydocker().args(["image", "rm", "nobody-has-this"]).assert().code(125).stderr(says);
}

#[test]
fn a_container_runs_in_a_folder_that_is_reached_through_a_link() {
    let host = host();
    std::os::unix::fs::symlink(host.root(), host.path("link")).expect("a link");
    let root = host.path("link").display().to_string();
    host.mydocker(["--root", &root, "run", "echo", "hi"]).assert().success().stdout("hi\n");
}

#[test]
fn where_nothing_was_made_nothing_is_listed() {
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path().join("new").display().to_string();
    let ps = "ID               PID      IMAGE            STATE      STARTED        COMMAND\n";
    let images = "NAME                     LAYERS  IMPORTED\n";
    mydocker().args(["--root", &root, "ps"]).assert().success().stdout(ps);
    mydocker().args(["--root", &root, "image", "ls"]).assert().success().stdout(images);
    let pruned = mydocker().args(["--root", &root, "prune"]).assert().success();
    pruned.stdout("nothing was left over\n");
    assert!(!folder.path().join("new").exists(), "to look makes nothing");
}

#[test]
fn ps_has_a_row_for_each_container() {
    let host = host();
    let running = host.start("one", &[], "echo ready; read end");
    let pid1 = running.pid1();
    let row = format!(
        r"^ID .*\none +{pid1} +busybox +running +\d+ seconds? ago +sh -c echo ready; read end\n$"
    );
    let row = predicate::str::is_match(row).expect("a regex");
    host.mydocker(["ps"]).assert().success().stdout(row).stderr("");
    running.finish();
}

#[test]
fn ps_has_one_line_for_a_command_of_many() {
    let host = host();
    let running = host.start("lines", &[], "echo ready\nread end\n# \x1b[31m");
    let row = predicate::str::contains(r"sh -c echo ready\nread end\n# \u{1b}[31m");
    host.mydocker(["ps"]).assert().success().stdout(row);
    running.finish();
}

#[test]
fn an_image_that_is_removed_is_not_listed_any_more() {
    let host = host();
    fs::write(host.path("empty.tar"), [0; 1024]).expect("an archive");
    let archive = host.path("empty.tar").display().to_string();
    host.mydocker(["image", "import", "other", &archive]).assert().success();
    let listed = stdout(host.mydocker(["image", "ls"]).assert().success());
    let names: Vec<&str> = listed.lines().filter_map(|line| line.split(' ').next()).collect();
    assert_eq!(names, ["NAME", "busybox", "other"]);
    host.mydocker(["image", "rm", "other"]).assert().success().stdout("");
    let listed = predicate::str::contains("other").not();
    host.mydocker(["image", "ls"]).assert().success().stdout(listed);
}

#[test]
fn mounts_shows_every_mount_once() {
    let text = stdout(mydocker().arg("mounts").assert().success());
    let table = MountTable::read().expect("the mount table");
    assert_eq!(text.lines().count(), table.mounts.len(), "{text}");
}

#[test]
fn mounts_as_json_are_those_of_mountinfo() {
    let json = stdout(mydocker().args(["mounts", "--json"]).assert().success());
    let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    let raw = fs::read_to_string("/proc/thread-self/mountinfo").expect("mountinfo");
    let field = |line: &str, number: usize| line.split(' ').nth(number).expect("it").to_owned();
    // Names with an escape in them are the parser's own tests' business.
    let expected: Vec<_> = raw.lines().map(|line| (field(line, 0), field(line, 4))).collect();
    let shown = json.as_array().expect("a list").iter().map(|mount| {
        let path = mount["mount_point"].as_str().expect("a path");
        (mount["id"].to_string(), path.replace(' ', r"\040"))
    });
    assert_eq!(shown.collect::<Vec<_>>(), expected);
}

#[test]
fn mounts_of_another_process_are_what_that_one_sees() {
    let host = host();
    let running = host.start("looked-at", &[], "echo ready; read end");
    let pid1 = running.pid1().to_string();
    let json = stdout(host.mydocker(["mounts", "--json", "--pid", &pid1]).assert().success());
    let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(json[0]["mount_point"], "/");
    assert_eq!(json[0]["fs_type"], "overlay");
    running.finish();
}

#[test]
fn doctor_says_what_works_and_what_does_not() {
    let host = host();
    let report = stdout(host.mydocker(["doctor"]).assert().success().stderr(""));
    let marked = |line: &str| ["ok  ", "no  ", "--  ", "    "].iter().any(|m| line.starts_with(m));
    assert!(report.lines().all(marked), "{report}");
    let subjects: Vec<&str> = report
        .lines()
        .filter(|line| !line.starts_with(' '))
        .map(|line| line[4..].split("  ").next().expect("a subject"))
        .collect();
    insta::assert_snapshot!(subjects.join("\n"));
    assert!(report.contains("ok  containers "), "{report}");
    host.assert_untouched();
}

#[rstest]
#[case(&["mounts"])]
#[case(&["ps"])]
#[case(&["image", "ls"])]
#[case(&["completions", "bash"])]
#[case(&["run", "--help"])]
fn a_reader_that_has_gone_is_no_failure(#[case] arguments: &[&str]) {
    let host = host();
    let mut child = closed_stdout(&host, arguments);
    let status = child.wait().expect("its status");
    assert!(status.success(), "{status}");
}

/// As `mydocker … | true` does it.
fn closed_stdout(host: &Host, arguments: &[&str]) -> std::process::Child {
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    host.command().args(arguments).stdout(writer).stdin(Stdio::null()).spawn().expect("it starts")
}
