//! Images that are not as a runtime would like them, by accident or design.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use harness::host::{Host, Running};
use harness::image_tar::{Image, Layer};
use harness::mounts::who;
use harness::tree::exact;
use mydocker_kernel::mountinfo::MountTable;
use mydocker_kernel::sys::open_in_root;
use nix::fcntl::{OFlag, readlinkat};
use predicates::str::contains;
use rstest::rstest;

use crate::host;

const WAIT: &str = "echo ready && read end";

/// Where an image would like its files to lead: `CANARY` is a folder of the
/// host, and the image has one of the same path.
#[rstest]
fn a_link_in_place_of_a_folder_leads_nowhere_outside(
    #[values("etc", "proc", "dev", "sys", "tmp")] name: &str,
    #[values("CANARY", "../../../../../../../../..CANARY", "CANARY/missing", "usr", "LOOP")]
    target: &str,
) {
    let host = host();
    let canary = canary(&host);
    let before = exact(&canary);
    let path = canary.to_str().expect("a path in UTF-8");
    let target = target.replace("CANARY", path).replace("LOOP", name);
    Image::on_busybox()
        .layer(Layer::new().file(&format!("{}/of-the-image", &path[1..]), 0o644, ""))
        .layer(Layer::new().symlink(name, target))
        .import(&host, "hostile", &[]);

    let running = start(&host);
    assert_usual_mounts(&running);
    assert_etc_is_right(&running);
    let on_host = MountTable::read().expect("the mount table");
    assert!(on_host.below(&canary).is_empty(), "{on_host}");
    running.finish();
    assert_eq!(exact(&canary), before);
}

#[rstest]
fn a_link_in_place_of_a_file_of_etc_is_covered_and_not_followed(
    #[values("hosts", "hostname", "resolv.conf", "mtab")] name: &str,
    #[values("CANARY/file", "../../../../../../../../../..CANARY/file", "/bin/busybox", "LOOP")]
    target: &str,
) {
    let host = host();
    let canary = canary(&host);
    let before = exact(&canary);
    let target = target.replace("CANARY", canary.to_str().expect("UTF-8")).replace("LOOP", name);
    let layer = Layer::new().symlink(&format!("etc/{name}"), target);
    Image::on_busybox().layer(layer).import(&host, "hostile", &[]);

    let running = start(&host);
    assert_etc_is_right(&running);
    running.finish();
    assert_eq!(exact(&canary), before);
}

#[rstest]
fn a_file_in_place_of_a_folder_is_covered(#[values("etc", "proc", "dev", "sys")] name: &str) {
    let host = host();
    let layer = Layer::new().file(name, 0o644, "a file\n");
    Image::on_busybox().layer(layer).import(&host, "hostile", &[]);
    let running = start(&host);
    assert_usual_mounts(&running);
    assert_etc_is_right(&running);
    running.finish();
}

#[test]
fn missing_folders_are_made() {
    let host = host();
    let layer = Layer::new().whiteout("etc").whiteout("proc").whiteout("dev").whiteout("sys");
    Image::on_busybox().layer(layer.whiteout("tmp")).import(&host, "hostile", &[]);
    let running = start(&host);
    assert_usual_mounts(&running);
    assert_etc_is_right(&running);
    running.finish();
}

#[test]
fn folders_in_place_of_the_files_of_etc_are_covered() {
    let host = host();
    let layer = Layer::new().file("etc/hosts/a", 0o644, "").file("etc/mtab/a", 0o644, "");
    Image::on_busybox().layer(layer).import(&host, "hostile", &[]);
    let running = start(&host);
    assert_etc_is_right(&running);
    running.finish();
}

/// The runtime has folders of the host open, and an image may name one of them by
/// its number: what is in /proc/self/fd leads there whatever the root is.
#[rstest]
fn a_working_directory_never_leads_outside(#[values(false, true)] traced: bool) {
    let host = host();
    let layer = (3..20).fold(Layer::new(), |layer, number| {
        layer.symlink(&format!("fd-{number}"), format!("/proc/self/fd/{number}"))
    });
    Image::on_busybox().layer(layer).import(&host, "hostile", &[]);
    let trace = format!("--trace={}", host.path("trace").display());
    for number in 3..20 {
        let directory = format!("/fd-{number}");
        let mut words = vec!["run", "--image", "hostile", "-w", &directory, "true"];
        if traced {
            words.insert(1, &trace);
        }
        host.mydocker(&words).assert().code(125);
    }
}

