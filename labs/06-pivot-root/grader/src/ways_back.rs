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
    let ends = (0..names.len()).map(|from| names[from..].iter().collect::<PathBuf>());
    let ends: Vec<PathBuf> = ends.collect();
    let above = (0..64).map(|steps| directory.join("../".repeat(steps)));
    above.into_iter().any(|it| ends.iter().any(|end| fs::exists(it.join(end)).unwrap_or(false)))
}

/// The descriptors of the process by which the host's file is found.
pub fn ways_back(place: &Place, host_file: &Path) -> Vec<i32> {
    let pid = place.pid.as_raw();
    let mut numbers = place.proc.descriptors(pid);
    numbers.retain(|number| {
        let Ok(open) = place.proc.open_file(&format!("{pid}/fd/{number}"), OFlag::O_PATH) else {
            return false;
        };
        let directory = format!("/proc/self/fd/{}", open.as_raw_fd());
        leads_to(Path::new(&directory), host_file)
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
