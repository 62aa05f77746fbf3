//! What is mounted, in the container and on the host.

use std::path::Path;

use harness::host::{Host, Running};
use harness::mounts::{self, HostMount, normalise, who};
use mydocker_kernel::mountinfo::{Mount, MountTable};
use rstest::{Context, rstest};

use crate::host;

const WAIT: &str = "echo ready && read end";

#[rstest]
#[case::plain(&[])]
#[case::host_network(&["--net", "host"])]
#[case::volumes(&["-v", "VOLUME:/data", "-v", "VOLUME:/data-ro:ro"])]
fn the_container_has_exactly_these_mounts(#[context] context: Context, #[case] options: &[&str]) {
    let case = context.description.expect("a case");
    let host = host();
    let mut table = table_inside(&host, options);
    // Which masks there are is up to the kernel: see isolation.rs. And on the
    // host's network only root can mount a /sys, others get the host's.
    table.mounts.retain(|mount| match mount.mount_point.strip_prefix("/sys") {
        Ok(below) => below == Path::new("") && (case != "host_network" || who() == "root"),
        Err(_) => mount.mount_point.parent() != Some(Path::new("/proc")),
    });
    insta::assert_snapshot!(format!("{case}_{}", who()), in_words(&host, &table));
}

#[test]
fn a_privileged_container_has_no_masks() {
    let host = host();
    let table = table_inside(&host, &["--privileged"]);
    insta::assert_snapshot!(format!("privileged_{}", who()), in_words(&host, &table));
}

#[test]
fn the_host_sees_mnt_come_and_go_and_nothing_else() {
    let host = host();
    let before = MountTable::read().expect("the mount table");
    let running = host.start("c1", &[], WAIT);
    let during = MountTable::read().expect("the mount table");
    running.finish();
    let after = MountTable::read().expect("the mount table");
    let root = host.root().canonicalize().expect("the root folder");
    let names = [(root.as_path(), "ROOT")];
    let story = format!(
        "once it runs:\n{}when it has ended:\n{}",
        mounts::changes(&before, &during, &names),
        mounts::changes(&during, &after, &names),
    );
    insta::assert_snapshot!(format!("host_{}", who()), story);
}

#[test]
fn the_hosts_mounts_stay_in_their_peer_groups() {
    let host = host();
    let before = MountTable::read().expect("the mount table");
    let running = host.start("c1", &[], WAIT);
    let during = MountTable::read().expect("the mount table");
    for mount in &before.mounts {
        assert!(during.mounts.contains(mount), "{mount:?} is not as it was");
    }
    running.finish();
}

#[test]
fn no_file_of_the_host_can_be_reached() {
    let host = host();
    let canary = host.path("canary");
    std::fs::write(&canary, "").expect("a canary");
    let running = host.start("c1", &[], WAIT);
    let root = format!("/proc/{}/root", running.pid1());
    for folder in ["", "/..", "/../../..", "/.pivot_root", "/.old_root", "/oldroot", "/mnt"] {
        let there = format!("{root}{folder}{}", canary.display());
        assert!(!Path::new(&there).exists(), "{there}");
    }
    running.finish();
}

#[test]
fn no_folder_for_the_old_root_is_left_in_the_container() {
    let host = host();
    let running = host.start("c1", &[], WAIT);
    let written = harness::tree::tree(&host.container("c1/write-layer"));
    assert_eq!(written.lines().count(), 1, "more than the root itself: {written}");
    running.finish();
}

#[test]
fn no_mount_of_the_hosts_disks_is_left_in_the_container() {
    let host = host();
    let disks: Vec<String> = ["/", "/tmp", host.root().to_str().expect("UTF-8")]
        .iter()
        .filter_map(|path| holding(Path::new(path)))
        .map(|mount| mount.device)
        .collect();
    let running = host.start("c1", &[], WAIT);
    for mount in table_of(&running).mounts {
        assert!(!disks.contains(&mount.device), "{mount:?}");
    }
    running.finish();
}

#[test]
fn every_mount_in_the_container_is_private() {
    let host = host();
    let volume = format!("{}:/data", host.path("").display());
    let running = host.start("c1", &["-v", &volume], WAIT);
    assert_all_private(&table_of(&running));
    running.finish();
}

