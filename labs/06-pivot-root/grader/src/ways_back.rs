//! Ways from the place of a process back to the host's files.

use std::env;
use std::fs::{self, File};
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};

use labkit::inside::Place;
use nix::fcntl::OFlag;

/// Whether the host's file is found from the directory: by a part of its path, in the
/// directory or in one above it. The mount that a directory is on may end anywhere
/// above: what is detached has no parent.
pub fn leads_to(directory: &Path, host_file: &Path) -> bool {
    let names: Vec<_> = host_file.components().skip(1).collect();
    let ends: Vec<PathBuf> = (0..names.len()).map(|from| names[from..].iter().collect()).collect();
    let mut above = (0..64).map(|steps| directory.join("../".repeat(steps)));
    above.any(|it| ends.iter().any(|end| fs::exists(it.join(end)).unwrap_or(false)))
}

/// The descriptors of the process by which the host's file is found.
pub fn ways_back(place: &Place, host_file: &Path) -> Vec<i32> {
    let pid = place.pid.as_raw();
    let mut numbers = place.proc.descriptors(pid);
    numbers.retain(|number| {
        let open = place.proc.open_file(&format!("{pid}/fd/{number}"), OFlag::O_PATH);
        open.is_ok_and(|open| {
            leads_to(Path::new(&format!("/proc/self/fd/{}", open.as_raw_fd())), host_file)
        })
    });
    numbers
}

/// Whether the working directory is this one, on another mount than its name leads to.
pub fn is_below(place: &Place, directory: &Path) -> bool {
    env::current_dir().is_ok_and(|here| here == directory)
        && mount_of(place, Path::new(".")) != mount_of(place, directory)
}

/// The ID of the mount that a path leads to.
pub fn mount_of(place: &Place, path: &Path) -> Option<u32> {
    place.proc.mount_of(&File::open(path).ok()?).ok()
}
