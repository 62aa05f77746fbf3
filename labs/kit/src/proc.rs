//! The witness's own view of /proc, which no answer can unmount: an open
//! descriptor stays good.

use std::ffi::CStr;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};

use mydocker::mountinfo::MountTable;
use nix::dir::Dir;
use nix::fcntl::{OFlag, openat, readlinkat};
use nix::sys::prctl;
use nix::sys::stat::Mode;

/// /proc of the witness's PID namespace.
#[derive(Debug)]
pub struct Proc {
    folder: OwnedFd,
}

impl Proc {
    /// Opens /proc.
    ///
    /// # Errors
    /// It is not there.
    pub fn open() -> io::Result<Proc> {
        Ok(Proc { folder: File::open("/proc")?.into() })
    }

    /// The mount table of a process, or of `self`.
    ///
    /// # Errors
    /// There is no such process.
    pub fn mount_table(&self, process: &str) -> io::Result<MountTable> {
        let table = self.read(&format!("{process}/mountinfo"))?;
        MountTable::parse(&table).map_err(|error| io::Error::other(error.to_string()))
    }

    /// Where a link of a process leads: `root`, `cwd`, `fd/3`.
    ///
    /// # Errors
    /// There is no such process or link.
    pub fn link(&self, process: i32, name: &str) -> io::Result<PathBuf> {
        Ok(readlinkat(&self.folder, Path::new(&format!("{process}/{name}")))?.into())
    }

    /// All processes but the witness, with their states and names. See
    /// proc_pid_stat(5).
    pub fn processes(&self) -> Vec<(i32, char, String)> {
        self.numbers_in(".")
            .into_iter()
            .filter(|pid| *pid != 1)
            .filter_map(|pid| {
                let stat = self.read(&format!("{pid}/stat")).ok()?;
                let stat = String::from_utf8_lossy(&stat).into_owned();
                let (name, rest) = stat.split_once('(')?.1.rsplit_once(") ")?;
                Some((pid, rest.chars().next()?, name.to_owned()))
            })
            .collect()
    }

    /// What is in one of its files, `42/mountinfo`.
    ///
    /// # Errors
    /// There is no such process or file.
    pub fn read(&self, name: &str) -> io::Result<Vec<u8>> {
        let mut content = Vec::new();
        File::from(self.open_file(name, OFlag::O_RDONLY)?).read_to_end(&mut content)?;
        Ok(content)
    }

    /// The mount that an open file of this process is on. See proc_pid_fdinfo(5).
    ///
    /// # Errors
    /// The file is not open, or the kernel says nothing of it.
    pub fn mount_of(&self, file: &impl AsRawFd) -> io::Result<u32> {
        let read = || self.read(&format!("self/fdinfo/{}", file.as_raw_fd()));
        let info = match read() {
            // Before Linux 5.14 it may be read only of a process that others may
            // look into; for this moment they may.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                prctl::set_dumpable(true)?;
                let info = read();
                prctl::set_dumpable(false)?;
                info?
            }
            info => info?,
        };
        let info = String::from_utf8_lossy(&info).into_owned();
        let id = info.lines().find_map(|line| line.strip_prefix("mnt_id:")?.trim().parse().ok());
        id.ok_or_else(|| io::Error::other("no mnt_id in fdinfo"))
    }

    /// Opens one of its files, or what a link leads to: `42/ns/mnt`, `42/root`.
    ///
    /// # Errors
    /// There is no such process or file.
    pub fn open_file(&self, name: &str, flags: OFlag) -> io::Result<OwnedFd> {
        Ok(openat(&self.folder, name, flags | OFlag::O_CLOEXEC, Mode::empty())?)
    }

    /// The open descriptors of a process.
    pub fn descriptors(&self, process: i32) -> Vec<i32> {
        self.numbers_in(&format!("{process}/fd"))
    }

    /// The entries of a folder whose names are numbers.
    fn numbers_in(&self, name: &str) -> Vec<i32> {
        let Ok(mut entries) = Dir::openat(&self.folder, name, OFlag::O_DIRECTORY, Mode::empty())
        else {
            return Vec::new();
        };
        let number = |name: &CStr| name.to_str().ok()?.parse().ok();
        entries.iter().flatten().filter_map(|entry| number(entry.file_name())).collect()
    }
}
