//! What is found below new_root after mount_kernel_file_systems.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::process;

use labkit::describe::Failure;
use nix::sys::stat::{major, minor};
use nix::sys::statvfs::{FsFlags, statvfs};
use serde::{Deserialize, Serialize};

/// The devices that every program expects, with their numbers. See null(4),
/// full(4), random(4), tty(4).
pub const DEVICES: [(&str, &str); 6] = [
    ("null", "char 1:3"),
    ("zero", "char 1:5"),
    ("full", "char 1:7"),
    ("random", "char 1:8"),
    ("urandom", "char 1:9"),
    ("tty", "char 5:0"),
];

/// What is found below new_root.
#[derive(Serialize, Deserialize)]
pub struct Below {
    /// Where `proc/self` leads: the PID of whoever reads it, if it is that of its
    /// PID namespace.
    pub proc_self: Result<PathBuf, Failure>,
    /// Whether that is so.
    pub proc_is_own: bool,
    /// Whether proc and proc/sys are read-only. See statvfs(3).
    pub proc_is_read_only: bool,
    pub proc_sys_is_read_only: bool,
    /// Whether the kernel's settings are found in proc/sys.
    pub proc_sys_is_full: bool,
    /// The mode of dev.
    pub dev_mode: u32,
    /// What each of the devices is.
    pub devices: BTreeMap<String, String>,
    /// What a read of zero and a write to null say.
    pub used: Result<(), Failure>,
}

impl Below {
    /// Looks, from the place of the process.
    pub fn look(new_root: &Path) -> Below {
        let dev = new_root.join("dev");
        let name = |(name, _): (&str, &str)| (name.to_owned(), kind(&dev.join(name)));
        let proc_self = fs::read_link(new_root.join("proc/self"));
        let own = PathBuf::from(process::id().to_string());
        let is_read_only = |name: &str| {
            let state = statvfs(&new_root.join(name));
            state.is_ok_and(|it| it.flags().contains(FsFlags::ST_RDONLY))
        };
        Below {
            proc_is_own: proc_self.as_ref().is_ok_and(|pid| *pid == own),
            proc_self: proc_self.map_err(Failure::from),
            proc_is_read_only: is_read_only("proc"),
            proc_sys_is_read_only: is_read_only("proc/sys"),
            proc_sys_is_full: new_root.join("proc/sys/kernel/hostname").exists(),
            dev_mode: dev.metadata().map_or(0, |it| it.mode() & 0o7777),
            devices: DEVICES.into_iter().map(name).collect(),
            used: use_devices(&dev).map_err(Failure::from),
        }
    }
}

/// What kind of file there is, with the number of a device.
fn kind(path: &Path) -> String {
    match path.symlink_metadata() {
        Err(error) => Failure::from(error).to_string(),
        Ok(data) if data.file_type().is_char_device() => {
            format!("char {}:{}", major(data.rdev()), minor(data.rdev()))
        }
        Ok(data) if data.is_file() => "a regular file".to_owned(),
        Ok(_) => "something else".to_owned(),
    }
}

fn use_devices(dev: &Path) -> io::Result<()> {
    let mut zeroes = [1; 4];
    File::open(dev.join("zero"))?.read_exact(&mut zeroes)?;
    OpenOptions::new().write(true).open(dev.join("null"))?.write_all(&zeroes)
}
