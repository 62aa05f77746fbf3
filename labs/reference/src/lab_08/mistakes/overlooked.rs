//! What is looked at, but not all of it.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use lab_08_grader::Answers;
use nix::errno::Errno;

use super::{most_important, mounted_below, rm_rf, umount};
use crate::catalogue::Mistake;
use crate::lab_08::SOLUTION;
use crate::lab_08::solution::{
    delete_mount_point, delete_workspace, delete_write_layer, mount_points,
};

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

/// Compares whole components, but of text: two names that are not UTF-8 are the same one.
pub const COMPONENTS_OF_TEXT: Mistake<Answers> = {
    fn mounted_as_text(workspace: &Path) -> io::Result<Vec<PathBuf>> {
        let text = |path: &Path| PathBuf::from(path.to_string_lossy().into_owned());
        let Ok(real) = workspace.canonicalize() else { return mounted_below(workspace) };
        let mut mounted = mount_points()?;
        mounted.retain(|mount_point| text(mount_point).starts_with(text(&real)));
        Ok(mounted)
    }
    Mistake {
        name: "components_of_text",
        code: "delete-workspace/string-prefix",
        answers: Answers {
            delete_mount_point: |workspace| {
                let ours = mounted_below(workspace)?;
                let mut all = mounted_as_text(workspace)?;
                all.retain(|mount_point| !ours.contains(mount_point));
                all.iter().rev().try_for_each(|mount_point| umount(mount_point))?;
                delete_mount_point(workspace)
            },
            delete_write_layer: |workspace| match mounted_as_text(workspace)?.first() {
                Some(mount_point) => Err(io::Error::other(format!("{mount_point:?} is mounted"))),
                None => delete_write_layer(workspace),
            },
            ..SOLUTION
        },
    }
};

/// Passes over `.` and `..`, and over whatever else begins so.
pub const NAMES_WITH_DOTS: Mistake<Answers> = {
    fn delete_listed(directory: &Path) -> io::Result<()> {
        fs::set_permissions(directory, Permissions::from_mode(0o700))?;
        for entry in fs::read_dir(directory)? {
            let entry = entry?;
            match entry.file_type()? {
                _ if entry.file_name().as_bytes().starts_with(b".") => {}
                kind if kind.is_dir() => delete_listed(&entry.path())?,
                _ => fs::remove_file(entry.path())?,
            }
        }
        fs::remove_dir(directory)
    }
    Mistake {
        name: "names_with_dots",
        code: "delete-workspace/names-with-dots-left",
        answers: Answers {
            delete_write_layer: |workspace| {
                let layers = ["write-layer", "work"].map(|name| workspace.join(name));
                if mounted_below(workspace)?.is_empty() {
                    let is_directory = |path: &&PathBuf| path.is_dir() && !path.is_symlink();
                    layers.iter().filter(is_directory).try_for_each(|it| delete_listed(it))?;
                }
                delete_write_layer(workspace)
            },
            ..SOLUTION
        },
    }
};

/// Looks where a runtime mounts: at the root and at the layers, but not at all of them.
pub const LAYERS_AND_ROOT_CHECKED: Mistake<Answers> = Mistake {
    name: "layers_and_root_checked",
    code: "delete-workspace/deleted-while-mounted",
    answers: Answers {
        delete_write_layer: |workspace| {
            for part in ["mnt", "write-layer", "work"] {
                let part = workspace.join(part);
                if !part.is_symlink() && !mounted_below(&part)?.is_empty() {
                    return Err(Errno::EBUSY.into());
                }
            }
            // Whoever cannot know it does not delete.
            mounted_below(workspace)?;
            ["write-layer", "work"].iter().try_for_each(|name| rm_rf(&workspace.join(name)))
        },
        ..SOLUTION
    },
};

/// When all that was in it is gone, the directory itself is a trifle.
pub const LAST_STEP_NOT_CHECKED: Mistake<Answers> = Mistake {
    name: "last_step_not_checked",
    code: "delete-workspace/error-ignored",
    answers: Answers {
        delete_workspace: |workspace| {
            delete_mount_point(workspace)?;
            delete_write_layer(workspace)?;
            let Ok(real) = workspace.canonicalize() else { return delete_workspace(workspace) };
            for entry in fs::read_dir(&real)? {
                rm_rf(&entry?.path())?;
            }
            let _ = fs::remove_dir(real);
            Ok(())
        },
        ..SOLUTION
    },
};

/// Who says that a directory is not empty must be late: somebody else writes into it.
pub const NOT_EMPTY_IS_DONE: Mistake<Answers> = Mistake {
    name: "not_empty_is_done",
    code: "delete-workspace/error-ignored",
    answers: Answers {
        delete_write_layer: |workspace| {
            delete_write_layer(workspace).or_else(|error| match error.kind() {
                io::ErrorKind::DirectoryNotEmpty => Ok(()),
                _ => Err(error),
            })
        },
        ..SOLUTION
    },
};

/// Whenever one goes, there is hope for the others, and the time begins anew.
pub const PATIENCE_AFTER_PROGRESS: Mistake<Answers> = Mistake {
    name: "patience_after_progress",
    code: "delete-workspace/busy-retried-too-long",
    answers: Answers {
        delete_mount_point: |workspace| {
            let mut tries = 60;
            loop {
                let mounted = mounted_below(workspace)?;
                let refusals = mounted.iter().rev().filter_map(|it| umount(it).err());
                let refusals: Vec<Errno> = refusals.collect();
                if refusals.len() < mounted.len() {
                    tries = 60;
                } else if tries == 0 || !refusals.contains(&Errno::EBUSY) {
                    return most_important(&refusals);
                }
                tries -= 1;
                sleep(Duration::from_millis(20));
            }
        },
        ..SOLUTION
    },
};

/// `exists` is false whatever is wrong, so everything is taken to be gone.
pub const UNRESOLVED_DOES_NOT_EXIST: Mistake<Answers> = Mistake {
    name: "unresolved_does_not_exist",
    code: "delete-workspace/unresolved-is-gone",
    answers: Answers {
        delete_workspace: |workspace| {
            if !workspace.exists() {
                return Ok(());
            }
            delete_workspace(workspace)
        },
        ..SOLUTION
    },
};

/// The same. It sees that there is an error, but does not look which.
pub const UNRESOLVED_HAS_NO_LAYERS: Mistake<Answers> = Mistake {
    name: "unresolved_has_no_layers",
    code: "delete-workspace/unresolved-is-gone",
    answers: Answers {
        delete_write_layer: |workspace| match workspace.canonicalize() {
            Ok(real) => delete_write_layer(&real),
            Err(_) => Ok(()),
        },
        ..SOLUTION
    },
};
