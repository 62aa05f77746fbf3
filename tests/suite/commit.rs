//! A container that becomes an image, and an image that becomes an archive.

use std::fs;
use std::path::Path;
use std::process::Command;

use harness::host::{Host, wait_until};
use harness::tree;
use nix::sys::signal::{Signal, kill};
use predicates::prelude::*;
use rstest::rstest;

use crate::host;
use crate::killed::killed_at;

/// What a container can do to the files of its image.
const CHANGES: &str = "echo hello >/greeting; ln /greeting /again; ln -s nowhere /dangling
    rm /etc/group; rm -r /usr; mkdir /usr; echo 1 >/usr/new; mkfifo /pipe; chmod 4755 /again
    mkdir -m 0 /closed; touch -d '2001-02-03 04:05:06' /tmp; echo own >>/etc/hosts";

/// What a container sees of its files, but what is made anew for each.
const LOOK: &str = "find /[acdghptuv]* -xdev -path /proc -prune -o -path /dev -prune -o \\
    -exec stat -c '%n %F %a %u:%g %Y %h %N' {} + | sort; cat /greeting; ls / /etc /bin";

fn kept(host: &Host, name: &str, script: &str) -> String {
    let run = ["run", "--keep", "--name", name, "sh", "-c", script];
    let assert = host.mydocker(run).assert().success();
    String::from_utf8_lossy(&assert.get_output().stdout).into_owned()
}

/// What the tests made is deleted, for the host is to be as it was.
fn clear(host: &Host, images: &[&str]) {
    host.mydocker(["prune", "--kept"]).assert().success();
    for image in images {
        host.mydocker(["image", "rm", image]).assert().success();
    }
}

fn seen_in(host: &Host, image: &str) -> String {
    let assert = host.mydocker(["run", "--image", image, "sh", "-c", LOOK]).assert().success();
    String::from_utf8_lossy(&assert.get_output().stdout).into_owned()
}

#[test]
fn an_image_is_what_its_container_was() {
    let host = host();
    let seen = kept(&host, "c1", &format!("{CHANGES}\n{LOOK}"));
    assert!(seen.contains("/usr/new"), "{seen}");
    host.mydocker(["commit", "c1", "greeter"]).assert().success();
    assert_eq!(seen_in(&host, "greeter"), seen);

    // The same when it has been an archive meanwhile.
    let archives = [("docker", host.path("docker.tar")), ("oci", host.path("oci.tar"))];
    for (format, archive) in &archives {
        let file = archive.to_str().expect("UTF-8");
        let export = ["image", "export", "--format", format, "greeter", file];
        host.mydocker(export).assert().success().stdout("").stderr("");
        let twice = host.mydocker(["image", "export", "--format", format, "greeter", "-"]);
        let twice = { twice }.assert().success().get_output().stdout.clone();
        assert!(fs::read(archive).expect("an archive") == twice, "other bytes");
        host.mydocker(["image", "import", format, file]).assert().success().stderr("");
        assert_eq!(seen_in(&host, format), seen);
    }
    clear(&host, &["docker", "oci", "greeter"]);
}

#[test]
fn layers_are_shared_and_the_containers_own_files_no_part_of_them() {
    let host = host();
    kept(&host, "c1", "echo 1 >/one; echo own >/etc/hosts; rm /etc/mtab");
    host.mydocker(["commit", "c1", "one"]).assert().success();
    let layers = host.images().join("one/layers");
    assert_eq!(
        layers.join("00").read_link().expect("a link"),
        Path::new("../../busybox/layers/00")
    );
    assert_eq!(tree::tree(&layers.join("01")), "0755 /\n0755 /etc/\n0644 /one  \"1\\n\"\n");

    // A second one on it links to where the layers are.
    let run = ["run", "--keep", "--name", "c2", "--image", "one", "sh", "-c", "echo 2 >/two"];
    host.mydocker(run).assert().success();
    host.mydocker(["commit", "c2", "two"]).assert().success();
    let layers = host.images().join("two/layers");
    assert_eq!(
        layers.join("00").read_link().expect("a link"),
        Path::new("../../busybox/layers/00")
    );
    assert_eq!(layers.join("01").read_link().expect("a link"), Path::new("../../one/layers/01"));
    let both = ["run", "--image", "two", "cat", "/one", "/two"];
    host.mydocker(both).assert().success().stdout("1\n2\n");

    host.mydocker(["prune", "--kept"]).assert().success();
    let refused = host.mydocker(["image", "rm", "busybox"]).assert().code(125).stdout("");
    refused.stderr(predicate::str::contains("share its layers: one, two"));
    clear(&host, &["two", "one"]);
}

#[test]
fn a_container_that_runs_can_be_committed_and_goes_on() {
    let host = host();
    let running = host.start("alive", &[], "echo 1 >/one; echo ready; read end; cat /one");
    host.mydocker(["commit", "alive", "new"]).assert().success();
    let output = running.finish();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "1\n");
    host.mydocker(["run", "--image", "new", "cat", "/one"]).assert().success().stdout("1\n");
    let again = host.mydocker(["commit", "alive", "new2"]).assert().code(125).stdout("");
    again.stderr(predicate::str::contains("there is no container \"alive\""));
    clear(&host, &["new"]);
}

#[test]
fn an_image_that_exists_is_not_replaced() {
    let host = host();
    kept(&host, "c1", "echo 1 >/one");
    let taken = host.mydocker(["commit", "c1", "busybox"]).assert().code(125).stdout("");
    taken.stderr(predicate::str::contains("there is an image \"busybox\" already"));
    clear(&host, &[]);
}

