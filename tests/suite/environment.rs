//! The variables that a command gets.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;

use harness::busybox::busybox_tar;
use harness::host::Host;
use rstest::rstest;

use crate::host;

const PATH: &str = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// What `mydocker run OPTIONS env` shows, sorted.
fn environment(host: &Host, options: &[&str]) -> Vec<String> {
    let mut command = host.mydocker(["run", "--hostname", "box"]);
    command.args(options).arg("env").env("OF_THE_HOST", "a secret").env("EMPTY", "");
    let output = command.assert().success().get_output().stdout.clone();
    let mut lines: Vec<_> =
        String::from_utf8(output).expect("UTF-8").lines().map(str::to_owned).collect();
    lines.sort();
    lines
}

#[test]
fn nothing_of_the_hosts_environment_goes_into_the_container() {
    assert_eq!(environment(&host(), &[]), ["HOME=/root", "HOSTNAME=box", PATH]);
}

#[test]
fn a_terminal_adds_term() {
    let expected = ["HOME=/root", "HOSTNAME=box", PATH, "TERM=xterm"];
    assert_eq!(environment(&host(), &["-t"]), expected);
}

#[rstest]
#[case::a_value("K=V", Some("K=V"))]
#[case::a_value_with_an_equals_sign("K=a=b=", Some("K=a=b="))]
#[case::an_empty_value("K=", Some("K="))]
#[case::a_value_with_blanks("K= a  b ", Some("K= a  b "))]
#[case::the_hosts_value("OF_THE_HOST", Some("OF_THE_HOST=a secret"))]
#[case::the_hosts_empty_value("EMPTY", Some("EMPTY="))]
#[case::what_the_host_has_not("NOT_ON_THE_HOST", None)]
fn e_sets_a_variable(#[case] given: &str, #[case] seen: Option<&str>) {
    let host = host();
    let mut expected: Vec<_> = environment(&host, &[]);
    expected.extend(seen.map(str::to_owned));
    expected.sort();
    assert_eq!(environment(&host, &["-e", given]), expected);
}

#[test]
fn of_two_values_for_one_name_the_later_counts() {
    let lines = environment(&host(), &["-e", "K=1=1", "-e", "K=2=2", "-e", "HOME=/tmp"]);
    assert_eq!(lines, ["HOME=/tmp", "HOSTNAME=box", "K=2=2", PATH]);
}

#[test]
fn e_beats_the_images_own_variables() {
    let host = host();
    let archive = image_with_variables(&host);
    host.mydocker(["image", "import", "other", &archive]).assert().success();
    let lines = environment(&host, &["--image", "other", "-e", "A=ours"]);
    assert_eq!(lines, ["A=ours", "B=of the image", "HOME=/root", "HOSTNAME=box", PATH]);
}

/// As `docker save` writes it. An image may name a variable of the host; it
/// does not get it.
fn image_with_variables(host: &Host) -> String {
    let variables = r#"["A=of the image", "B=of the image", "OF_THE_HOST", "=no name", ""]"#;
    let config = format!(r#"{{"config": {{"Env": {variables}}}, "rootfs": {{}}}}"#);
    let manifest = r#"[{"Config": "config.json", "Layers": ["layer.tar"]}]"#;
    fs::write(host.path("config.json"), config).expect("a file");
    fs::write(host.path("manifest.json"), manifest).expect("a file");
    fs::copy(busybox_tar(), host.path("layer.tar")).expect("a layer");
    let mut archive = tar::Builder::new(fs::File::create(host.path("image.tar")).expect("a file"));
    for name in ["config.json", "manifest.json", "layer.tar"] {
        archive.append_path_with_name(host.path(name), name).expect("a member");
    }
    archive.finish().expect("the archive");
    host.path("image.tar").display().to_string()
}

#[test]
fn the_command_is_looked_for_in_the_containers_path() {
    let host = host();
    fs::create_dir(host.path("tools")).expect("a folder");
    let script = host.path("tools/our-tool");
    fs::write(&script, "#!/bin/sh\necho found\n").expect("a script");
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).expect("its mode");
    let volume = format!("{}:/tools", host.path("tools").display());
    let arguments = ["run", "-v", &volume, "-e", "PATH=/nowhere:/tools", "our-tool"];
    host.mydocker(arguments).assert().success().stdout("found\n");
}

/// Names are bytes, as everywhere on Linux: in Latin-1, this one is a word.
#[test]
fn a_working_directory_and_a_variable_may_have_any_bytes() {
    let host = host();
    let (folder, variable) = (OsStr::from_bytes(b"/caf\xe9"), OsStr::from_bytes(b"NAME=\xe9"));
    let options = ["run".as_ref(), "-w".as_ref(), folder, "-e".as_ref(), variable];
    let script = ["sh".as_ref(), "-c".as_ref(), OsStr::new("pwd; echo $NAME")];
    let run = host.mydocker(options).args(script).assert().success();
    assert_eq!(run.get_output().stdout, b"/caf\xe9\n\xe9\n");
}
