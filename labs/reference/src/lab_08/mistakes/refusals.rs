//! What the kernel refuses, and what is made of it.

use std::io;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use lab_08_grader::Answers;
use nix::errno::Errno;

use super::{mounted_below, rm_rf, umount};
use crate::catalogue::Mistake;
use crate::lab_08::SOLUTION;
use crate::lab_08::solution::{delete_mount_point, mount_points};

/// EBUSY is what can happen; whatever else is said is only printed.
pub const ONLY_BUSY_COUNTS: Mistake<Answers> = Mistake {
    name: "only_busy_counts",
    code: "delete-workspace/error-ignored",
    answers: Answers {
        delete_mount_point: |workspace| {
            let deadline = Instant::now() + Duration::from_millis(300);
            loop {
                let (mut busy, mut unmounted) = (false, false);
                for mount_point in mounted_below(workspace)?.iter().rev() {
                    match umount(mount_point) {
                        Ok(()) => unmounted = true,
                        Err(Errno::EBUSY) => busy = true,
                        Err(errno) => eprintln!("{mount_point:?}: {errno}"),
                    }
                }
                if !unmounted && !busy {
                    return Ok(());
                }
                if !unmounted && Instant::now() > deadline {
                    return Err(Errno::EBUSY.into());
                }
                if !unmounted {
                    sleep(Duration::from_millis(10));
                }
            }
        },
        ..SOLUTION
    },
};

/// Passes over what cannot be printed.
pub const NAMES_AS_TEXT: Mistake<Answers> = Mistake {
    name: "names_as_text",
    code: "delete-workspace/name-not-utf-8",
    answers: Answers {
        delete_mount_point: |workspace| {
            let mounted = mounted_below(workspace)?;
            let is_text = |path: &&PathBuf| path.to_str().is_some();
            if mounted.iter().all(|path| is_text(&path)) {
                return delete_mount_point(workspace);
            }
            for mount_point in mounted.iter().filter(is_text).rev() {
                let _ = umount(mount_point);
            }
            let left = mounted_below(workspace)?;
            let stays = left.iter().find(is_text);
            stays.map_or(Ok(()), |_| Err(Errno::EBUSY.into()))
        },
        ..SOLUTION
    },
};

/// The error that says most: "busy" is said of so much.
pub const RAREST_ERROR_RETURNED: Mistake<Answers> = Mistake {
    name: "rarest_error_returned",
    code: "delete-workspace/another-error",
    answers: Answers {
        delete_mount_point: |workspace| {
            let Err(error) = delete_mount_point(workspace) else { return Ok(()) };
            let mounted = mounted_below(workspace)?;
            let refusals = mounted.iter().filter_map(|mount_point| umount(mount_point).err());
            let mut others = refusals.filter(|errno| *errno != Errno::EBUSY);
            others.next().map_or(Err(error), |errno| Err(errno.into()))
        },
        ..SOLUTION
    },
};

/// The time is over, and so that is the error.
pub const BUSY_IS_TIMED_OUT: Mistake<Answers> = Mistake {
    name: "busy_is_timed_out",
    code: "delete-workspace/another-error",
    answers: Answers {
        delete_mount_point: |workspace| {
            delete_mount_point(workspace).map_err(|error| match error.raw_os_error() {
                Some(errno) if errno == Errno::EBUSY as i32 => io::ErrorKind::TimedOut.into(),
                _ => error,
            })
        },
        ..SOLUTION
    },
};

/// What stays mounted must be busy.
pub const WHATEVER_STAYS_IS_BUSY: Mistake<Answers> = Mistake {
    name: "whatever_stays_is_busy",
    code: "delete-workspace/errno-not-the-kernels",
    answers: Answers {
        delete_mount_point: |workspace| {
            delete_mount_point(workspace).map_err(|error| match error.kind() {
                io::ErrorKind::PermissionDenied => Errno::EBUSY.into(),
                _ => error,
            })
        },
        ..SOLUTION
    },
};

/// Where there is no table, there is nothing in it.
pub const NO_TABLE_NO_MOUNTS: Mistake<Answers> = {
    fn is_mounted(workspace: &Path) -> bool {
        let real = workspace.canonicalize().unwrap_or_default();
        let mounted = mount_points().unwrap_or_default();
        mounted.iter().any(|mount_point| mount_point.starts_with(&real))
    }
    Mistake {
        name: "no_table_no_mounts",
        code: "delete-workspace/error-ignored",
        answers: Answers {
            delete_write_layer: |workspace| {
                if is_mounted(workspace) {
                    return Err(io::Error::other("something is mounted"));
                }
                rm_rf(&workspace.join("write-layer"))?;
                rm_rf(&workspace.join("work"))
            },
            ..SOLUTION
        },
    }
};