#[test]
fn pause_needs_a_group_and_says_so() {
    let host = host();
    let running = host.start("alive", &[], "echo ready; read end");
    let refused = host.mydocker(["commit", "--pause", "alive", "new"]).assert().code(125);
    refused.stderr(predicate::str::contains("no control group with a freezer"));
    running.finish();
}

#[cfg_attr(not(can_cgroups), ignore = "needs root and control groups")]
#[cfg_attr(not(can_strace), ignore = "needs strace")]
#[test]
fn a_paused_container_goes_on_whatever_becomes_of_the_commit() {
    let host = host();
    let script = "echo ready; while read x; do echo $x; done";
    let mut running = host.start("c1", &["--pids-limit", "max"], script);
    host.mydocker(["commit", "--pause", "c1", "new"]).assert().success();
    // Killed while the container stands still: at its first file.
    let again = ["commit", "--pause", "c1", "new2"];
    let output = killed_at(&host, &[], "mkdirat,symlink,symlinkat", 1, &again);
    assert!(!output.status.success());
    std::io::Write::write_all(running.child.stdin.as_mut().expect("a pipe"), b"on\n").expect("it");
    assert_eq!(running.read_line(), "on\n");
    running.finish();
    host.mydocker(["prune"]).assert().success();
    clear(&host, &["new"]);
}

/// Whatever a commit does when it is killed: the container is as it was, and there is
/// a whole image or none.
#[rstest]
#[case::mkdir("/^mkdir(at)?$", 6)]
#[case::symlink("/^symlink(at)?$", 2)]
#[case::open("/^openat2?$", 60)]
#[case::write("write", 3)]
#[case::rename("/^renameat2?$", 1)]
#[case::mknod("/^mknod(at)?$", 2)]
#[case::attributes("utimensat", 6)]
#[cfg_attr(not(can_strace), ignore = "needs strace")]
fn a_killed_commit_leaves_no_half_image(#[case] calls: &str, #[case] at_most: usize) {
    let host = host();
    // The test itself could not look into that.
    kept(&host, "c1", &CHANGES.replace("mkdir -m 0 /closed", "true"));
    let before = tree::exact(&host.container("c1/write-layer"));
    for number in 1..=at_most {
        let output = killed_at(&host, &[], calls, number, &["commit", "c1", "new"]);
        let is_there = host.images().join("new").exists();
        if output.status.success() {
            assert!(is_there && number > 1, "no {calls} is called: {output:?}");
        }
        if is_there {
            host.mydocker(["run", "--image", "new", "cat", "/greeting"]).assert().success();
            host.mydocker(["image", "rm", "new"]).assert().success();
        }
        host.mydocker(["prune"]).assert().success();
        let left = fs::read_dir(host.images()).expect("the images").count();
        assert_eq!(left, 1, "{calls} {number}: something is left");
        assert_eq!(
            tree::exact(&host.container("c1/write-layer")),
            before,
            "the container has changed"
        );
        if output.status.success() {
            break;
        }
    }
    clear(&host, &[]);
}

/// The container exchanges a folder with a link to the host's files, again and again.
#[test]
fn no_link_of_a_running_container_leads_a_commit_outside() {
    let host = host();
    let outside = host.path("outside");
    fs::create_dir(&outside).expect("a folder");
    fs::write(outside.join("secret"), "the host's").expect("a file");
    let script = format!(
        "mkdir /d; echo >/d/secret; echo ready
         while ! read -t 0 x; do mv /d /e; ln -s {0} /d; rm /d; mv /e /d; done",
        outside.display()
    );
    let running = host.start("races", &[], &script);
    for number in 0..8 {
        let name = format!("n{number}");
        host.mydocker(["commit", "races", &name]).assert().success();
        let found = Command::new("grep").args(["-rl", "the host's"]).arg(host.images()).output();
        let found = found.expect("grep runs");
        assert_eq!(String::from_utf8_lossy(&found.stdout), "");
        host.mydocker(["image", "rm", &name]).assert().success();
    }
    kill(running.pid(), Signal::SIGKILL).expect("it is there");
    running.wait();
    wait_until("nothing is left", || {
        host.mydocker(["prune"]).assert().success();
        host.containers().is_empty()
    });
}

#[cfg_attr(not(can_root), ignore = "needs root: umoci gives owners away")]
#[test]
fn umoci_unpacks_what_is_exported() {
    if Command::new("umoci").arg("--version").output().is_err() {
        eprintln!("ignored: there is no umoci");
        return;
    }
    let host = host();
    kept(&host, "c1", CHANGES);
    host.mydocker(["commit", "c1", "new"]).assert().success();
    let layout = host.path("layout");
    fs::create_dir(&layout).expect("a folder");
    let archive = host.mydocker(["image", "export", "--format", "oci", "new", "-"]);
    let archive = { archive }.assert().success().get_output().stdout.clone();
    tar::Archive::new(&archive[..]).unpack(&layout).expect("a tar");
    let mut umoci = Command::new("umoci");
    umoci.args(["unpack", "--image"]).arg(format!("{}:latest", layout.display()));
    let output = umoci.arg(host.path("bundle")).output().expect("umoci runs");
    assert!(output.status.success(), "{output:?}");
    let rootfs = host.path("bundle/rootfs");
    assert_eq!(fs::read_to_string(rootfs.join("greeting")).expect("a file"), "hello\n");
    assert!(!rootfs.join("etc/group").exists(), "it is deleted");
    assert_eq!(fs::read_dir(rootfs.join("usr")).expect("a folder").count(), 1, "it is opaque");
    clear(&host, &["new"]);
}
