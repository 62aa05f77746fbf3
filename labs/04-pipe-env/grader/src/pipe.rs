//! A pipe between two processes, and who has which end of it open.

use std::fmt;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use labkit::inside::Place;
use nix::sys::stat::fstat;
use nix::unistd::pipe;

/// Both ends of a pipe.
#[derive(Debug)]
pub struct Pipe {
    pub read_end: OwnedFd,
    pub write_end: OwnedFd,
}

/// What tells one pipe from another: where its descriptors lead, in /proc.
#[derive(Debug, Clone)]
pub struct PipeName(String);

/// Which ends of a pipe a process has open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ends {
    pub read: bool,
    pub write: bool,
}

impl Pipe {
    /// A new one.
    pub fn new() -> Pipe {
        let (read_end, write_end) = pipe().expect("a pipe");
        Pipe { read_end, write_end }
    }

    /// What tells it from others.
    pub fn name(&self) -> PipeName {
        let inode = fstat(self.read_end.as_fd()).expect("it is open").st_ino;
        PipeName(format!("pipe:[{inode}]"))
    }

    /// What a process is given of it: both ends.
    pub fn ends(&self) -> Vec<OwnedFd> {
        let copy = |end: &OwnedFd| end.try_clone().expect("a copy of a descriptor");
        vec![copy(&self.read_end), copy(&self.write_end)]
    }
}

impl Ends {
    pub const NONE: Ends = Ends { read: false, write: false };
    pub const READ: Ends = Ends { read: true, write: false };
    pub const WRITE: Ends = Ends { read: false, write: true };

    /// Those of a process. See proc_pid_fd(5).
    pub fn held_at(place: &Place, PipeName(name): &PipeName) -> Ends {
        let mut ends = Ends::NONE;
        let pid = place.pid.as_raw();
        for number in place.proc.descriptors(pid) {
            if place.proc.link(pid, &format!("fd/{number}")).is_ok_and(|it| it == Path::new(name)) {
                match open_flags(place, number) & libc::O_ACCMODE {
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
pub fn open_flags(place: &Place, descriptor: i32) -> i32 {
    let info = place.proc.read(&format!("{}/fdinfo/{descriptor}", place.pid)).unwrap_or_default();
    let info = String::from_utf8_lossy(&info);
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
