//! What enter is asked to run: a probe that says that it has started, and stays so that the
//! grader can look at it. It is in the container and, in the same place, on the host.

use std::ffi::{CString, OsStr};
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use labkit::canary::random_words;
use labkit::host::Host;
use labkit::limits::slowness;
use labkit::proc::Proc;
use nix::fcntl::OFlag;
use nix::sched::CloneFlags;
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;

use crate::acts::Order;
use crate::container::Container;

/// Where the probe is: in the `PATH` of the environment that enter is given.
pub const TOOLS: &str = "/tmp/tools";
/// Where there is another one: in the `PATH` of the process that calls enter.
pub const CALLERS: &str = "/tmp/callers";
/// The name of the probe, and that of another one: it is not UTF-8, and in the container
/// alone.
pub const PROBE: &[u8] = b"probe";
pub const ODD_PROBE: &[u8] = b"\xff-probe";
/// The words after the command: spaces, and one that is empty.
pub const ARGUMENTS: [&str; 3] = ["two  spaces", "", "end"];
/// How the probe ends.
pub const PROBES_CODE: i32 = 7;

/// How long something may take that happens at once; [`slowness`] times as long on a
/// slow machine.
const AT_MOST: Duration = Duration::from_secs(2);
const LOOK_EVERY: Duration = Duration::from_micros(300);

/// A container with the probe in it.
pub struct Scene {
    /// The container's root directory, as the host has it.
    pub root: PathBuf,
    /// Where each probe says that it has started, and where it waits.
    pipes: Vec<(File, File)>,
    /// What the environment has in it.
    pub canary: String,
}

impl Scene {
    /// A fresh one.
    pub fn new(host: &Host) -> Scene {
        let root = host.path("busybox");
        if !root.exists() {
            host.busybox("busybox");
        }
        let pipes = [root.as_path(), Path::new("/")].map(|top| {
            let below = |path: &str| top.join(path.trim_start_matches('/'));
            let script =
                format!("#!/bin/sh\necho >/tmp/report\nread word </tmp/hold\nexit {PROBES_CODE}\n");
            for directory in [TOOLS, CALLERS] {
                fs::create_dir_all(below(directory)).expect("/tmp can be written to");
                program(&below(directory).join("probe"), &script, 0o755);
            }
            if top == root {
                program(&below(TOOLS).join(OsStr::from_bytes(ODD_PROBE)), &script, 0o755);
            }
            (fifo(&below("/tmp/report")), fifo(&below("/tmp/hold")))
        });
        Scene { root, pipes: pipes.into(), canary: random_words().expect("random words") }
    }

    /// The running container. If it has no mount namespace of its own, its root is the
    /// host's, and so is its probe.
    pub fn start(&self, host: &Host, proc: &Proc, kinds: CloneFlags) -> Container {
        if !kinds.contains(CloneFlags::CLONE_NEWNS) {
            return Container::bare(proc, kinds);
        }
        Container::start(host, proc, &self.root, kinds)
    }

    /// Takes the probe away from the host, except where its caller looks.
    pub fn only_inside(&self) {
        let _ = fs::remove_file(Path::new(TOOLS).join("probe"));
    }

    /// A file of the container.
    pub fn inside(&self, path: &str) -> PathBuf {
        self.root.join(path.trim_start_matches('/'))
    }

    /// What the command is to have as its environment.
    pub fn environment(&self) -> Vec<CString> {
        let canary = format!("CANARY={}", self.canary);
        let path = format!("PATH={TOOLS}:/bin");
        let texts = [path.as_bytes(), canary.as_bytes(), b"BYTES=\xff\xfe", b"EMPTY="];
        texts.map(|text| CString::new(text).expect("no NUL in it")).into()
    }

    /// The order to run these words in a container.
    pub fn order(&self, container: &Container, words: &[impl AsRef<[u8]>]) -> Order {
        Order {
            pid: container.pid.as_raw(),
            command: words
                .iter()
                .map(|it| CString::new(it.as_ref()).expect("no NUL in it"))
                .collect(),
            environment: self.environment(),
        }
    }

    /// Whether a probe has said that it has started, since this was last asked.
    pub fn has_told(&self) -> bool {
        self.pipes.iter().any(|(report, _)| (&*report).read(&mut [0; 8]).is_ok_and(|it| it > 0))
    }

    /// Lets the probe come to its end.
    pub fn let_go(&self) {
        for (_, hold) in &self.pipes {
            let _ = (&*hold).write_all(b"\n");
        }
    }
}

/// The probe's process, the newest if there are several.
pub fn probe(proc: &Proc) -> Option<i32> {
    // The kernel puts the interpreter before the script.
    let is_it = |pid: &i32| words_of(proc, *pid).get(1).is_some_and(|it| it.ends_with(PROBE));
    proc.processes().into_iter().map(|(pid, ..)| pid).filter(is_it).max()
}

/// A program of a few words.
pub fn program(path: &Path, text: &str, mode: u32) {
    fs::write(path, text)
        .and_then(|()| fs::set_permissions(path, Permissions::from_mode(mode)))
        .expect("a file in the scratch directory");
}

/// A pipe with a name. With a reader and a writer of our own it never comes to its
/// end, and nobody waits for one.
fn fifo(path: &Path) -> File {
    let _ = fs::remove_file(path);
    mkfifo(path, Mode::S_IRWXU).expect("a pipe in the scratch directory");
    let mut options = OpenOptions::new();
    options.read(true).write(true).custom_flags(OFlag::O_NONBLOCK.bits());
    options.open(path).expect("the probe's pipe")
}

/// The words that a process was executed with. See proc_pid_cmdline(5).
pub fn words_of(proc: &Proc, pid: i32) -> Vec<Vec<u8>> {
    strings(&proc.read(&format!("{pid}/cmdline")).unwrap_or_default())
}

/// The variables that a process was executed with. See proc_pid_environ(5).
pub fn variables_of(proc: &Proc, pid: i32) -> Vec<Vec<u8>> {
    strings(&proc.read(&format!("{pid}/environ")).unwrap_or_default())
}

/// Strings that each end with a NUL.
fn strings(bytes: &[u8]) -> Vec<Vec<u8>> {
    let ended = bytes.strip_suffix(b"\0");
    ended
        .map(|bytes| bytes.split(|byte| *byte == 0).map(<[u8]>::to_vec).collect())
        .unwrap_or_default()
}

/// As text, for a report.
pub fn text(bytes: &[u8]) -> String {
    format!("{:?}", OsStr::from_bytes(bytes))
}

/// Waits until this holds, or for a while.
pub fn wait_until(mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + AT_MOST * slowness();
    while !is_so() && Instant::now() < deadline {
        sleep(LOOK_EVERY);
    }
}
