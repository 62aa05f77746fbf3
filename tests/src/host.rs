//! A host of its own for each test.

use std::collections::BTreeSet;
use std::io::Read;
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use mydocker_kernel::mountinfo::{MountTable, difference};
use nix::errno::Errno;
use nix::mount::MsFlags;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sched::{CloneFlags, unshare};
use nix::unistd::geteuid;

use crate::busybox::busybox_tar;
use crate::tree;

/// The longest that anything in a test may take before it counts as hung: half a
/// minute, and $LABKIT_SLOWNESS times as much on a machine that is so much slower
/// than usual, as a VM with an emulated processor is.
#[must_use]
pub fn patience() -> Duration {
    let slowness = std::env::var("LABKIT_SLOWNESS").ok();
    let usual = Duration::from_secs(30);
    usual * slowness.and_then(|it| it.parse().ok()).unwrap_or(1).clamp(1, 100)
}

/// A host with an empty `--root` and the image `busybox`.
///
/// As root, the test's thread gets a mount namespace of its own in which every
/// mount is shared, as on a systemd host: a mount that leaks is then seen, and
/// never reaches the machine. An ordinary user cannot mount on the host in the
/// first place.
///
/// When it is dropped at the end of a test that went well, the host must be as
/// it was: same mounts, same image, no container.
#[derive(Debug)]
pub struct Host {
    program: PathBuf,
    folder: tempfile::TempDir,
    root: PathBuf,
    mounts: MountTable,
    image: String,
}

impl Host {
    /// A host on which `program` is the `mydocker` to be tested.
    ///
    /// # Panics
    /// The namespace or the image cannot be made.
    pub fn new(program: &str) -> Host {
        Host::with_root_named(program, "root")
    }

    /// The same, with another name for the folder of images and containers.
    ///
    /// # Panics
    /// As [`Host::new`]; and if root runs tests that were built for an ordinary user. On this
    /// machine, root would really do what these tests expect to be refused.
    pub fn with_root_named(program: &str, name: &str) -> Host {
        let is_root = geteuid().is_root();
        assert!(!is_root || cfg!(can_root), "built for an ordinary user, but run by root");
        if is_root {
            // Of this thread alone; what it starts inherits it.
            unshare(CloneFlags::CLONE_NEWNS).expect("a mount namespace");
            for propagation in [MsFlags::MS_PRIVATE, MsFlags::MS_SHARED] {
                change("/".as_ref(), propagation | MsFlags::MS_REC);
            }
        }
        let folder = tempfile::Builder::new().prefix("mydocker-test-").tempdir().expect("a folder");
        if is_root {
            let nowhere: Option<&str> = None;
            let (kind, flags) = (Some("tmpfs"), MsFlags::empty());
            nix::mount::mount(Some("tmpfs"), folder.path(), kind, flags, nowhere).expect("a tmpfs");
        }
        std::fs::create_dir(folder.path().join(name)).expect("the root folder");
        let mut host = Host {
            program: program.into(),
            root: folder.path().join(name),
            mounts: MountTable { mounts: Vec::new() },
            image: String::new(),
            folder,
        };
        let import = ["image".as_ref(), "import".as_ref(), "busybox".as_ref(), &*busybox_tar()];
        host.mydocker(import).assert().success();
        host.image = tree::exact(&host.images().join("busybox"));
        host.mounts = MountTable::read().expect("the mount table");
        host
    }

    /// A place in the host's own folder, for volumes and other fixtures.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The folder given with `--root`.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The folder of the images.
    pub fn images(&self) -> PathBuf {
        self.root().join("images")
    }

    /// The folder of a container, or of a part of it: `c1/mnt`.
    pub fn container(&self, name: &str) -> PathBuf {
        self.root().join("containers").join(name)
    }

    /// The IDs of the containers whose folders are there.
    pub fn containers(&self) -> BTreeSet<String> {
        std::fs::read_dir(self.root().join("containers"))
            .into_iter()
            .flatten()
            .flatten()
            .map(|entry| entry.file_name().to_string_lossy().into_owned())
            .collect()
    }

    /// The command under test with these arguments, to be asserted on. It is
    /// killed when it takes too long.
    pub fn mydocker<I: AsRef<std::ffi::OsStr>>(
        &self,
        arguments: impl IntoIterator<Item = I>,
    ) -> assert_cmd::Command {
        let mut command = assert_cmd::Command::from_std(self.command());
        command.args(arguments).timeout(patience());
        command
    }

    /// The same to be started in the background.
    pub fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.env_clear().env("MYDOCKER_ROOT", &self.root).env("PATH", "/usr/bin:/bin");
        command
    }

    /// Runs `script` in a container called `name`, in the background, and
    /// waits until it has printed `ready`. Its stdin is a pipe: a script that
    /// ends with `read x` goes on until that is closed.
    ///
    /// # Panics
    /// It ends or hangs before it has printed that.
    pub fn start(&self, name: &str, options: &[&str], script: &str) -> Running {
        let mut command = self.command();
        command.args(["run", "-i", "--name", name]).args(options).args(["sh", "-c", script]);
        let child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("mydocker starts");
        let mut running = Running { child };
        let line = running.read_line();
        assert_eq!(line, "ready\n", "{}", running.stderr_so_far());
        running
    }

    /// What is mounted and unmounted now, compared with the beginning, one
    /// line each; not what others have deleted, mounts and all.
    ///
    /// A user's table is the machine's: only others can have changed it.
    ///
    /// # Panics
    /// The mount table cannot be read.
    pub fn mount_changes(&self) -> Vec<String> {
        if !geteuid().is_root() {
            return Vec::new();
        }
        let now = MountTable::read().expect("the mount table");
        let mut changes = difference(&self.mounts, &now);
        changes.retain(|change| !change.went_with_its_mount_point());
        changes.iter().map(ToString::to_string).collect()
    }

    /// Checks that all is as it was before the first container.
    ///
    /// # Panics
    /// It is not; the message says what is left.
    pub fn assert_untouched(&self) {
        assert_eq!(self.mount_changes(), Vec::<String>::new(), "the host's mounts have changed");
        assert_eq!(self.containers(), BTreeSet::new(), "a container is left");
        let image = tree::exact(&self.images().join("busybox"));
        assert_eq!(self.image, image, "the image has changed");
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        if std::thread::panicking() {
            // What is in the background would outlive the test.
            for name in self.containers() {
                let _ = self.command().args(["rm", "-f", &name]).output();
            }
        } else {
            self.assert_untouched();
        }
        if geteuid().is_root() {
            let detach = nix::mount::MntFlags::MNT_DETACH;
            let _ = nix::mount::umount2(self.folder.path(), detach);
        }
    }
}

