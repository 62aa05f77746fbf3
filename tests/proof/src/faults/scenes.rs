//! The commands that calls are made to fail in.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use harness::image_tar::{Image, Layer};
use harness::tree;

use super::strace::Who;
use crate::ground::{Ground, has_limits};

/// A command, what goes before it, and what it makes.
#[derive(Debug)]
pub struct Scene {
    /// Its name in the report.
    pub name: &'static str,
    /// Whose calls fail, as far as this user may trace them.
    pub processes: fn() -> &'static [Who],
    /// What must be there first.
    pub prepare: fn(&Ground),
    /// The command.
    pub command: fn(&Ground) -> Command,
    /// What it has made: all of it, or nothing, which is the empty text.
    pub made: fn(&Ground) -> String,
}

/// Commands on what is there before.
pub const SCENES: [Scene; 4] = [
    Scene {
        name: "run",
        processes: || &[Who::Parent, Who::Keeper, Who::Child],
        prepare: |_| {},
        command: |ground| run(ground, &[]),
        made: |_| String::new(),
    },
    Scene {
        name: "run -t",
        processes: || &[Who::Parent, Who::Child],
        prepare: |_| {},
        command: |ground| run(ground, &["-t"]),
        made: |_| String::new(),
    },
    Scene {
        name: "image import",
        processes: || &[Who::Parent],
        prepare: write_archive,
        command: import,
        made: imported,
    },
    Scene {
        name: "prune",
        processes: || &[Who::Parent],
        prepare: leave_things_over,
        command: |ground| ground.command(["prune"]),
        made: |_| String::new(),
    },
];

/// Prints all that a container has, so that nothing can be missing unnoticed.
const SHOW_ALL: &str = r#"
    cat /proc/self/mounts /proc/self/cgroup /etc/hostname /etc/hosts /etc/resolv.conf;
    hostname; id; env; pwd; umask; tty; ls /proc/self/fd; cat /sys/class/net/lo/flags;
    grep -E '^(Cap|Sig[BIC]|NoNewPrivs)' /proc/self/status;
    stat -c '%A %u %n %t:%T' / /dev /dev/* /proc /sys /etc /etc/* /volume /volume/*;
    cat /cgroup/*/mydocker-*-$PROOF/memory.*limit_in_bytes /cgroup/*/mydocker-*-$PROOF/pids.max
        /cgroup/mydocker-*-$PROOF/memory.max /cgroup/mydocker-*-$PROOF/pids.max 2>/dev/null;
    echo >/file; exit 7
"#;

/// With a volume; as root with limits too, and the control groups to be seen.
fn run(ground: &Ground, options: &[&str]) -> Command {
    let mut command = ground.command(["run", "--name", &ground.name, "-v", &ground.volume()]);
    command.args(["-e", &format!("PROOF={}", ground.name)]).args(options);
    if has_limits() {
        command.args(["-m", "100m", "--pids-limit", "50", "-v", "/sys/fs/cgroup:/cgroup:ro"]);
    }
    command.args(["sh", "-c", &on_one_line(SHOW_ALL)]);
    command
}

/// For the reader of a report.
pub fn on_one_line(script: &str) -> String {
    script.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn archive(ground: &Ground) -> PathBuf {
    ground.host.path("archive.tar")
}

/// Every kind of entry, and what a layer can do to the one below.
fn write_archive(ground: &Ground) {
    let path = archive(ground);
    if path.exists() {
        return;
    }
    let bottom = Layer::new()
        .folder("etc", 0o755)
        .file("etc/passwd", 0o644, "root:x:0:0::/:/bin/sh\n")
        .file("etc/empty", 0o600, "")
        .hard_link("etc/passwd-", "etc/passwd")
        .symlink("etc/mtab", "/proc/mounts")
        .folder("tmp", 0o1777)
        .folder("closed", 0o500)
        .file("closed/file", 0o400, "closed");
    let top = Layer::new()
        .whiteout("etc/empty")
        .opaque("tmp")
        .xattr("user.colour", "blue")
        .file("tmp/new", 0o4755, "new")
        .owned_by(1, 1)
        .file("etc/passwd", 0o640, "nobody\n");
    fs::write(path, Image::of(bottom).layer(top).archive()).expect("an archive");
}

fn import(ground: &Ground) -> Command {
    let archive = archive(ground);
    ground.command(["image", "import", "imported", archive.to_str().expect("a path in UTF-8")])
}

/// Describes the image, and removes it.
pub fn imported(ground: &Ground) -> String {
    let folder = ground.host.images().join("imported");
    if !folder.exists() {
        return String::new();
    }
    let json = fs::read_to_string(folder.join("image.json")).unwrap_or_default();
    let json = json.lines().filter(|line| !line.contains("\"imported\":")).collect::<String>();
    let seen = tree::tree(&folder) + &json;
    let removed = ground.command(["image", "rm", "imported"]).output().expect("mydocker starts");
    if removed.status.success() { seen } else { format!("cannot be removed: {removed:?}") }
}

/// A container that was killed when it had ended, and half an image.
fn leave_things_over(ground: &Ground) {
    let run = run(ground, &[]);
    let mut strace = Command::new("strace");
    strace.args(["-qq", "-o", "/dev/null"]);
    if has_limits() {
        // At the removal of its groups: the last process has gone, its mounts have
        // not. There is no rmdir(2) on every processor.
        strace
            .args(ground.own_groups().iter().flat_map(|group| ["-P".as_ref(), group.as_os_str()]));
        strace.args(["-e", "inject=?rmdir,?unlinkat:signal=SIGKILL:when=1"]);
    } else {
        strace.args(["-e", "inject=openat2:signal=SIGKILL:when=1"]);
    }
    strace.arg(run.get_program()).args(run.get_args());
    strace.env_clear().envs(run.get_envs().filter_map(|(name, value)| Some((name, value?))));
    strace.output().expect("strace: scripts/install-tools");
    assert_eq!(ground.host.containers().len(), 1, "nothing is left over");

    let half = ground.host.images().join(".import-abcdef/layers/00");
    fs::create_dir_all(&half).expect("half an image");
    fs::write(half.join("file"), "half").expect("half an image");
}