#[test]
#[cfg_attr(not(can_root), ignore = "needs root: mounts on the host")]
fn shared_mounts_below_a_volume_are_private_in_the_container() {
    let host = host();
    let folder = HostMount::tmpfs(host.path("tree"));
    let sub = HostMount::tmpfs(host.path("tree/sub"));
    let shared = MountTable::read().expect("the mount table");
    assert!(shared.at(&host.path("tree/sub")).expect("a mount").is_shared(), "a vain test");
    let volume = format!("{}:/data", host.path("tree").display());
    let running = host.start("c1", &["-v", &volume], WAIT);
    let table = table_of(&running);
    assert!(table.at(Path::new("/data/sub")).is_some(), "{table}");
    assert_all_private(&table);
    running.finish();
    drop((sub, folder));
}

#[test]
fn a_mount_made_in_the_container_does_not_reach_the_host() {
    let host = host();
    std::fs::create_dir_all(host.path("volume/sub")).expect("a folder");
    let volume = format!("{}:/data", host.path("volume").display());
    let before = MountTable::read().expect("the mount table");
    let script =
        format!("mkdir /new && mount -t tmpfs a /new && mount -t tmpfs b /data/sub && {WAIT}");
    let running = host.start("c1", &["--privileged", "-v", &volume], &script);
    let inside = table_of(&running);
    for path in ["/new", "/data/sub"] {
        assert!(inside.at(Path::new(path)).is_some(), "a vain test: {inside}");
    }
    let during = MountTable::read().expect("the mount table");
    let mnt = usize::from(nix::unistd::geteuid().is_root());
    assert_eq!(during.mounts.len(), before.mounts.len() + mnt, "{during}");
    running.finish();
}

#[test]
#[cfg_attr(not(can_root), ignore = "needs root: mounts on the host")]
fn a_mount_made_on_the_host_does_not_reach_the_container() {
    let host = host();
    let folder = HostMount::tmpfs(host.path("volume"));
    let volume = format!("{}:/data", host.path("volume").display());
    let running = host.start("c1", &["-v", &volume], WAIT);
    let before = table_of(&running);
    let late = HostMount::tmpfs(host.path("volume/late"));
    assert_eq!(table_of(&running), before);
    running.finish();
    drop((late, folder));
}

#[test]
fn proc_is_the_containers_own() {
    let host = host();
    let running = host.start("c1", &[], WAIT);
    let proc = format!("/proc/{}/root/proc", running.pid1());
    let entries = std::fs::read_dir(&proc).expect("the container's /proc");
    let processes: Vec<_> = entries
        .map(|entry| entry.expect("an entry").file_name().into_string().expect("UTF-8"))
        .filter(|name| name.bytes().all(|byte| byte.is_ascii_digit()))
        .collect();
    assert_eq!(processes, ["1"], "the only process is the command itself");
    let command = std::fs::read(format!("{proc}/1/cmdline")).expect("a command line");
    assert_eq!(command, format!("sh\0-c\0{WAIT}\0").as_bytes());
    running.finish();
}

/// The table as the container itself reads it.
fn table_inside(host: &Host, options: &[&str]) -> MountTable {
    let volume = host.path("volume");
    std::fs::create_dir(&volume).expect("a folder");
    let volume = volume.to_str().expect("a path in UTF-8");
    let options = options.iter().map(|option| option.replace("VOLUME", volume));
    let arguments = ["run", "--name", "c1"].map(str::to_owned).into_iter().chain(options);
    let command = ["cat", "/proc/self/mountinfo"].map(str::to_owned);
    let run = host.mydocker(arguments.chain(command)).assert().success();
    MountTable::parse(&run.get_output().stdout).expect("a mount table")
}

fn in_words(host: &Host, table: &MountTable) -> String {
    let root = host.root().canonicalize().expect("the root folder");
    normalise(table, &[(&root, "ROOT")])
}

fn table_of(running: &Running) -> MountTable {
    MountTable::read_of(running.pid1().as_raw()).expect("the container's mount table")
}

fn assert_all_private(table: &MountTable) {
    for mount in &table.mounts {
        assert!(mount.optional_fields.is_empty(), "{mount:?}");
    }
}

fn holding(path: &Path) -> Option<Mount> {
    let path = path.canonicalize().expect("a folder");
    MountTable::read().expect("the mount table").holding(&path).cloned()
}
