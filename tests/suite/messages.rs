//! What an error says: what failed, why, and what to do about it.

use std::path::Path;

use harness::host::Host;
use nix::unistd::{getegid, geteuid};
use rstest::rstest;

use crate::host;

/// What this command line says on stderr, without what differs from machine to
/// machine. It says nothing on stdout, and leaves nothing.
fn message(host: &Host, arguments: &[&str], code: i32) -> String {
    let assert = host.mydocker(arguments).assert().code(code).stdout("");
    let said = String::from_utf8_lossy(&assert.get_output().stderr).into_owned();
    host.assert_untouched();
    redact(host, &said)
}

fn redact(host: &Host, text: &str) -> String {
    let path = |path: &Path| path.to_str().expect("UTF-8").to_owned();
    text.replace(&path(host.root()), "ROOT")
        .replace(&path(&host.path("")), "HOST/")
        .replace(&format!("uid {}", geteuid()), "uid OURS")
        .replace(&format!("gid {}", getegid()), "gid OURS")
}

#[rstest]
#[case("no-such-image", &["run", "--image", "nope", "true"], 125)]
#[case("no-image-to-remove", &["image", "rm", "nope"], 125)]
#[case("no-such-container", &["diff", "nope"], 125)]
#[case("no-container-to-enter", &["exec", "nope", "true"], 125)]
#[case("no-container-to-stop", &["stop", "nope"], 125)]
#[case("no-container-to-kill", &["kill", "nope"], 125)]
#[case("no-container-to-wait-for", &["wait", "nope"], 125)]
#[case("no-container-to-delete", &["rm", "nope"], 125)]
#[case("no-container-with-a-log", &["logs", "nope"], 125)]
#[case("not-in-the-background", &["run", "-d", "no-such-command"], 127)]
#[case("nothing-to-commit", &["commit", "nope", "new"], 125)]
#[case("no-image-to-export", &["image", "export", "nope", "-"], 125)]
#[case("export-onto-a-file", &["image", "export", "busybox", "/bin/sh"], 125)]
#[case("export-into-no-folder", &["image", "export", "busybox", "/no/such/folder/x"], 125)]
#[case("no-container-name", &["run", "--name", "../x", "true"], 125)]
#[case("no-variable-name", &["run", "-e", "=x", "true"], 125)]
#[case("no-such-volume", &["run", "-v", "/no/such/folder:/x", "true"], 125)]
#[case("no-terminal", &["run", "-ti", "sh"], 125)]
#[case("relative-workdir", &["run", "-w", "src", "true"], 125)]
#[case("workdir-is-a-file", &["run", "-w", "/etc/passwd", "true"], 125)]
#[case("command-not-found", &["run", "no-such-command"], 127)]
#[case("path-not-found", &["run", "/no/such/command"], 127)]
#[case("command-is-a-folder", &["run", "/etc"], 126)]
#[case("command-is-not-executable", &["run", "/etc/passwd"], 126)]
#[case("long-host-name", &["run", "--hostname", &"h".repeat(65), "true"], 125)]
#[case("trace-into-a-missing-folder", &["run", "--trace=/no/such/file", "true"], 125)]
#[case("no-archive", &["image", "import", "new", "/no/such.tar"], 125)]
fn an_error_says_what_and_why_and_what_to_do(
    #[case] name: &str,
    #[case] arguments: &[&str],
    #[case] code: i32,
) {
    insta::assert_snapshot!(name.to_owned(), message(&host(), arguments, code));
}

#[test]
fn a_name_that_is_taken() {
    let host = host();
    let running = host.start("mine", &[], "echo ready; read end");
    let assert = host.mydocker(["run", "--name", "mine", "true"]).assert().code(125);
    let said = redact(&host, &String::from_utf8_lossy(&assert.get_output().stderr));
    assert_eq!(running.finish().status.code(), Some(1), "it was not disturbed");
    insta::assert_snapshot!(said);
}

#[test]
fn an_image_that_is_in_use() {
    let host = host();
    let running = host.start("user", &[], "echo ready; read end");
    let assert = host.mydocker(["image", "rm", "busybox"]).assert().code(125);
    let said = redact(&host, &String::from_utf8_lossy(&assert.get_output().stderr));
    assert_eq!(running.finish().status.code(), Some(1), "it was not disturbed");
    insta::assert_snapshot!(said);
}

#[cfg_attr(can_aufs, ignore = "needs a kernel without AUFS")]
#[test]
fn aufs_where_there_is_none() {
    let arguments = ["run", "--driver", "aufs", "true"];
    insta::assert_snapshot!(message(&host(), &arguments, 125));
}

#[cfg_attr(can_root, ignore = "needs an ordinary user: root may set limits")]
#[test]
fn limits_of_a_user() {
    let said = message(&host(), &["run", "-m", "100m", "true"], 125);
    // Which folder refuses, and how, is the host's own.
    let advice = said.lines().last().expect("an advice");
    assert_eq!(advice, "  do:  limits need root; see what there is: mydocker doctor");
}

#[cfg_attr(can_root, ignore = "needs an ordinary user: root may write anywhere")]
#[test]
fn a_folder_that_is_somebody_elses() {
    let host = host();
    let archive = harness::busybox::busybox_tar();
    let archive = archive.to_str().expect("UTF-8");
    // Whatever is in /usr, this is not.
    let missing = format!("/usr/mydocker-{}", std::process::id());
    let arguments = ["--root", &missing, "image", "import", "busybox", archive];
    insta::assert_snapshot!(message(&host, &arguments, 125).replace(&missing, "/usr/MISSING"));
}

#[cfg_attr(can_root, ignore = "needs an ordinary user: root may write anywhere")]
#[test]
fn a_folder_that_may_not_be_written() {
    use std::fs::{Permissions, set_permissions};
    use std::os::unix::fs::PermissionsExt;
    let host = host();
    std::fs::create_dir(host.root().join("containers")).expect("a folder");
    set_permissions(host.root().join("containers"), Permissions::from_mode(0o555))
        .expect("its mode");
    insta::assert_snapshot!(message(&host, &["run", "--name", "x", "true"], 125));
}

#[cfg_attr(not(can_root), ignore = "needs root: it mounts a small disk")]
#[test]
fn a_disk_that_is_full() {
    let host = host();
    let containers = host.root().join("containers");
    std::fs::create_dir(&containers).expect("a folder");
    nix::mount::mount(
        Some("tmpfs"),
        &containers,
        Some("tmpfs"),
        nix::mount::MsFlags::empty(),
        // Just enough for the container's own folder and its lock.
        Some("nr_inodes=3"),
    )
    .expect("a small disk");
    let assert = host.mydocker(["run", "--name", "x", "true"]).assert().code(125).stdout("");
    let said = redact(&host, &String::from_utf8_lossy(&assert.get_output().stderr));
    assert_eq!(host.containers(), Default::default(), "nothing is left");
    nix::mount::umount(&containers).expect("it is not in use");
    insta::assert_snapshot!(said);
}
