//! Whether a failure comes from a limit on this process, as ulimit sets them, or on the
//! whole machine.

use std::fs::{self, File};
use std::path::Path;

use nix::errno::Errno;
use nix::sys::resource::{RLIM_INFINITY, Resource, getrlimit};
use nix::unistd::getuid;

use crate::cause::Cause;

/// The limit that has been reached, if there is one, whatever the call.
///
/// Some of these errors have other reasons too. So this tries whether a call that needs
/// only this resource fails as well. See getrlimit(2).
pub fn cause(errno: Errno) -> Option<Cause> {
    match errno {
        Errno::EMFILE if open_anything() == Some(errno) => {
            let (limit, _) = getrlimit(Resource::RLIMIT_NOFILE).ok()?;
            Some(Cause::new(
                format!("this process may have {limit} files open at once, and it has"),
                "allow it more: ulimit -n 1024",
            ))
        }
        Errno::ENFILE if open_anything() == Some(errno) => {
            let limit = fs::read_to_string("/proc/sys/fs/file-max").unwrap_or_default();
            Some(Cause::new(
                format!(
                    "all processes together have as many files open as they may {}",
                    limit.trim()
                ),
                "raise the limit: sysctl fs.file-max",
            ))
        }
        Errno::EFBIG => {
            let (limit, _) = getrlimit(Resource::RLIMIT_FSIZE).ok()?;
            (limit != RLIM_INFINITY).then(|| {
                Cause::new(
                    format!("a file of this process may have {limit} bytes, and no more"),
                    "allow it more: ulimit -f unlimited",
                )
            })
        }
        _ => None,
    }
}

/// Why one more process could not be made: EAGAIN of clone(2). It checks each limit,
/// because the errno does not distinguish them.
pub fn of_processes() -> Option<Cause> {
    let (limit, _) = getrlimit(Resource::RLIMIT_NPROC).ok()?;
    let ours = threads_of(getuid().as_raw());
    // rlim_t has 32 bits on some machines.
    if u128::from(ours) >= u128::from(limit) {
        return Some(Cause::new(
            format!("this user may have {limit} processes and threads, and has {ours}"),
            "end some, or allow more: ulimit -u",
        ));
    }
    let group = full_group()?;
    Some(Cause::new(
        format!("the control group {group:?} has as many processes as it may: see its pids.max"),
        "end some, or raise that limit",
    ))
}

/// How many threads run as this user, as far as /proc shows them.
fn threads_of(uid: u32) -> u64 {
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let of_process = |folder: &Path| {
        let status = fs::read_to_string(folder.join("status")).ok()?;
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            line.split_whitespace().next()?.parse::<u64>().ok()
        };
        (field("Uid:")? == u64::from(uid)).then(|| field("Threads:")).flatten()
    };
    processes.filter_map(|process| of_process(&process.path())).sum()
}

/// The group of this process, or one above it, that is full. See the kernel's
/// admin-guide/cgroup-v2.rst, and cgroup-v1/pids.rst.
fn full_group() -> Option<std::path::PathBuf> {
    let groups = fs::read_to_string("/proc/self/cgroup").ok()?;
    let places = groups.lines().filter_map(|line| {
        let (controllers, path) = line.split_once(':')?.1.split_once(':')?;
        let top = match controllers {
            "" => "/sys/fs/cgroup",
            "pids" => "/sys/fs/cgroup/pids",
            _ => return None,
        };
        Some((Path::new(top), Path::new(top).join(path.trim_start_matches('/'))))
    });
    let number = |file: &Path| fs::read_to_string(file).ok()?.trim().parse::<u64>().ok();
    let is_full = |group: &Path| {
        let (present, most) =
            (number(&group.join("pids.current")), number(&group.join("pids.max")));
        present.zip(most).is_some_and(|(present, most)| present >= most)
    };
    places.into_iter().find_map(|(top, place)| {
        let above = place.ancestors().take_while(|it| it.starts_with(top));
        above.map(Path::to_owned).find(|group| is_full(group))
    })
}

/// The error of calls that need nothing but a descriptor: two, as many as one call makes.
fn open_anything() -> Option<Errno> {
    let first = File::open("/");
    let second = File::open("/");
    first.and(second).err()?.raw_os_error().map(Errno::from_raw)
}
