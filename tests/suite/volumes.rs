//! Folders and files of the host in the container.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use harness::host::{Host, Running};
use harness::image_tar::{Image, Layer};
use harness::mounts::HostMount;
use harness::tree::{exact, tree};
use mydocker_kernel::mountinfo::MountTable;
use nix::fcntl::{AT_FDCWD, RenameFlags, renameat2};
use predicates::str::contains;
use rstest::rstest;

use crate::host;

const WAIT: &str = "echo ready && read end";

#[test]
fn a_folder_of_the_host_is_read_and_written() {
    let host = host();
    let folder = folder(&host, "volume");
    let script = "cat /data/file && echo new >/data/new";
    run(&host, &[&format!("{folder}:/data")], script).success().stdout("old\n");
    assert_eq!(fs::read_to_string(host.path("volume/new")).expect("a file"), "new\n");
}

#[test]
fn a_file_of_the_host_is_read_and_written() {
    let host = host();
    let folder = folder(&host, "volume");
    let script = "cat /file && echo more >>/file";
    run(&host, &[&format!("{folder}/file:/file")], script).success().stdout("old\n");
    assert_eq!(fs::read_to_string(host.path("volume/file")).expect("a file"), "old\nmore\n");
}

#[rstest]
#[case::folder("VOLUME:/data:ro", "echo new >/data/file || touch /data/new")]
#[case::file("VOLUME/file:/file:ro", "echo new >/file")]
fn a_read_only_volume_refuses_writes(#[case] volume: &str, #[case] script: &str) {
    let host = host();
    let folder = folder(&host, "volume");
    let before = exact(Path::new(&folder));
    let volume = volume.replace("VOLUME", &folder);
    run(&host, &[&volume], script).failure().stderr(contains("Read-only file system"));
    assert_eq!(exact(Path::new(&folder)), before);
}

#[test]
fn the_container_cannot_make_a_read_only_volume_writable() {
    let host = host();
    let folder = folder(&host, "volume");
    let script = "mount -o remount,bind,rw /data && echo new >/data/file";
    run(&host, &[&format!("{folder}:/data:ro")], script).failure();
    assert_eq!(fs::read_to_string(host.path("volume/file")).expect("a file"), "old\n");
}

#[test]
#[cfg_attr(not(can_root), ignore = "needs root: mounts on the host")]
fn read_only_holds_for_what_is_mounted_below_the_volume() {
    let host = host();
    let folder = folder(&host, "volume");
    let below = HostMount::tmpfs(host.path("volume/below"));
    let deeper = HostMount::tmpfs(host.path("volume/below/deeper"));
    for path in ["/data/below/new", "/data/below/deeper/new"] {
        run(&host, &[&format!("{folder}:/data:ro")], &format!("touch {path}"))
            .failure()
            .stderr(contains("Read-only file system"));
    }
    // On the host it is as it was.
    fs::write(host.path("volume/below/deeper/new"), "").expect("a new file");
    drop((deeper, below));
}

#[test]
#[cfg_attr(not(can_root), ignore = "needs root: mounts on the host")]
fn what_is_mounted_below_the_volume_stays_mounted_on_the_host() {
    let host = host();
    let folder = folder(&host, "volume");
    let below = HostMount::tmpfs(host.path("volume/below"));
    fs::write(host.path("volume/below/file"), "kept\n").expect("a new file");
    let script = "cat /data/below/file";
    run(&host, &[&format!("{folder}:/data")], script).success().stdout("kept\n");
    assert_eq!(fs::read_to_string(host.path("volume/below/file")).expect("a file"), "kept\n");
    drop(below);
}

