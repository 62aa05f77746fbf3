//! Symbolic links, and files with another name.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use lab_08_grader::Answers;
use nix::mount::{MntFlags, umount2};

use super::mount_point::unmount_all;
use super::{each_below, mounted_below, open_folders, rm_rf};
use crate::catalogue::Mistake;
use crate::lab_08::SOLUTION;
use crate::lab_08::solution::{delete_mount_point, delete_workspace, delete_write_layer};

/// A read-only file cannot be deleted, it seems: as in other systems.
pub const FILES_OPENED_TOO: Mistake<Answers> = Mistake {
    name: "files_opened_too",
    code: "delete-workspace/hard-linked-file-changed",
    answers: Answers {
        delete_write_layer: |workspace| {
            let layer = workspace.join("write-layer");
            let is_there = layer.symlink_metadata().is_ok_and(|data| data.is_dir());
            if is_there && mounted_below(workspace)?.is_empty() {
                open_folders(&layer)?;
                each_below(&layer, |path, kind| match kind.is_file() {
                    true => fs::set_permissions(path, Permissions::from_mode(0o644)),
                    false => Ok(()),
                })?;
            }
            delete_write_layer(workspace)
        },
        ..SOLUTION
    },
};

/// The layer itself is a directory, for the function that made it says so.
pub const LAYER_OPENED_THROUGH_A_LINK: Mistake<Answers> = Mistake {
    name: "layer_opened_through_a_link",
    code: "delete-workspace/symlink-followed",
    answers: Answers {
        delete_write_layer: |workspace| {
            let layer = workspace.join("write-layer");
            if layer.exists() && mounted_below(workspace)?.is_empty() {
                fs::set_permissions(layer, Permissions::from_mode(0o700))?;
            }
            delete_write_layer(workspace)
        },
        ..SOLUTION
    },
};

/// What has the name is gone: the link, and nothing that it leads to.
pub const ONLY_THE_LINK_DELETED: Mistake<Answers> = Mistake {
    name: "only_the_link_deleted",
    code: "delete-workspace/only-the-link-deleted",
    answers: Answers {
        delete_workspace: |workspace| {
            if !workspace.is_symlink() {
                return delete_workspace(workspace);
            }
            delete_mount_point(workspace)?;
            delete_write_layer(workspace)?;
            fs::remove_file(workspace)
        },
        ..SOLUTION
    },
};

/// Asks of each entry whether it is a directory, and a link to one says yes.
pub const ENTRIES_BY_IS_DIR: Mistake<Answers> = {
    fn empty(directory: &Path) -> io::Result<()> {
        for entry in fs::read_dir(directory)? {
            let path = entry?.path();
            if path.is_dir() {
                fs::remove_dir_all(&path)?;
            } else {
                fs::remove_file(&path)?;
            }
        }
        Ok(())
    }
    Mistake {
        name: "entries_by_is_dir",
        code: "delete-workspace/symlink-followed",
        answers: Answers {
            delete_workspace: |workspace| {
                delete_mount_point(workspace)?;
                if let Ok(entries) = fs::read_dir(workspace) {
                    let links = entries.flatten().filter(|entry| entry.path().is_symlink());
                    for link in links.filter(|link| link.path().is_dir()) {
                        open_folders(&link.path())?;
                        empty(&link.path())?;
                    }
                }
                delete_workspace(workspace)
            },
            ..SOLUTION
        },
    }
};

/// It is not an error if one is gone, so it looks first: through a link.
pub const LAYERS_BY_EXISTS: Mistake<Answers> = Mistake {
    name: "layers_by_exists",
    code: "delete-workspace/dangling-link-left",
    answers: Answers {
        delete_write_layer: |workspace| {
            if let Some(mount_point) = mounted_below(workspace)?.first() {
                return Err(io::Error::other(format!("{mount_point:?} is still mounted")));
            }
            let layers = ["write-layer", "work"].map(|name| workspace.join(name));
            layers.iter().filter(|layer| layer.exists()).try_for_each(|layer| rm_rf(layer))
        },
        ..SOLUTION
    },
};

/// Somebody else may delete there, too, so it looks whether each file still exists.
pub const DANGLING_LINKS_PASSED_OVER: Mistake<Answers> = {
    fn empty(directory: &Path) -> io::Result<()> {
        fs::set_permissions(directory, Permissions::from_mode(0o700))?;
        let entries = fs::read_dir(directory)?.map(|entry| Ok(entry?.path()));
        let mut paths = entries.collect::<io::Result<Vec<PathBuf>>>()?;
        paths.sort();
        for path in paths.iter().filter(|path| path.exists()) {
            if path.symlink_metadata()?.is_dir() {
                empty(path)?;
                fs::remove_dir(path)?;
            } else {
                fs::remove_file(path)?;
            }
        }
        Ok(())
    }
    Mistake {
        name: "dangling_links_passed_over",
        code: "delete-workspace/dangling-link-left",
        answers: Answers {
            delete_workspace: |workspace| {
                delete_mount_point(workspace)?;
                let Ok(real) = workspace.canonicalize() else { return delete_workspace(workspace) };
                empty(&real)?;
                fs::remove_dir(real)
            },
            ..SOLUTION
        },
    }
};

/// UMOUNT_NOFOLLOW says that no link is followed. But it concerns only the last part of a path.
pub const LINKS_ON_THE_WAY_FOLLOWED: Mistake<Answers> = Mistake {
    name: "links_on_the_way_followed",
    code: "delete-workspace/link-on-the-way-followed",
    answers: Answers {
        delete_mount_point: |workspace| {
            let umount = |path: &Path| umount2(path, MntFlags::UMOUNT_NOFOLLOW);
            unmount_all(|| mounted_below(workspace), umount)
        },
        ..SOLUTION
    },
};

/// The link is small, so it goes first. After a kill, nobody finds the rest.
pub const LINK_DELETED_FIRST: Mistake<Answers> = Mistake {
    name: "link_deleted_first",
    code: "delete-workspace/link-gone-first",
    answers: Answers {
        delete_workspace: |workspace| {
            let Ok(real) = workspace.canonicalize() else { return delete_workspace(workspace) };
            delete_mount_point(&real)?;
            delete_write_layer(&real)?;
            if workspace.is_symlink() {
                fs::remove_file(workspace)?;
            }
            delete_workspace(&real)
        },
        ..SOLUTION
    },
};
