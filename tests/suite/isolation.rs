//! What a container may do, and what it gets from whoever started it.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use harness::host::{Host, Running, patience};
use harness::image_tar::Image;
use harness::mounts::who;
use nix::sys::statvfs::{FsFlags, statvfs};
use rstest::rstest;

use crate::{PROGRAM, host};

const WAIT: &str = "echo ready && read end";

/// CHOWN, DAC_OVERRIDE, FOWNER, FSETID, KILL, SETGID, SETUID, SETPCAP,
/// NET_BIND_SERVICE, NET_RAW, SYS_CHROOT, MKNOD, AUDIT_WRITE, SETFCAP.
const DOCKERS_CAPABILITIES: &str = "00000000a80425fb";

#[test]
fn capabilities_are_dockers() {
    let host = host();
    let running = host.start("c1", &[], WAIT);
    let none = "0000000000000000";
    for (set, expected) in [
        ("CapEff", DOCKERS_CAPABILITIES),
        ("CapPrm", DOCKERS_CAPABILITIES),
        ("CapBnd", DOCKERS_CAPABILITIES),
        ("CapInh", none),
        ("CapAmb", none),
    ] {
        assert_eq!(status(&running, set), expected, "{set}");
    }
    running.finish();
}

#[test]
fn privileged_keeps_all_capabilities() {
    let host = host();
    let running = host.start("c1", &["--privileged"], WAIT);
    let all = match who() {
        // Root can give what it has itself: less than all in some sandboxes.
        "root" => status_of("thread-self", "CapBnd"),
        _ => {
            let last = fs::read_to_string("/proc/sys/kernel/cap_last_cap").expect("a number");
            let last: u32 = last.trim().parse().expect("a number");
            format!("{:016x}", (1u64 << (last + 1)) - 1)
        }
    };
    assert_eq!(status(&running, "CapEff"), all);
    assert_eq!(status(&running, "CapBnd"), all);
    running.finish();
}

#[test]
fn no_program_can_gain_privileges() {
    let host = host();
    let running = host.start("c1", &[], WAIT);
    assert_eq!(status(&running, "NoNewPrivs"), "1");
    running.finish();
}

#[test]
fn a_filter_refuses_what_gets_a_container_further() {
    let host = host();
    let running = host.start("c1", &[], WAIT);
    assert_eq!(status(&running, "Seccomp"), "2");
    running.finish();
    for command in ["unshare -U true", "unshare -m true", "mount -t tmpfs none /tmp", "hostname x"]
    {
        let script = format!("{command} 2>/dev/null && echo done");
        host.mydocker(["run", "sh", "-c", &script]).assert().failure().stdout("");
    }
    let running = host.start("c2", &["--privileged"], WAIT);
    assert_eq!(status(&running, "Seccomp"), status_of("thread-self", "Seccomp"));
    running.finish();
}

#[cfg_attr(not(can_cgroups), ignore = "needs root and control groups")]
#[test]
fn its_control_group_is_the_topmost_one_that_it_can_name() {
    let host = host();
    let name = format!("top-{}", std::process::id());
    let run = ["run", "--name", &name, "--pids-limit", "20", "cat", "/proc/self/cgroup"];
    let output = host.mydocker(run).output().expect("mydocker starts");
    let groups = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(!groups.contains("mydocker"), "{groups}");
}

