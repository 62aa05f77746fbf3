//! Other right answers to lab 08.

use std::io;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use lab_08_grader::Answers;
use nix::errno::Errno;
use nix::mount::{MntFlags, umount2};

use super::SOLUTION;
use super::solution::mounted_below;
use crate::catalogue::Variant;

/// Right, and not as the solution does it.
pub static RIGHT: &[Variant<Answers>] = &[
    // Until the last moment that is promised, by its own clock.
    Variant {
        name: "until_the_last_moment",
        answers: Answers {
            delete_mount_point: |workspace| {
                let deadline = Instant::now() + Duration::from_millis(1_950);
                unmount(workspace, || {
                    (Instant::now() < deadline).then_some(Duration::from_millis(50))
                })
            },
            ..SOLUTION
        },
    },
    // Each pause is twice as long as the one before it, as long as there is time.
    Variant {
        name: "pauses_doubled_in_time",
        answers: Answers {
            delete_mount_point: |workspace| {
                let mut pauses = (0..7).map(|nth| Duration::from_millis(10 << nth));
                unmount(workspace, || pauses.next())
            },
            ..SOLUTION
        },
    },
    // Says in its own words what is busy, in an error of that kind.
    Variant {
        name: "busy_in_own_words",
        answers: Answers {
            delete_mount_point: |workspace| {
                let told = (SOLUTION.delete_mount_point)(workspace);
                told.map_err(|error| io::Error::new(error.kind(), format!("umount: {error}")))
            },
            ..SOLUTION
        },
    },
];

/// Unmounts one by its path, if no part of that is a link.
fn unmount_one(mount_point: &Path) -> nix::Result<()> {
    let is_link = |path: &Path| path.symlink_metadata().map(|data| data.is_symlink());
    match mount_point.ancestors().map(is_link).find(|it| !matches!(it, Ok(false))) {
        None => umount2(mount_point, MntFlags::UMOUNT_NOFOLLOW),
        Some(Ok(_)) => Err(Errno::ELOOP),
        Some(Err(error)) => Err(Errno::from_raw(error.raw_os_error().unwrap_or_default())),
    }
}

/// Unmounts the last one of the table, as long as there is one; while nothing goes, with
/// a pause that `pause` allows.
fn unmount(workspace: &Path, mut pause: impl FnMut() -> Option<Duration>) -> io::Result<()> {
    loop {
        let mounted = mounted_below(workspace)?;
        if mounted.is_empty() {
            return Ok(());
        }
        let mut last = mounted.iter().rev().map(|it| unmount_one(it));
        let mut refusals = Vec::new();
        if last.any(|it| it.map_err(|errno| refusals.push(errno)).is_ok()) {
            continue;
        }
        if !refusals.contains(&Errno::EBUSY) {
            return Err(refusals[0].into());
        }
        sleep(pause().ok_or(Errno::EBUSY)?);
    }
}
