//! The ground that an attempt is made on, and whether it is as it was before.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use harness::busybox::busybox_tar;
use harness::host::{Host, hierarchies, patience, places_of_group};
use harness::tree;
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, geteuid};

use crate::Proof;

/// How long a process that has no memory any more, and so cannot be recognised
/// as ours, may still hold a lock.
const LAST_MOMENT: Duration = Duration::from_secs(1);

/// A host, an image and a volume, and how they were in the beginning.
#[derive(Debug)]
pub struct Ground {
    /// The host: its mounts, and the folder of images and containers.
    pub host: Host,
    /// No other container on this machine has a name that begins so.
    pub name: String,
    image: String,
    volume: String,
    cgroups: Vec<PathBuf>,
}

impl Ground {
    /// A fresh one, for this thread alone.
    ///
    /// # Panics
    /// It cannot be made.
    pub fn new(proof: &Proof) -> Ground {
        let host = Host::new(proof.program.to_str().expect("a path in UTF-8"));
        let folder = host.root().parent().and_then(|folder| folder.file_name());
        let name = folder.expect("a folder's name").to_string_lossy().into_owned();
        fs::create_dir(host.path("volume")).expect("a volume");
        fs::write(host.path("volume/canary"), "sings").expect("a canary");
        Ground {
            image: tree::stamps(&host.images().join("busybox")),
            volume: tree::exact(&host.path("volume")),
            cgroups: hierarchies(),
            name,
            host,
        }
    }

    /// The value of `-v` for the volume.
    pub fn volume(&self) -> String {
        format!("{}:/volume", self.host.path("volume").display())
    }

    /// Lets ordinary users enter the host's folder, which is root's alone.
    ///
    /// # Panics
    /// Another user than its owner calls this.
    pub fn let_users_in(&self) {
        let mode = fs::Permissions::from_mode(0o755);
        fs::set_permissions(self.host.path(""), mode).expect("its owner");
    }

    /// Runs `prune` until no process of a killed container keeps anything, and
    /// then compares everything with how it was.
    ///
    /// # Errors
    /// `prune` fails, or something has changed: what.
    pub fn check_after_prune(&self) -> Result<(), String> {
        let mut deadline = Instant::now() + patience();
        loop {
            if self.processes().is_empty() {
                deadline = deadline.min(Instant::now() + LAST_MOMENT);
            }
            let said = self.command(["prune"]).output().expect("mydocker starts");
            if !said.status.success() {
                return Err(format!("prune afterwards: {said:?}"));
            }
            match self.check() {
                Err(_) if Instant::now() < deadline => {
                    std::thread::sleep(Duration::from_millis(2));
                }
                other => return other,
            }
        }
    }

    /// Compares everything with how it was.
    ///
    /// # Errors
    /// What has changed.
    pub fn check(&self) -> Result<(), String> {
        let mut changes = self.host.mount_changes();
        changes.extend(self.unexpected_folders());
        changes.extend(self.processes());
        changes.extend(self.groups());
        if tree::stamps(&self.host.images().join("busybox")) != self.image {
            changes.push("the image has changed".into());
        }
        if tree::exact(&self.host.path("volume")) != self.volume {
            changes.push("the volume has changed".into());
        }
        if changes.is_empty() { Ok(()) } else { Err(changes.join("\n")) }
    }

    /// The last check, in which also the content of the image is compared.
    pub fn finish(self) -> Option<String> {
        self.check().err()
    }

    /// Takes away what a broken promise has left on the machine.
    pub fn abandon(self) {
        self.kill_processes();
        for group in self.group_folders() {
            let _ = fs::remove_dir(group);
        }
        // Its host would complain again.
        std::mem::forget(self);
    }

