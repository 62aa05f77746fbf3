//! A pipe between two processes, and who has which end of it open.

use std::fmt;
use std::fs;
use std::os::fd::OwnedFd;

use nix::sys::stat::fstat;
use nix::unistd::{Pid, pipe};
use serde::{Deserialize, Serialize};

/// Both ends of a pipe.
///
/// A process that is cloned has copies of everything: it can take the ends out
/// of its copy of this value, and they are still there in the other process.
#[derive(Debug)]
pub struct Pipe(Option<(OwnedFd, OwnedFd)>);

/// What tells one pipe from another: its inode number.
#[derive(Debug, Clone, Copy)]
pub struct PipeId(u64);

/// Which ends of a pipe a process has open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ends {
    pub read: bool,
    pub write: bool,
}

impl Pipe {
    /// A new one.
    pub fn new() -> Pipe {
        Pipe(Some(pipe().expect("a pipe")))
    }

    /// The read end and the write end.
    pub fn take(&mut self) -> (OwnedFd, OwnedFd) {
        self.0.take().expect("each process takes them once")
    }

    /// What tells it from others.
    pub fn id(&self) -> PipeId {
        let (read_end, _) = self.0.as_ref().expect("they were not taken");
        PipeId(fstat(read_end).expect("it is open").st_ino)
    }
}

impl Ends {
    pub const NONE: Ends = Ends { read: false, write: false };
    pub const READ: Ends = Ends { read: true, write: false };
    pub const WRITE: Ends = Ends { read: false, write: true };

    /// Those of a process. See proc_pid_fd(5).
    pub fn held_by(process: Pid, pipe: PipeId) -> Ends {
        let mut ends = Ends::NONE;
        let name = format!("pipe:[{}]", pipe.0);
        let descriptors = fs::read_dir(format!("/proc/{process}/fd"));
        for descriptor in descriptors.into_iter().flatten().flatten() {
            if fs::read_link(descriptor.path()).is_ok_and(|link| link.as_os_str() == &*name) {
                let number = descriptor.file_name();
                match open_flags(process, &number.to_string_lossy()) & libc::O_ACCMODE {
                    libc::O_RDONLY => ends.read = true,
                    _ => ends.write = true,
                }
            }
        }
        ends
    }
}

/// The flags of an open descriptor of a process, as open(2) takes them. See
/// proc_pid_fdinfo(5).
pub fn open_flags(process: Pid, descriptor: &str) -> i32 {
    let path = format!("/proc/{process}/fdinfo/{descriptor}");
    let info = fs::read_to_string(path).unwrap_or_default();
    let octal = info.lines().find_map(|line| line.strip_prefix("flags:"));
    octal.and_then(|octal| i32::from_str_radix(octal.trim(), 8).ok()).unwrap_or_default()
}

impl fmt::Display for Ends {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match (self.read, self.write) {
            (false, false) => "-",
            (true, false) => "the read end",
            (false, true) => "the write end",
            (true, true) => "both ends",
        })
    }
}
