//! The command that the container runs: it tells what it finds in there.

use std::ffi::CString;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::Read;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use labkit::canary::random_words;
use labkit::host::Host;
use nix::fcntl::OFlag;
use nix::poll::{PollFd, PollFlags, poll};
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;
use serde::{Deserialize, Serialize};

/// The words after the command: blanks, and one that is empty.
pub const ARGUMENTS: [&str; 3] = ["two  blanks", "", "end"];

/// What the command calls its host.
const HOST_NAME: &str = "container";

/// The probe in its folder, ready to be started.
pub struct Probe {
    /// A root file system, which has the probe's programs too.
    pub busybox: PathBuf,
    /// The only folder of this host in which the probe is.
    pub folder: PathBuf,
    /// What the variable `CANARY` has in it.
    pub canary: String,
    report: PathBuf,
}

/// What the probe has told.
#[derive(Default, Serialize, Deserialize)]
pub struct Report {
    /// Its own pid, as it knows it.
    pub pid: String,
    /// The processes that /proc shows to it.
    pub processes: Vec<String>,
    pub arguments: Vec<String>,
    /// What it has in its variable `CANARY`.
    pub canary: String,
}

impl Probe {
    pub fn new(host: &Host) -> Probe {
        let folder = host.path("programs");
        let probe = Probe {
            busybox: host.busybox("busybox"),
            report: host.path("report"),
            canary: random_words().expect("random words"),
            folder,
        };
        let mount_point = host.path("mounted-inside");
        fs::create_dir(&probe.folder).expect("a folder in the scratch folder");
        fs::create_dir(&mount_point).expect("a folder in the scratch folder");
        mkfifo(&probe.report, Mode::S_IRWXU).expect("a pipe in the scratch folder");
        // A script: it is found and executed as any program, and it gets all of
        // its words whatever the first of them is. In the end it stays for a
        // while to be looked at, as the same process: who has called unshare
        // without a fork may not be able to start a second one.
        let script = format!(
            "#!{busybox}/bin/sh\n\
             busybox={busybox}/bin/busybox\n\
             {{\n\
             echo \"pid $$\"\n\
             for process in /proc/[0-9]*; do echo \"process ${{process#/proc/}}\"; done\n\
             for argument; do echo \"argument $argument\"; done\n\
             echo \"canary $CANARY\"\n\
             ($busybox hostname {HOST_NAME}; $busybox mount -t tmpfs inside {mounted})\n\
             echo end\n\
             }} >{report}\n\
             exec $busybox sleep 1\n",
            busybox = probe.busybox.display(),
            mounted = mount_point.display(),
            report = probe.report.display(),
        );
        fs::write(probe.path(), script).expect("a file in the scratch folder");
        fs::set_permissions(probe.path(), Permissions::from_mode(0o755)).expect("it is ours");
        probe
    }

    /// The probe's own path.
    pub fn path(&self) -> PathBuf {
        self.folder.join("probe")
    }

    /// The probe under this name, and its arguments.
    pub fn command(&self, name: impl AsRef<Path>) -> Vec<CString> {
        let name = CString::new(name.as_ref().as_os_str().as_bytes());
        let arguments = ARGUMENTS.into_iter().map(CString::new);
        [name].into_iter().chain(arguments).collect::<Result<_, _>>().expect("no NUL in them")
    }

    /// Opens the pipe through which the probe tells.
    pub fn listen(&self) -> Listener {
        let mut options = OpenOptions::new();
        // With a writer of our own it never comes to its end, nor do we wait for one.
        options.read(true).write(true).custom_flags(OFlag::O_NONBLOCK.bits());
        Listener { pipe: options.open(&self.report).expect("the probe's pipe"), heard: Vec::new() }
    }
}

/// Whoever waits for the probe's report.
pub struct Listener {
    pipe: File,
    heard: Vec<u8>,
}

impl Listener {
    /// The report, if it is complete within so many milliseconds.
    pub fn report(&mut self, milliseconds: u8) -> Option<Report> {
        let _ = poll(&mut [PollFd::new(self.pipe.as_fd(), PollFlags::POLLIN)], milliseconds);
        // It ends with EAGAIN when there is no more for now.
        let _ = self.pipe.read_to_end(&mut self.heard);
        Report::parse(&String::from_utf8_lossy(&self.heard))
    }
}

impl Report {
    fn parse(text: &str) -> Option<Report> {
        let mut report = Report::default();
        for line in text.strip_suffix("\nend\n")?.lines() {
            let (key, value) = line.split_once(' ')?;
            let value = value.to_owned();
            match key {
                "pid" => report.pid = value,
                "process" => report.processes.push(value),
                "argument" => report.arguments.push(value),
                _ => report.canary = value,
            }
        }
        Some(report)
    }
}