/// The mistake that hurts most: deleting the workspace through the volume.
#[rstest]
#[case::alone(&["VOLUME:/data"])]
#[case::twice(&["VOLUME:/data", "VOLUME:/data2"])]
#[case::one_in_the_other(&["VOLUME:/data", "VOLUME/sub:/data/sub"])]
#[case::on_a_folder_of_the_image(&["VOLUME:/root"])]
#[case::on_tmp(&["VOLUME:/tmp"])]
#[case::file(&["VOLUME/file:/data/file"])]
#[case::read_only(&["VOLUME:/data:ro"])]
fn a_volume_is_the_same_after_the_run(
    #[case] volumes: &[&str],
    #[values(&[], &["--keep"])] options: &[&str],
) {
    let host = host();
    let folder = folder(&host, "volume");
    let before = exact(Path::new(&folder));
    let volumes: Vec<String> = volumes.iter().map(|v| v.replace("VOLUME", &folder)).collect();
    let volumes = volumes.iter().flat_map(|volume| ["-v", volume]);
    let arguments = ["run"].into_iter().chain(options.iter().copied()).chain(volumes);
    host.mydocker(arguments.chain(["true"])).assert().success();
    host.mydocker(["prune", "--kept"]).assert().success();
    assert_eq!(exact(Path::new(&folder)), before);
}

#[test]
fn a_missing_target_is_made_in_the_write_layer() {
    let host = host();
    let folder = folder(&host, "volume");
    let volumes = [format!("{folder}:/new/folder"), format!("{folder}/file:/also/new/file")];
    let running = host.start("c1", &["-v", &volumes[0], "-v", &volumes[1]], WAIT);
    let written = tree(&host.container("c1/write-layer")).replace("/  opaque", "/");
    let expected = "0755 /\n0755 /also/\n0755 /also/new/\n0644 /also/new/file  \"\"\n\
                    0755 /new/\n0755 /new/folder/\n";
    assert_eq!(written, expected);
    running.finish();
}

#[rstest]
#[case::absolute("CANARY", "/link")]
#[case::up_and_out("../../../../../../../../../..CANARY", "/link")]
#[case::below_it("CANARY", "/link/sub")]
fn a_link_in_the_image_does_not_lead_the_target_out(#[case] link: &str, #[case] target: &str) {
    let host = host();
    let canary = folder(&host, "canary");
    let before = exact(Path::new(&canary));
    let folder = folder(&host, "volume");
    // The path exists in the image too, so that the link leads somewhere.
    let layer = Layer::new()
        .file(&format!("{}/file", &canary[1..]), 0o644, "of the image\n")
        .symlink("link", link.replace("CANARY", &canary));
    Image::on_busybox().layer(layer).import(&host, "fixture", &[]);

    let volume = format!("{folder}:{target}");
    let running = host.start("c1", &["--image", "fixture", "-v", &volume], WAIT);
    let inside = target.replace("/link", &canary);
    assert!(table_of(&running).at(Path::new(&inside)).is_some(), "{}", table_of(&running));
    let on_host = MountTable::read().expect("the mount table");
    assert!(on_host.below(Path::new(&canary)).is_empty(), "{on_host}");
    running.finish();
    assert_eq!(exact(Path::new(&canary)), before);
}

#[test]
fn a_link_in_the_image_that_leads_nowhere_is_refused() {
    let host = host();
    let folder = folder(&host, "volume");
    let layer = Layer::new().symlink("link", "/nowhere");
    Image::on_busybox().layer(layer).import(&host, "fixture", &[]);
    let volume = format!("{folder}:/link");
    host.mydocker(["run", "--image", "fixture", "-v", &volume, "true"])
        .assert()
        .code(125)
        .stderr(contains("/link"));
}

#[test]
fn a_link_on_the_host_is_followed() {
    let host = host();
    folder(&host, "volume");
    std::os::unix::fs::symlink("volume", host.path("link")).expect("a link");
    let volume = format!("{}:/data", host.path("link").display());
    run(&host, &[&volume], "cat /data/file").success().stdout("old\n");
}

#[rstest]
#[case::blank("a volume")]
#[case::comma("a,volume")]
#[case::backslash(r"a\volume\")]
#[case::line_feed("a\nvolume")]
#[case::like_an_escape(r"a\040volume")]
#[case::quotes("a\"volume'")]
#[case::not_ascii("卷-ß")]
fn a_volume_may_be_called(#[case] name: &str) {
    let host = host();
    let folder = folder(&host, name);
    for option in ["", ":ro"] {
        let volume = format!("{folder}:/{name}{option}");
        let run = ["run", "-v", &volume, "cat", &format!("/{name}/file")];
        host.mydocker(run).assert().success().stdout("old\n");
    }
}