#[rstest]
fn a_link_leads_no_volume_over_what_is_the_kernels(
    #[values("/dev", "/proc", "/proc/sys", "/sys", "/proc/self/../sys")] target: &str,
) {
    let host = host();
    let layer = Layer::new().symlink("data", target);
    Image::on_busybox().layer(layer).import(&host, "hostile", &[]);
    let volume = format!("{}:/data", canary(&host).display());
    host.mydocker(["run", "--image", "hostile", "-v", &volume, "true"])
        .assert()
        .code(125)
        .stderr(contains("which is the kernel's"));
}

#[rstest]
#[case::symlink(Layer::new().symlink("dev/null", "/etc/passwd"))]
#[case::file(Layer::new().file("dev/null", 0o666, "not a device\n"))]
#[case::folder(Layer::new().folder("dev/null", 0o755))]
fn what_the_image_has_in_dev_does_not_count(#[case] layer: Layer) {
    let host = host();
    Image::on_busybox().layer(layer).import(&host, "hostile", &[]);
    let running = start(&host);
    let null = inside(&running, "/dev/null").symlink_metadata().expect("a device");
    assert_eq!(null.rdev(), nix::sys::stat::makedev(1, 3));
    running.finish();
}

#[rstest]
fn the_root_has_the_images_mode(#[values(0o555, 0o700, 0o755, 0o1777)] mode: u32) {
    let host = host();
    let layer = Layer::new().folder(".", mode);
    Image::on_busybox().layer(layer).import(&host, "hostile", &[]);
    let running = start(&host);
    assert_eq!(inside(&running, "/").metadata().expect("the root").mode() & 0o7777, mode);
    running.finish();
}

#[rstest]
#[case::etc("etc", 0o711)]
#[case::closed_etc("etc", 0o700)]
#[case::open_etc("etc", 0o1777)]
#[case::etc_elsewhere("usr/etc", 0o750)]
fn etc_keeps_the_images_mode_and_owner(#[case] real: &str, #[case] mode: u32) {
    let host = host();
    let mut layer = Layer::new();
    if real != "etc" {
        layer = layer.symlink("etc", real);
    }
    let layer = layer.owned_by(3, 4).folder(real, mode);
    Image::on_busybox().layer(layer).import(&host, "hostile", &[]);
    let running = start(&host);
    let etc = inside(&running, &format!("/{real}")).metadata().expect("a folder");
    assert_eq!(etc.mode() & 0o7777, mode);
    if who() == "root" {
        assert_eq!((etc.uid(), etc.gid()), (3, 4));
    }
    assert_etc_is_right(&running);
    running.finish();
}

/// The trees of some distributions are read-only, and some files of attackers'
/// closed: root is not bound by that, and in the container even a user is root.
#[rstest]
fn folders_that_are_closed_to_their_owner_are_no_obstacle(
    #[values("etc", "usr", ".")] closed: &str,
    #[values(0o000, 0o444, 0o555)] mode: u32,
    #[values(false, true)] is_linked: bool,
) {
    let host = host();
    let mut layer = Layer::new().file("usr/etc/note", 0o644, "");
    if is_linked {
        layer = layer.symlink("etc", "usr/etc");
    }
    if !(is_linked && closed == "etc") {
        layer = layer.folder(closed, mode);
    }
    Image::on_busybox().layer(layer).import(&host, "hostile", &[]);
    let script = format!("cat /etc/hostname && stat -c %a /{closed} && readlink /etc/mtab");
    let mode = if is_linked && closed == "etc" { 0o777 } else { mode };
    host.mydocker(["run", "--image", "hostile", "--name", "c1", "sh", "-c", &script])
        .assert()
        .success()
        .stdout(format!("c1\n{mode:o}\n/proc/mounts\n"));
}

#[rstest]
#[case::relative("usr/etc")]
#[case::absolute("/usr/etc")]
#[case::up_and_back("../../usr/etc")]
#[case::through_another("other")]
fn a_link_for_etc_that_stays_inside_is_followed(#[case] target: &str) {
    let host = host();
    let layer = Layer::new()
        .file("usr/etc/note", 0o644, "of the image\n")
        .symlink("other", "usr/etc")
        .symlink("etc", target);
    Image::on_busybox().layer(layer).import(&host, "hostile", &[]);
    let run = ["run", "--image", "hostile", "--name", "c1", "cat", "/etc/note", "/etc/hostname"];
    host.mydocker(run).assert().success().stdout("of the image\nc1\n");
}