    /// The archive of busybox, where all users may read it: that of the checkout may
    /// be in somebody's closed home.
    ///
    /// # Panics
    /// Another user than its owner calls this.
    pub fn archive_for_all(&self) -> PathBuf {
        self.let_users_in();
        let copy = self.host.path("busybox.tar");
        if !copy.exists() {
            fs::copy(busybox_tar(), &copy).expect("a copy");
            fs::set_permissions(&copy, fs::Permissions::from_mode(0o644)).expect("its owner");
        }
        copy
    }

    /// Runs `mydocker` as another user, whose images and containers are in `root`.
    ///
    /// # Panics
    /// Another user than root calls this.
    pub fn mydocker_as(
        &self,
        user: u32,
        root: &Path,
        arguments: impl IntoIterator<Item = impl AsRef<OsStr>>,
    ) -> Output {
        let ours = self.command([]);
        let mut command = Command::new("setpriv");
        command.args([format!("--reuid={user}"), format!("--regid={user}")]);
        command.arg("--clear-groups").arg(ours.get_program()).args(arguments).env_clear();
        command.env("MYDOCKER_ROOT", root).env("PATH", "/usr/bin:/bin");
        command.stdin(Stdio::null()).output().expect("setpriv starts")
    }

    /// `mydocker` with these arguments.
    pub fn command<const N: usize>(&self, arguments: [&str; N]) -> Command {
        let mut command = self.host.command();
        command.args(arguments);
        command
    }

    fn unexpected_folders(&self) -> Vec<String> {
        let names = |folder: PathBuf| -> BTreeSet<String> {
            let entries = fs::read_dir(folder).into_iter().flatten().flatten();
            entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
        };
        let expected =
            [("", &["containers", "images"][..]), ("containers", &[]), ("images", &["busybox"])];
        let mut unexpected = Vec::new();
        for (folder, expected) in expected {
            for name in names(self.host.root().join(folder)) {
                if !expected.contains(&name.as_str()) {
                    unexpected.push(format!("left: ROOT/{folder}/{name}"));
                }
            }
        }
        unexpected
    }

    fn processes(&self) -> Vec<String> {
        let ours = self.process_folders();
        ours.map(|process| {
            let command = fs::read_to_string(process.join("comm")).unwrap_or_default();
            format!("still runs: {} {}", process.display(), command.trim())
        })
        .collect()
    }

    /// Kills what was started here and hangs.
    pub fn kill_processes(&self) {
        for process in self.process_folders() {
            let pid = process.file_name().and_then(|pid| pid.to_str()?.parse().ok());
            let pid = pid.expect("a number");
            let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
        }
    }

    /// Every process that was started here has the folder's name in its
    /// environment: `mydocker` as MYDOCKER_ROOT, a container's own as `-e`.
    fn process_folders(&self) -> impl Iterator<Item = PathBuf> {
        let name = self.name.as_bytes();
        let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
        let is_ours = move |process: &PathBuf| {
            let environment = fs::read(process.join("environ")).unwrap_or_default();
            environment.windows(name.len()).any(|part| part == name)
        };
        entries
            .filter(|entry| entry.file_name().as_bytes()[0].is_ascii_digit())
            .map(|entry| entry.path())
            .filter(is_ours)
    }

    fn groups(&self) -> Vec<String> {
        self.group_folders().map(|group| format!("a cgroup: {}", group.display())).collect()
    }

    /// Where the control groups of the container of this ground are, if it has any.
    pub fn own_groups(&self) -> Vec<PathBuf> {
        places_of_group(self.host.root(), &self.name)
    }

    /// The control groups of the containers here.
    pub fn group_folders(&self) -> impl Iterator<Item = PathBuf> {
        let entries = self.cgroups.iter().flat_map(fs::read_dir).flatten().flatten();
        let name = format!("-{}", self.name);
        let is_ours =
            move |folder: &fs::DirEntry| folder.file_name().to_string_lossy().contains(&name);
        entries.filter(is_ours).map(|entry| entry.path())
    }
}

/// Whether runs of this user can have limits.
pub fn has_limits() -> bool {
    geteuid().is_root() && !hierarchies().is_empty()
}