#[rstest]
#[case::dot("./volume")]
#[case::plain("volume")]
#[case::up("volume/../volume")]
fn a_relative_path_begins_at_the_working_directory(#[case] path: &str) {
    let host = host();
    folder(&host, "volume");
    host.mydocker(["run", "-v", &format!("{path}:/data"), "cat", "/data/file"])
        .current_dir(host.path(""))
        .assert()
        .success()
        .stdout("old\n");
}

#[test]
fn a_missing_path_on_the_host_is_named_and_nothing_is_made() {
    let host = host();
    let missing = host.path("missing");
    let volume = format!("{}:/data", missing.display());
    run(&host, &[&volume], "true").code(125).stderr(contains(missing.to_str().expect("UTF-8")));
    assert!(!missing.exists());
}

#[rstest]
#[case::folder_on_file("VOLUME:/etc/passwd")]
#[case::file_on_folder("VOLUME/file:/etc")]
#[case::below_a_file("VOLUME:/etc/passwd/below")]
fn a_folder_and_a_file_do_not_go_together(#[case] volume: &str) {
    let host = host();
    let folder = folder(&host, "volume");
    run(&host, &[&volume.replace("VOLUME", &folder)], "true").code(125);
}

#[test]
fn a_volume_can_take_the_place_of_a_file_of_the_init_layer() {
    let host = host();
    let file = host.path("hosts");
    fs::write(&file, "10.0.0.1 elsewhere\n").expect("a file");
    let volume = format!("{}:/etc/hosts", file.display());
    run(&host, &[&volume], "cat /etc/hosts").success().stdout("10.0.0.1 elsewhere\n");
}

#[rstest]
#[case::whole_root("/tmp:/", "root")]
#[case::root_by_another_name("/tmp:/./", "root")]
#[case::relative_target("/tmp:data", "no absolute path")]
#[case::up("/tmp:/../data", "no absolute path")]
#[case::up_inside("/tmp:/data/../..", "no absolute path")]
#[case::four_parts("/tmp:/data:ro:z", "two or three parts")]
#[case::one_part("/tmp", "two or three parts")]
#[case::unknown_option("/tmp:/data:rx", "rx")]
#[case::no_host_path(":/data", "is no volume")]
#[case::no_target("/tmp:", "no absolute path")]
#[case::nothing("", "two or three parts")]
fn this_is_no_volume(#[case] volume: &str, #[case] reason: &'static str) {
    run(&host(), &[volume], "true").code(125).stderr(contains(reason));
}

/// A new folder on the host with something in it.
fn folder(host: &Host, name: &str) -> String {
    let folder = host.path(name);
    fs::create_dir_all(folder.join("sub/empty")).expect("folders");
    fs::write(folder.join("file"), "old\n").expect("a file");
    fs::write(folder.join("sub/file"), "deep\n").expect("a file");
    let folder = folder.canonicalize().expect("the folder");
    folder.to_str().expect("a path in UTF-8").to_owned()
}

fn run(host: &Host, volumes: &[&str], script: &str) -> assert_cmd::assert::Assert {
    let volumes = volumes.iter().flat_map(|volume| ["-v", volume]);
    let command = ["sh", "-c", script];
    host.mydocker(["run"].into_iter().chain(volumes).chain(command)).assert()
}

fn table_of(running: &Running) -> MountTable {
    MountTable::read_of(running.pid1().as_raw()).expect("the container's mount table")
}