#[test]
fn an_image_without_a_shell_runs_what_it_has() {
    let host = host();
    let layer = Layer::new().whiteout("bin/sh");
    Image::on_busybox().layer(layer).import(&host, "hostile", &[]);
    let run = ["run", "--image", "hostile"];
    host.mydocker(run).args(["echo", "hi"]).assert().success().stdout("hi\n");
    host.mydocker(run).args(["sh"]).assert().code(127).stderr(contains("\"sh\""));
    host.mydocker(run).args(["/bin/sh"]).assert().code(127).stderr(contains("/bin/sh"));
}

#[test]
fn an_empty_image_has_nothing_to_run() {
    let host = host();
    let layer = Layer::new().folder(".", 0o755).opaque(".");
    Image::on_busybox().layer(layer).import(&host, "hostile", &[]);
    host.mydocker(["run", "--image", "hostile", "/bin/sh"]).assert().code(127);
}

#[test]
fn folders_of_thousands_of_files_are_read_changed_and_deleted() {
    let host = host();
    let count = 5000;
    let layer = (0..count)
        .fold(Layer::new(), |layer, number| layer.file(&format!("many/{number}"), 0o644, ""));
    Image::on_busybox().layer(layer).import(&host, "hostile", &[]);
    let script = format!(
        "cd /many && ls | wc -l && rm -r /many && mkdir /many && cd /many &&
         seq {count} | xargs touch && ls | wc -l"
    );
    host.mydocker(["run", "--image", "hostile", "sh", "-c", &script])
        .assert()
        .success()
        .stdout(format!("{count}\n{count}\n"));
}

#[test]
fn a_folder_as_deep_as_it_gets_is_deleted_with_the_container() {
    let script = "i=0; while [ $i -lt 600 ]; do mkdir d && cd d || exit 1; i=$((i+1)); done";
    host().mydocker(["run", "sh", "-c", script]).assert().success();
}

#[test]
fn closed_folders_and_strange_names_are_deleted_with_the_container() {
    let script = r"mkdir -p closed/inner && echo x >closed/inner/file && chmod 0 closed/inner closed
        touch -- '-rf' 'a b' 'new
line' '*' '.hidden' && mkfifo fifo && ln -s / link && ln -s /proc link2";
    host().mydocker(["run", "sh", "-c", script]).assert().success();
}

/// A folder on the host that nobody may touch.
fn canary(host: &Host) -> PathBuf {
    let canary = host.path("canary");
    fs::create_dir(&canary).expect("a folder");
    fs::write(canary.join("file"), "untouched\n").expect("a file");
    canary.canonicalize().expect("the folder")
}

/// A container called c1 of the image `hostile`.
fn start(host: &Host) -> Running {
    host.start("c1", &["--image", "hostile"], WAIT)
}

fn assert_usual_mounts(running: &Running) {
    let table = MountTable::read_of(running.pid1().as_raw()).expect("its mount table");
    for (path, fs_type) in [("/proc", "proc"), ("/sys", "sysfs"), ("/dev", "tmpfs")] {
        let mount = table.at(Path::new(path));
        assert_eq!(mount.map(|mount| mount.fs_type.as_str()), Some(fs_type), "{path}: {table}");
    }
}

/// As the container sees it, links followed from its own root.
fn assert_etc_is_right(running: &Running) {
    let root = fs::File::open(inside(running, "/")).expect("its root");
    let open = |path: &str, flags| open_in_root(&root, Path::new(path), flags).expect(path);
    let read = |path| {
        let file = fs::File::from(open(path, OFlag::O_RDONLY));
        std::io::read_to_string(file).expect("a text")
    };
    assert!(read("etc/hosts").contains("\tc1\n"), "{}", read("etc/hosts"));
    assert_eq!(read("etc/hostname"), "c1\n");
    assert_eq!(read("etc/resolv.conf"), fs::read_to_string("/etc/resolv.conf").unwrap_or_default());
    let mtab = open("etc/mtab", OFlag::O_PATH | OFlag::O_NOFOLLOW);
    assert_eq!(readlinkat(mtab, "").expect("a link"), "/proc/mounts");
}

fn inside(running: &Running, path: &str) -> PathBuf {
    format!("/proc/{}/root{path}", running.pid1()).into()
}
