//! The command that the container runs: it says that it has started, and stays so that
//! the grader can look at it.

use std::cell::Cell;
use std::ffi::CString;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use labkit::canary::random_words;
use labkit::host::Host;
use labkit::proc::Proc;
use nix::fcntl::OFlag;
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;

/// A word, and the value of a variable, may be any bytes.
pub const NOT_TEXT: &[u8] = b"\xff\xfe";

/// The words after the command: spaces, one that is empty, and one that is not text.
pub const ARGUMENTS: [&[u8]; 4] = [b"two  spaces", b"", NOT_TEXT, b"end"];

/// What the command calls its host.
const HOST_NAME: &str = "container";

/// The probe in its directory, ready to be started.
pub struct Probe {
    /// A root file system, which has the probe's programs too.
    pub busybox: PathBuf,
    /// The only directory of this host in which the probe is.
    pub folder: PathBuf,
    /// What the variable `CANARY` has in it.
    pub canary: String,
    /// Where the probe says that it has started.
    report: File,
    has_told: Cell<bool>,
    /// Where it waits for something to read.
    _hold: File,
}

impl Probe {
    pub fn new(host: &Host) -> Probe {
        let (busybox, folder) = (host.path("busybox"), host.path("programs"));
        if !busybox.exists() {
            host.busybox("busybox");
        }
        let mount_point = host.path("mounted-inside");
        for folder in [&folder, &mount_point] {
            fs::create_dir_all(folder).expect("a directory in the scratch directory");
        }
        let (report, hold) = (host.path("report"), host.path("hold"));
        // A script: it is found and executed as any program, and it gets all of
        // its words whatever the first of them is. It stays the same process: after
        // unshare without a fork, it may not be possible to start a second one.
        let script = format!(
            "#!{busybox}/bin/sh\n\
             busybox={busybox}/bin/busybox\n\
             ($busybox hostname {HOST_NAME}; $busybox mount -t tmpfs inside {mounted})\n\
             echo >{report}\n\
             read word <{hold}\n",
            busybox = busybox.display(),
            mounted = mount_point.display(),
            report = report.display(),
            hold = hold.display(),
        );
        let path = folder.join("probe");
        fs::write(&path, script).expect("a file in the scratch directory");
        fs::set_permissions(&path, Permissions::from_mode(0o755)).expect("it is ours");
        Probe {
            busybox,
            folder,
            canary: random_words().expect("random words"),
            report: fifo(&report),
            has_told: Cell::new(false),
            _hold: fifo(&hold),
        }
    }

    /// The probe's own path.
    pub fn path(&self) -> PathBuf {
        self.folder.join("probe")
    }

    /// The probe under this name, and its arguments, with `bytes` for what is not text.
    pub fn command(&self, name: impl AsRef<Path>, bytes: &[u8]) -> Vec<CString> {
        let arguments = ARGUMENTS.map(|word| if word == NOT_TEXT { bytes } else { word });
        let arguments = arguments.map(|word| CString::new(word).expect("no NUL"));
        [words(&[name.as_ref()]), arguments.into()].concat()
    }

    /// Whether it has said that it has started.
    pub fn has_told(&self) -> bool {
        let told = (&self.report).read(&mut [0]).is_ok_and(|count| count > 0);
        self.has_told.set(self.has_told.get() || told);
        self.has_told.get()
    }

    /// The process that executes it, the newest if there are several.
    pub fn process(&self, proc: &Proc) -> Option<i32> {
        let path = self.path();
        // The kernel puts the interpreter before the script.
        let executes_it = |pid: &i32| {
            words_of(proc, *pid).get(1).map(Vec::as_slice) == Some(path.as_os_str().as_bytes())
        };
        proc.processes().into_iter().map(|(pid, ..)| pid).filter(executes_it).max()
    }
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

/// Paths as words of a command.
pub fn words(paths: &[&Path]) -> Vec<CString> {
    let words = paths.iter().map(|path| CString::new(path.as_os_str().as_bytes()));
    words.collect::<Result<_, _>>().expect("no NUL in them")
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
