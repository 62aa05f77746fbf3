//! A system call fails that hardly ever does. `proof/src/faults.rs` tries all
//! of them; these are those that once did harm.

use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use harness::host::{Host, Running, places_of_group};
use harness::image_tar::{Image, Layer};
use rstest::rstest;

use crate::host;

/// `mydocker` and the container with calls changed: `faults` are for strace.
fn with_faults(host: &Host, faults: &[&str], arguments: &[&str]) -> Output {
    let command = host.command();
    let mut strace = Command::new("strace");
    strace.args(["-f", "-qq", "-o", "/dev/null"]).args(faults);
    strace.arg(command.get_program()).args(arguments).env("MYDOCKER_ROOT", host.root());
    strace.stdin(Stdio::null()).output().expect("strace is there: scripts/install-tools")
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn refused(output: &Output, call_and_errno: &str) {
    assert_eq!(output.status.code(), Some(125), "{output:?}");
    assert!(said(output).contains(call_and_errno), "{output:?}");
}

fn path(host: &Host, name: &str) -> String {
    host.root().join(name).to_str().expect("a path in UTF-8").to_owned()
}

fn started(host: &Host) -> Running {
    host.start("alive", &["--keep"], "touch /file; echo ready; read end; ls /file")
}

#[cfg_attr(not(can_strace), ignore = "needs strace")]
#[test]
fn a_container_whose_lock_cannot_be_opened_is_not_pruned() {
    let host = host();
    let running = started(&host);
    let lock = path(&host, "containers/alive/lock");
    let faults = ["-P", &lock, "-e", "inject=openat:error=EMFILE"];
    refused(&with_faults(&host, &faults, &["prune", "--kept"]), "=> EMFILE");
    assert_eq!(running.finish().stdout, b"/file\n", "it was disturbed");
    host.mydocker(["prune", "--kept"]).assert().success();
}

#[cfg_attr(not(can_strace), ignore = "needs strace")]
#[test]
fn a_kept_container_whose_record_cannot_be_read_is_not_pruned() {
    let host = host();
    started(&host).finish();
    let lock = path(&host, "containers/alive/lock");
    let faults = ["-P", &lock, "-e", "inject=read:error=EIO"];
    refused(&with_faults(&host, &faults, &["prune"]), "=> EIO");
    assert!(host.container("alive/write-layer/file").exists(), "what was kept is gone");
    host.mydocker(["prune", "--kept"]).assert().success();
}

/// Somebody has a page of it in hand just now: whoever moves pages in memory.
#[cfg_attr(not(can_strace), ignore = "needs strace")]
#[test]
fn a_copy_of_the_program_that_is_busy_is_sealed_later() {
    let host = host();
    let running = host.start("alive", &[], "echo ready; read end");
    let faults = ["-P", "/memfd:mydocker", "-e", "inject=fcntl:error=EBUSY:when=1..2"];
    let output = with_faults(&host, &faults, &["exec", "alive", "echo", "it runs"]);
    running.finish();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "it runs\n", "{output:?}");
}

/// As before Linux 5.10.
#[cfg_attr(not(can_strace), ignore = "needs strace")]
#[test]
fn an_overlay_that_cannot_be_volatile_is_mounted_all_the_same() {
    let host = host();
    let mnt = path(&host, "containers/alive/mnt");
    let faults = ["-P", &mnt, "-e", "inject=mount:error=EINVAL:when=1"];
    let run = ["run", "--name", "alive", "sh", "-c", "echo new >/file; cat /file"];
    let output = with_faults(&host, &faults, &run);
    assert_eq!(String::from_utf8_lossy(&output.stdout), "new\n", "{output:?}");
}

/// The folder of the container is what tells `prune` of the group.
#[cfg_attr(not(can_cgroups), ignore = "needs root and control groups")]
#[cfg_attr(not(can_strace), ignore = "needs strace")]
#[test]
fn a_group_that_could_not_be_removed_is_removed_by_prune() {
    let host = host();
    let run = ["run", "--name", "c1", "--pids-limit", "20", "true"];
    host.mydocker(run).assert().success();
    // There is no rmdir(2) on every processor.
    let mut faults = vec!["-e", "inject=?rmdir,?unlinkat:error=EPERM"];
    let places = places_of_group(host.root(), "c1");
    for place in &places {
        faults.extend(["-P", place.to_str().expect("a path in UTF-8")]);
    }
    refused(&with_faults(&host, &faults, &run), "=> EPERM");
    host.mydocker(["prune"]).assert().success().stdout("container c1\n");
    host.mydocker(run).assert().success();
}