#[rstest]
#[case::twice(&["VOLUME:/data", "VOLUME/sub:/data"], "would cover another volume, at /data")]
#[case::twice_by_a_link(&["VOLUME:/data", "VOLUME/sub:/to-data"], "would cover another volume")]
#[case::on_the_root_by_a_link(&["VOLUME:/to-root"], "leads to /")]
#[case::on_null_by_a_link(&["VOLUME/file:/to-null"], "would cover /dev/null")]
#[case::on_null(&["VOLUME/file:/dev/null"], "would cover /dev/null")]
#[case::on_the_console(&["VOLUME/file:/dev/pts/ptmx"], "would cover /dev/pts/ptmx")]
#[case::below_proc_by_a_link(&["VOLUME:/to-proc/1"], "would cover /proc/1")]
#[case::a_folder_on_a_file(&["VOLUME:/etc/passwd"], "a file is there, and no directory")]
#[case::a_file_on_a_folder(&["VOLUME/file:/etc"], "the volume is a file, and /etc a directory")]
#[case::a_folder_on_a_dangling_link(&["VOLUME:/dangling"], "a link that leads nowhere")]
#[case::a_file_on_a_dangling_link(&["VOLUME/file:/dangling"], "a link that leads nowhere")]
fn a_target_that_cannot_be_is_refused(#[case] volumes: &[&str], #[case] why: &str) {
    let host = host();
    let folder = folder(&host, "volume");
    let before = exact(Path::new(&folder));
    let layer = Layer::new()
        .symlink("to-data", "/data")
        .symlink("to-root", "..")
        .symlink("to-null", "/dev/null")
        .symlink("to-proc", "proc")
        .symlink("dangling", "/no/such/place");
    Image::on_busybox().layer(layer).import(&host, "fixture", &[]);
    let volumes: Vec<String> = volumes.iter().map(|v| v.replace("VOLUME", &folder)).collect();
    let volumes = volumes.iter().flat_map(|volume| ["-v", volume]);
    let arguments = ["run", "--image", "fixture"].into_iter().chain(volumes);
    host.mydocker(arguments.chain(["true"])).assert().code(125).stderr(contains(why));
    assert_eq!(exact(Path::new(&folder)), before);
}

/// Whatever the order on the command line.
#[rstest]
fn a_volume_in_another_ones_folder_is_seen(
    #[values([0, 1, 2], [2, 1, 0], [1, 2, 0])] order: [usize; 3],
) {
    let host = host();
    let folders = ["a", "b", "c"].map(|name| folder(&host, name));
    for folder in &folders {
        fs::create_dir_all(format!("{folder}/sub/sub")).expect("folders to mount on");
        fs::write(format!("{folder}/name"), folder).expect("a file");
    }
    let targets = ["/data", "/data/sub", "/data/sub/sub"];
    let volumes = order.map(|index| format!("{}:{}", folders[index], targets[index]));
    let volumes: Vec<&str> = volumes.iter().map(String::as_str).collect();
    let script = "cat /data/name /data/sub/name /data/sub/sub/name";
    run(&host, &volumes, script).success().stdout(folders.concat());
}

/// Where a link leads can change between any two calls: another container with
/// the same volume exchanges a folder of it with one, all the time.
#[test]
fn a_link_that_comes_and_goes_leads_no_volume_over_the_kernels_own() {
    let host = host();
    let shared = folder(&host, "shared");
    let other = folder(&host, "other");
    fs::create_dir_all(format!("{shared}/a/dev")).expect("a folder to mount on");
    std::os::unix::fs::symlink("/", format!("{shared}/b")).expect("a link");
    fs::write(format!("{other}/null"), "").expect("a file");
    let ended = AtomicBool::new(false);
    let outcomes = thread::scope(|scope| {
        scope.spawn(|| {
            let (a, b) = (format!("{shared}/a"), format!("{shared}/b"));
            while !ended.load(Ordering::Relaxed) {
                let flags = RenameFlags::RENAME_EXCHANGE;
                renameat2(AT_FDCWD, a.as_str(), AT_FDCWD, b.as_str(), flags).expect("an exchange");
            }
        });
        let volumes = [format!("{shared}:/shared"), format!("{other}:/shared/a/dev")];
        let start = |_| {
            let arguments = ["run", "-v", &volumes[0], "-v", &volumes[1]];
            let script = "test -c /dev/null && ! test -s /proc/timer_list && echo fine";
            let mut run = host.mydocker(arguments.into_iter().chain(["sh", "-c", script]));
            let output = run.output().expect("mydocker starts");
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            (String::from_utf8_lossy(&output.stdout).into_owned(), said)
        };
        let outcomes: Vec<(String, String)> = (0..40).map(start).collect();
        ended.store(true, Ordering::Relaxed);
        outcomes
    });
    for (seen, said) in outcomes {
        assert!(seen == "fine\n" || said.contains("is refused"), "{seen}{said}");
    }
}
