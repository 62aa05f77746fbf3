//! What is looked at, but not all of it.

use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use lab_08_grader::Answers;
use nix::errno::Errno;

use super::{most_important, mounted_below, rm_rf, umount};
use crate::catalogue::Mistake;
use crate::lab_08::SOLUTION;
use crate::lab_08::solution::{delete_mount_point, delete_workspace};

/// Waits as long as one is busy, and then returns what was said first.
pub const FIRST_REFUSAL_RETURNED: Mistake<Answers> = Mistake {
    name: "first_refusal_returned",
    code: "delete-workspace/another-error",
    answers: Answers {
        delete_mount_point: |workspace| {
            let deadline = Instant::now() + Duration::from_millis(300);
            loop {
                let mounted = mounted_below(workspace)?;
                let refusals = mounted.iter().rev().filter_map(|it| umount(it).err());
                let refusals: Vec<Errno> = refusals.collect();
                match refusals.first() {
                    _ if refusals.len() < mounted.len() => {}
                    None => return Ok(()),
                    Some(_) if refusals.contains(&Errno::EBUSY) && Instant::now() < deadline => {
                        sleep(Duration::from_millis(10));
                    }
                    Some(errno) => return Err((*errno).into()),
                }
            }
        },
        ..SOLUTION
    },
};

/// Has its patience anew with each mount.
pub const PATIENCE_FOR_EACH_MOUNT: Mistake<Answers> = {
    fn patiently(mount_point: &Path) -> nix::Result<()> {
        for _ in 0..24 {
            match umount(mount_point) {
                Err(Errno::EBUSY) => sleep(Duration::from_millis(25)),
                other => return other,
            }
        }
        Err(Errno::EBUSY)
    }
    Mistake {
        name: "patience_for_each_mount",
        code: "delete-workspace/busy-retried-too-long",
        answers: Answers {
            delete_mount_point: |workspace| loop {
                let mounted = mounted_below(workspace)?;
                let refusals = mounted.iter().rev().filter_map(|it| patiently(it).err());
                let refusals: Vec<Errno> = refusals.collect();
                if refusals.len() == mounted.len() {
                    return most_important(&refusals);
                }
            },
            ..SOLUTION
        },
    }
};

/// A path that leads nowhere is that of no workspace, whatever the reason.
pub const UNRESOLVED_IS_NOTHING: Mistake<Answers> = Mistake {
    name: "unresolved_is_nothing",
    code: "delete-workspace/unresolved-is-gone",
    answers: Answers {
        delete_mount_point: |workspace| match workspace.canonicalize() {
            Ok(real) => delete_mount_point(&real),
            Err(_) => Ok(()),
        },
        ..SOLUTION
    },
};

/// Only a mount on a directory has anything in it that could be deleted.
pub const MOUNTS_ON_FILES_PASSED_OVER: Mistake<Answers> = Mistake {
    name: "mounts_on_files_passed_over",
    code: "delete-workspace/deleted-while-mounted",
    answers: Answers {
        delete_write_layer: |workspace| {
            if mounted_below(workspace)?.iter().any(|mount_point| mount_point.is_dir()) {
                return Err(Errno::EBUSY.into());
            }
            ["write-layer", "work"].iter().try_for_each(|name| rm_rf(&workspace.join(name)))
        },
        ..SOLUTION
    },
};

/// What the container has written is the workspace: when that is gone, it is done.
pub const LAYERS_GONE_SO_DONE: Mistake<Answers> = Mistake {
    name: "layers_gone_so_done",
    code: "delete-workspace/not-resumable",
    answers: Answers {
        delete_workspace: |workspace| {
            delete_mount_point(workspace)?;
            let mut layers = ["write-layer", "work"].iter().map(|name| workspace.join(name));
            if layers.all(|layer| layer.symlink_metadata().is_err()) {
                return Ok(());
            }
            delete_workspace(workspace)
        },
        ..SOLUTION
    },
};