/// Where the control groups are: the mount points of their hierarchies.
///
/// # Panics
/// The mount table cannot be read.
pub fn hierarchies() -> Vec<PathBuf> {
    let mounts = MountTable::read().expect("the mount table").mounts.into_iter();
    let control_groups = mounts.filter(|mount| matches!(&*mount.fs_type, "cgroup" | "cgroup2"));
    control_groups.map(|mount| mount.mount_point).collect()
}

/// Where the control group of the container `name` of the store `root` is if it has one,
/// in all hierarchies.
///
/// # Panics
/// There has never been a container in that store.
pub fn places_of_group(root: &Path, name: &str) -> Vec<PathBuf> {
    let store = root.join("containers").metadata().expect("the directory of the containers");
    let name = format!("mydocker-{:x}.{}-{name}", store.dev(), store.ino());
    hierarchies().into_iter().map(|hierarchy| hierarchy.join(&name)).collect()
}

fn change(path: &Path, flags: MsFlags) {
    let none: Option<&str> = None;
    nix::mount::mount(none, path, none, flags, none).expect("a change of propagation");
}

/// A `mydocker` in the background.
#[derive(Debug)]
pub struct Running {
    /// The process of `mydocker` itself.
    pub child: Child,
}

impl Running {
    /// The process ID of `mydocker`.
    pub fn pid(&self) -> nix::unistd::Pid {
        nix::unistd::Pid::from_raw(self.child.id() as i32)
    }

    /// The process ID, on the host, of the container's PID 1: the only child.
    ///
    /// # Panics
    /// There is none.
    pub fn pid1(&self) -> nix::unistd::Pid {
        let keeper = only_child(nix::unistd::Pid::from_raw(self.child.id() as i32));
        only_child(keeper)
    }

    /// One line of its output; less when it has ended.
    ///
    /// # Panics
    /// It hangs.
    pub fn read_line(&mut self) -> String {
        read_line(self.child.stdout.as_mut().expect("a pipe"))
    }

    /// One line of what it writes to stderr; less when it has ended.
    ///
    /// # Panics
    /// It hangs.
    pub fn read_stderr_line(&mut self) -> String {
        read_line(self.child.stderr.as_mut().expect("a pipe"))
    }

    fn stderr_so_far(&mut self) -> String {
        let mut text = String::new();
        if self.child.try_wait().ok().flatten().is_some()
            && let Some(stderr) = self.child.stderr.as_mut()
        {
            let _ = stderr.read_to_string(&mut text);
        }
        text
    }

    /// Closes its stdin and waits for its end.
    ///
    /// # Panics
    /// It hangs.
    pub fn finish(mut self) -> std::process::Output {
        drop(self.child.stdin.take());
        self.wait()
    }

    /// Waits for its end.
    ///
    /// # Panics
    /// It hangs.
    pub fn wait(mut self) -> std::process::Output {
        wait_until("mydocker ends", || self.child.try_wait().expect("its status").is_some());
        self.child.wait_with_output().expect("its output")
    }
}

/// What a descriptor is ready for, of what is `wanted`, after `patience` at most.
///
/// # Panics
/// It cannot be polled.
pub fn poll_one(source: &impl AsFd, wanted: PollFlags, patience: Duration) -> PollFlags {
    let patience = PollTimeout::try_from(patience).expect("not for weeks");
    let mut watched = [PollFd::new(source.as_fd(), wanted)];
    // assert_cmd has a handler for SIGCHLD, and children of other tests end.
    while let Err(errno) = poll(&mut watched, patience) {
        assert_eq!(errno, Errno::EINTR);
    }
    watched[0].revents().unwrap_or(PollFlags::empty())
}

fn read_line(source: &mut (impl Read + AsFd)) -> String {
    let mut line = Vec::new();
    let mut byte = [0];
    while line.last() != Some(&b'\n') {
        let ready = poll_one(source, PollFlags::POLLIN, patience());
        assert!(!ready.is_empty(), "waited in vain, after {:?}", String::from_utf8_lossy(&line));
        if source.read(&mut byte).expect("its output") == 0 {
            break;
        }
        line.push(byte[0]);
    }
    String::from_utf8_lossy(&line).into_owned()
}

/// Asks again and again until `condition` holds.
///
/// # Panics
/// It does not hold after half a minute.
pub fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + patience();
    while !condition() {
        assert!(Instant::now() < deadline, "waited in vain until {what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// The one child that a process has: of mydocker the keeper, of that the container's
/// PID 1.
///
/// # Panics
/// There is none, or another.
pub fn only_child(pid: nix::unistd::Pid) -> nix::unistd::Pid {
    let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"));
    let children = children.expect("a list of children");
    nix::unistd::Pid::from_raw(children.trim().parse().expect("one child"))
}
