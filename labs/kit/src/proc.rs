//! The witness's own view of /proc, which no answer can unmount: an open
//! descriptor stays good.

use std::ffi::CStr;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};

use mydocker_kernel::mountinfo::MountTable;
use nix::dir::Dir;
use nix::fcntl::{OFlag, openat, readlinkat};
use nix::sys::prctl;
use nix::sys::stat::Mode;

/// /proc of the witness's PID namespace.
#[derive(Debug)]
pub struct Proc {
    folder: OwnedFd,
}

/// What proc_pid_stat(5) has of a process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stat {
    /// The name of its program, cut to 15 bytes.
    pub name: String,
    /// `R`, `S`, `Z` and so on.
    pub state: char,
    /// The PID of its parent.
    pub parent: i32,
    /// How it has ended, as waitpid(2) would say it, when it is a zombie.
    pub wait_status: i32,
    /// How long it has worked, in user mode and in the kernel, in ticks: see
    /// sysconf(3), _SC_CLK_TCK.
    pub ticks: u64,
}

impl Stat {
    /// Whether it has ended, and perhaps was not yet waited for.
    pub fn is_over(&self) -> bool {
        matches!(self.state, 'Z' | 'X')
    }
}

impl Proc {
    /// Opens /proc.
    ///
    /// # Errors
    /// It is missing.
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

    /// All processes but the witness, with their states and names.
    pub fn processes(&self) -> Vec<(i32, char, String)> {
        let others = self.numbers_in(".").into_iter().filter(|pid| *pid != 1);
        let stats = others.filter_map(|pid| Some((pid, self.stat(pid)?)));
        stats.map(|(pid, stat)| (pid, stat.state, stat.name)).collect()
    }

    /// Those of them that have not ended, by their numbers and names.
    pub fn running(&self) -> Vec<(i32, String)> {
        let all = self.numbers_in(".").into_iter().filter(|pid| *pid != 1);
        let stats = all.filter_map(|pid| Some((pid, self.stat(pid)?)));
        stats.filter(|(_, stat)| !stat.is_over()).map(|(pid, stat)| (pid, stat.name)).collect()
    }

    /// The state of a process; nothing if there is no such process. See proc_pid_stat(5).
    pub fn stat(&self, process: i32) -> Option<Stat> {
        let stat = self.read(&format!("{process}/stat")).ok()?;
        let stat = String::from_utf8_lossy(&stat).into_owned();
        let (name, rest) = stat.split_once('(')?.1.rsplit_once(") ")?;
        let fields: Vec<&str> = rest.split_whitespace().collect();
        Some(Stat {
            name: name.to_owned(),
            state: fields.first()?.chars().next()?,
            parent: fields.get(1)?.parse().ok()?,
            ticks: fields.get(11)?.parse::<u64>().ok()? + fields.get(12)?.parse::<u64>().ok()?,
            wait_status: fields.last()?.parse().ok()?,
        })
    }

    /// The memory of all processes but the witness, in bytes: everything that is not backed
    /// by a file on a disk, including what several of them share.
    pub fn memory(&self) -> u64 {
        let others = self.numbers_in(".").into_iter().filter(|pid| *pid != 1);
        others.filter_map(|pid| self.memory_of(pid)).sum()
    }

    /// That of one process; nothing if it has ended. See proc_pid_status(5).
    fn memory_of(&self, process: i32) -> Option<u64> {
        let status = self.read(&format!("{process}/status")).ok()?;
        let status = String::from_utf8_lossy(&status);
        let kibibytes = |name: &str| -> Option<u64> {
            let value = status.lines().find_map(|line| line.strip_prefix(name))?;
            value.split_whitespace().next()?.parse().ok()
        };
        Some((kibibytes("RssAnon:")? + kibibytes("RssShmem:")?) << 10)
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
    /// The file is not open, or the kernel says nothing about it.
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

    /// The entries of a directory whose names are numbers.
    fn numbers_in(&self, name: &str) -> Vec<i32> {
        let Ok(mut entries) = Dir::openat(&self.folder, name, OFlag::O_DIRECTORY, Mode::empty())
        else {
            return Vec::new();
        };
        let number = |name: &CStr| name.to_str().ok()?.parse().ok();
        entries.iter().flatten().filter_map(|entry| number(entry.file_name())).collect()
    }
}