#[test]
fn the_umask_is_022_whatever_the_callers_is() {
    let host = host();
    let running = start_from(&host, &["sh", "-c", r#"umask 077; exec "$0" "$@""#]);
    assert_eq!(status(&running, "Umask"), "0022");
    running.finish();
}

#[test]
fn no_descriptor_but_the_standard_streams_is_open() {
    let host = host();
    let opened = r#"exec 3</ 9</etc/passwd 200>/dev/null; exec "$0" "$@""#;
    // dash knows no descriptor above 9.
    let running = start_from(&host, &["bash", "-c", opened]);
    let caller = descriptors(running.pid());
    assert!(caller.is_superset(&[3, 9, 200].into()), "a vain test: {caller:?}");
    assert_eq!(descriptors(running.pid1()), [0, 1, 2].into());
    running.finish();
}

#[test]
fn no_signal_is_blocked_or_ignored_whatever_the_caller_did() {
    let host = host();
    // Not a shell: it ignores some signals itself.
    // With SIGCHLD ignored, it might wait for ever.
    let run = assert_cmd::Command::new("env")
        .args(["--ignore-signal", "--block-signal", PROGRAM, "run", "cat", "/proc/self/status"])
        .env("MYDOCKER_ROOT", host.root())
        .timeout(patience())
        .assert()
        .success();
    let status = String::from_utf8_lossy(&run.get_output().stdout);
    let set = |name| u64::from_str_radix(field(&status, name), 16).expect("a set of signals");
    assert_eq!(set("SigBlk"), 0);
    // Not even the C library's own two, which are ignored in all that it spawns.
    assert_eq!(set("SigIgn"), 0);
}

#[test]
fn the_host_name_is_the_containers_own() {
    let host = host();
    let ours = fs::read_to_string("/proc/sys/kernel/hostname").expect("a name");
    let run = ["run", "--hostname", "kontainer", "cat", "/proc/sys/kernel/hostname"];
    host.mydocker(run).assert().success().stdout("kontainer\n");
    let after = fs::read_to_string("/proc/sys/kernel/hostname").expect("a name");
    assert_eq!(after, ours);
}

#[rstest]
#[case::none("none", &["uts", "ipc", "mnt", "pid", "net"])]
#[case::host("host", &["uts", "ipc", "mnt", "pid"])]
fn the_container_has_namespaces_of_its_own(#[case] network: &str, #[case] own: &[&str]) {
    let host = host();
    let running = host.start("c1", &["--net", network], WAIT);
    let namespace = |process: &str, name: &str| {
        fs::read_link(format!("/proc/{process}/ns/{name}")).expect("a namespace")
    };
    let pid = running.pid1().to_string();
    for name in ["uts", "ipc", "mnt", "pid", "net", "user"] {
        let expected = own.contains(&name) || name == "user" && who() == "user";
        let differs = namespace(&pid, name) != namespace("thread-self", name);
        assert_eq!(differs, expected, "{name}");
    }
    running.finish();
}

#[test]
fn the_loopback_is_up() {
    let host = host();
    let output = host.mydocker(["run", "cat", "/sys/class/net/lo/flags"]).assert().success();
    let flags = String::from_utf8_lossy(&output.get_output().stdout).into_owned();
    let flags = u32::from_str_radix(flags.trim().trim_start_matches("0x"), 16).expect("flags");
    let up = 1;
    assert_eq!(flags & up, up);
}

#[test]
fn the_command_gets_these_variables_and_no_others() {
    let host = host();
    Image::on_busybox().env("FROM_IMAGE=a=b").env("PATH=/bin").import(&host, "with-env", &[]);
    let run = ["run", "--name", "c1", "--image", "with-env"];
    let variables = ["-e", "GIVEN=c d", "-e", "PASSED_ON", "-e", "NOT_SET"];
    let mut command = host.mydocker(run);
    command.env("PASSED_ON", "e").env("SECRET", "f");
    let output = command.args(variables).args(["cat", "/proc/self/environ"]).assert().success();
    let environment = String::from_utf8_lossy(&output.get_output().stdout).into_owned();
    let environment: BTreeSet<&str> = environment.split_terminator('\0').collect();
    let expected =
        ["FROM_IMAGE=a=b", "GIVEN=c d", "HOME=/root", "HOSTNAME=c1", "PASSED_ON=e", "PATH=/bin"];
    assert_eq!(environment, expected.into());
}

/// The classic way out of a chroot: keep a folder outside of it open, and go up.
/// It leads to the root of the mount namespace, so that must be the container's.
#[test]
fn a_chroot_breakout_ends_at_the_containers_root() {
    let host = host();
    let canary = host.path("canary");
    fs::write(&canary, "").expect("a canary");
    let escape = format!(
        "mkdir /jail && mount -o bind / /jail && mount -t proc proc /jail/proc &&
         exec 9</ && exec chroot /jail sh -c '
         cd -P /proc/self/fd/9/ && for i in 1 2 3 4 5 6 7 8 9; do cd -P ..; done
         chroot . test -d jail && echo outside of the jail
         chroot . test -e {} && echo outside of the container
         true'",
        canary.display()
    );
    let run = ["run", "--privileged", "sh", "-c", &escape];
    host.mydocker(run).assert().success().stdout("outside of the jail\n");
}

#[test]
fn parts_of_proc_and_sys_that_docker_masks_are_empty() {
    let host = host();
    let running = host.start("c1", &[], WAIT);
    for path in existing(&[
        "/proc/acpi",
        "/proc/asound",
        "/proc/interrupts",
        "/proc/kcore",
        "/proc/keys",
        "/proc/latency_stats",
        "/proc/sched_debug",
        "/proc/scsi",
        "/proc/timer_list",
        "/proc/timer_stats",
        "/sys/devices/virtual/powercap",
        "/sys/firmware",
        "/sys/fs/selinux",
        "/sys/kernel/security",
    ]) {
        let inside = inside(&running, &path);
        let metadata = inside.metadata().expect("it is still there");
        if metadata.is_dir() {
            assert_eq!(fs::read_dir(&inside).expect("a folder").count(), 0, "{path:?}");
        } else {
            let null = nix::sys::stat::makedev(1, 3);
            assert!(metadata.file_type().is_char_device(), "{path:?}");
            assert_eq!(metadata.rdev(), null, "{path:?}");
        }
    }
    running.finish();
}

#[test]
fn parts_of_proc_that_docker_protects_are_read_only() {
    let host = host();
    let running = host.start("c1", &[], WAIT);
    let protected =
        ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger", "/sys"];
    for path in existing(&protected) {
        assert!(is_read_only(&running, &path), "{path:?}");
    }
    running.finish();
}

#[rstest]
#[case::kernel_settings("/proc/sys/kernel/hostname")]
#[case::sys("/sys/class/net/lo/mtu")]
fn a_write_is_refused_to(#[case] path: &str) {
    let host = host();
    let open_for_writing = format!(": >>{path}");
    // A user may not write to most of them in the first place.
    let error = predicates::str::is_match("Read-only file system|Permission denied");
    let error = error.expect("a regex");
    let run = ["run", "sh", "-c", &open_for_writing];
    host.mydocker(run).assert().failure().stderr(error);
}

#[test]
fn the_hosts_sys_is_read_only_on_the_hosts_network() {
    let host = host();
    let running = host.start("c1", &["--net", "host"], WAIT);
    let table = mydocker_kernel::mountinfo::MountTable::read_of(running.pid1().as_raw());
    for mount in table.expect("its mount table").mounts {
        let writable = mount.options.split(',').any(|option| option == "rw");
        // A file mask is our own /dev/null.
        let below_sys = mount.mount_point.starts_with("/sys") && mount.root == Path::new("/");
        assert!(!(below_sys && writable), "{mount:?}");
    }
    running.finish();
}

#[test]
fn privileged_may_write_to_proc_and_sys() {
    let host = host();
    let running = host.start("c1", &["--privileged"], WAIT);
    for path in ["/proc/sys", "/sys"] {
        assert!(!is_read_only(&running, Path::new(path)), "{path}");
    }
    running.finish();
}

/// Starts a container called c1; `caller` is a command that executes the rest.
fn start_from(host: &Host, caller: &[&str]) -> Running {
    let child = Command::new(caller[0])
        .args(&caller[1..])
        .args([PROGRAM, "run", "-i", "--name", "c1", "sh", "-c", WAIT])
        .env("MYDOCKER_ROOT", host.root())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("mydocker starts");
    let mut running = Running { child };
    assert_eq!(running.read_line(), "ready\n");
    running
}

/// A field of the status of the container's PID 1.
fn status(running: &Running, field: &str) -> String {
    status_of(&running.pid1().to_string(), field)
}

fn status_of(process: &str, field: &str) -> String {
    let status = fs::read_to_string(format!("/proc/{process}/status")).expect("its status");
    self::field(&status, field).to_owned()
}

fn field<'a>(status: &'a str, name: &str) -> &'a str {
    let value = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(":\t"));
    value.expect("a known field")
}

fn descriptors(pid: nix::unistd::Pid) -> BTreeSet<u32> {
    fs::read_dir(format!("/proc/{pid}/fd"))
        .expect("its descriptors")
        .map(|entry| entry.expect("an entry").file_name())
        .map(|name| name.to_str().expect("a number").parse().expect("a number"))
        .collect()
}

/// Those that this kernel has.
fn existing(paths: &[&str]) -> Vec<PathBuf> {
    let there: Vec<_> = paths.iter().map(PathBuf::from).filter(|path| path.exists()).collect();
    assert!(!there.is_empty(), "a vain test");
    there
}

fn inside(running: &Running, path: &Path) -> PathBuf {
    PathBuf::from(format!("/proc/{}/root{}", running.pid1(), path.display()))
}

fn is_read_only(running: &Running, path: &Path) -> bool {
    let flags = statvfs(&inside(running, path)).expect("a file system").flags();
    flags.contains(FsFlags::ST_RDONLY)
}