/// The container goes on deleting while `diff` reads.
#[cfg_attr(not(can_strace), ignore = "needs strace")]
#[rstest]
#[case::a_file("?statx,?newfstatat,?fstatat64")]
#[case::a_directory("openat")]
fn what_is_gone_when_diff_comes_to_it_is_no_change(#[case] call: &str) {
    let host = host();
    let script = "mkdir -p /made/here && touch /made/here/file; echo ready; read end";
    let running = host.start("alive", &[], script);
    let folder = path(&host, "containers/alive/write-layer/made/here");
    let inject = format!("inject={call}:error=ENOENT");
    let output = with_faults(&host, &["-P", &folder, "-e", &inject], &["diff", "alive"]);
    running.finish();
    let changes = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && changes.contains("A /made\n"), "{output:?}");
    assert!(!changes.contains("/made/here/file"), "a vain test: {output:?}");
}

#[cfg_attr(not(can_strace), ignore = "needs strace")]
#[rstest]
#[case(&["diff", "kept"])]
#[case(&["commit", "kept", "made"])]
fn a_mark_that_cannot_be_read_is_not_taken_for_none(#[case] command: &[&str]) {
    let host = host();
    let script = "rm -r /etc && mkdir /etc";
    host.mydocker(["run", "--keep", "--name", "kept", "sh", "-c", script]).assert().success();
    let output = with_faults(&host, &["-e", "inject=lgetxattr:error=EIO"], command);
    refused(&output, "EIO");
    assert!(!host.images().join("made").exists());
    host.mydocker(["rm", "kept"]).assert().success();
}

#[cfg_attr(not(can_strace), ignore = "needs strace")]
#[test]
fn what_cannot_be_looked_at_is_not_left_unmasked() {
    let host = host();
    let faults = ["-P", "/proc/timer_list", "-e", "inject=openat2:error=EIO"];
    let output = with_faults(&host, &faults, &["run", "true"]);
    refused(&output, r#"openat2("/proc/timer_list") => EIO"#);
}

#[cfg_attr(not(can_strace), ignore = "needs strace")]
#[test]
fn no_capability_is_kept_because_it_could_not_be_dropped() {
    let host = host();
    let faults = ["-e", "inject=prctl:error=EINVAL:when=9"];
    refused(&with_faults(&host, &faults, &["run", "true"]), "prctl(PR_CAPBSET_DROP) => EINVAL");
}

/// Whichever file of it cannot be opened.
#[cfg_attr(not(can_strace), ignore = "needs strace")]
#[test]
fn an_image_archive_is_never_taken_for_an_archive_of_files() {
    let host = host();
    let archive = host.path("image.tar");
    let image = Image::of(Layer::new().file("file", 0o644, "content"));
    fs::write(&archive, image.archive()).expect("an archive");
    let import = ["image", "import", "new", archive.to_str().expect("a path in UTF-8")];
    for number in 1.. {
        let fault = format!("inject=openat2:error=ENOMEM:when={number}");
        let output = with_faults(&host, &["-e", &fault], &import);
        if output.status.success() {
            assert!(number > 1, "no openat2 is called");
            break;
        }
        refused(&output, "=> ENOMEM");
        assert!(!host.images().join("new").exists(), "half an image");
    }
    let files = |name: &str| fs::read_dir(host.images().join(name)).expect("a folder").count();
    assert_eq!(files("new/layers"), 1);
    assert!(Path::new(&path(&host, "images/new/layers/00/file")).exists(), "it is no image");
    host.mydocker(["image", "rm", "new"]).assert().success();
}

#[cfg_attr(not(can_strace), ignore = "needs strace")]
#[test]
fn a_container_that_is_killed_before_it_may_go_on_is_no_broken_pipe() {
    let host = host();
    // The container's first call. The parent's first is the death of its child
    // at the latest when it says: go.
    let output =
        with_faults(&host, &["-e", "inject=prctl:signal=SIGKILL:when=1"], &["run", "true"]);
    assert_eq!(output.status.code(), Some(137), "{output:?}");
    assert_eq!(said(&output), "");
}

/// No strace is needed: /dev/full is a full disk.
#[test]
fn a_complaint_that_cannot_be_written_leaves_the_exit_code() {
    let full = fs::File::options().write(true).open("/dev/full").expect("/dev/full");
    let mut run = host().command();
    let status = run.args(["run", "--image", "nope", "true"]).stderr(full).status();
    assert_eq!(status.expect("mydocker starts").code(), Some(125));
}

#[test]
fn output_that_cannot_be_written_is_told_of() {
    let host = host();
    let full = fs::File::options().write(true).open("/dev/full").expect("/dev/full");
    let mut run = host.command();
    run.args(["run", "-t", "sh", "-c", "echo lost; exit 3"]).stdin(Stdio::null());
    let output = run.stdout(full).stderr(Stdio::piped()).output().expect("mydocker starts");
    refused(&output, "the command ended with 3, but write(stdout) => ENOSPC");
}
