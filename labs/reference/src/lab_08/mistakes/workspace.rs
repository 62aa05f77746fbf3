//! delete_workspace.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use lab_08_grader::Answers;

use super::{mounted_below, open_folders, rm_rf, rm_workspace, umount_patiently};
use crate::catalogue::Mistake;
use crate::lab_08::SOLUTION;
use crate::lab_08::solution::{delete_mount_point, delete_workspace, delete_write_layer};

/// Says what went wrong, and goes on.
fn log<T>(result: io::Result<T>) {
    if let Err(error) = result {
        eprintln!("{error}");
    }
}

/// It is but a folder: `rm -rf` goes through the mounts into the volume.
pub const RM_RF: Mistake<Answers> = Mistake {
    name: "rm_rf_while_mounted",
    code: "delete-workspace/volume-emptied",
    answers: Answers { delete_workspace: |workspace| fs::remove_dir_all(workspace), ..SOLUTION },
};

/// Unmounts each folder once, as it has mounted each once: after a crash and a
/// second start the first root is still there, below the second.
pub const ONE_UMOUNT_THEN_RM_RF: Mistake<Answers> = Mistake {
    name: "one_umount_then_rm_rf",
    code: "delete-workspace/stacked-umounted-once",
    answers: Answers {
        delete_workspace: |workspace| {
            let mounted: BTreeSet<PathBuf> = mounted_below(workspace)?.into_iter().collect();
            mounted.iter().rev().try_for_each(|it| umount_patiently(it))?;
            rm_workspace(workspace)
        },
        ..SOLUTION
    },
};

/// A failed umount is written to a log that nobody reads in time.
pub const FAILED_UMOUNT_LOGGED: Mistake<Answers> = Mistake {
    name: "failed_umount_logged",
    code: "delete-workspace/failed-umount-ignored",
    answers: Answers {
        delete_workspace: |workspace| {
            log(delete_mount_point(workspace));
            for name in ["mnt", "write-layer", "work", "init-layer"] {
                log(fs::remove_dir_all(workspace.join(name)));
            }
            delete_workspace(workspace)
        },
        ..SOLUTION
    },
};

/// The write layer goes first, while the container is still mounted on it.
pub const FILES_FIRST: Mistake<Answers> = Mistake {
    name: "files_first",
    code: "delete-workspace/deleted-while-mounted",
    answers: Answers {
        delete_workspace: |workspace| {
            for name in ["write-layer", "work"] {
                log(fs::remove_dir_all(workspace.join(name)));
            }
            delete_workspace(workspace)
        },
        ..SOLUTION
    },
};

/// In the blog the image lies beside the write layer, and both seem to be the
/// container's.
pub const IMAGE_DELETED_TOO: Mistake<Answers> = Mistake {
    name: "image_deleted_too",
    code: "delete-workspace/image-changed",
    answers: Answers {
        delete_workspace: |workspace| {
            delete_workspace(workspace)?;
            let root = workspace.parent().and_then(Path::parent);
            root.map_or(Ok(()), |root| fs::remove_dir_all(root.join("images")))
        },
        ..SOLUTION
    },
};

/// Deletes what is in the folder, and not the folder.
pub const FOLDER_LEFT: Mistake<Answers> = Mistake {
    name: "folder_left",
    code: "delete-workspace/left-behind",
    answers: Answers {
        delete_workspace: |workspace| {
            delete_mount_point(workspace)?;
            delete_write_layer(workspace)?;
            rm_rf(&workspace.join("init-layer"))?;
            rm_rf(&workspace.join("mnt"))
        },
        ..SOLUTION
    },
};

/// No mnt, no workspace: after a kill the layers stay for ever.
pub const MNT_IS_THE_JOURNAL: Mistake<Answers> = Mistake {
    name: "mnt_is_the_journal",
    code: "delete-workspace/not-resumable",
    answers: Answers {
        delete_workspace: |workspace| {
            if !workspace.join("mnt").exists() {
                return Ok(());
            }
            delete_mount_point(workspace)?;
            fs::remove_dir(workspace.join("mnt"))?;
            delete_workspace(workspace)
        },
        ..SOLUTION
    },
};

/// Gives the folder another name, so that the container is gone at once: after a
/// kill nobody knows that name.
pub const RENAMED_FIRST: Mistake<Answers> = Mistake {
    name: "renamed_first",
    code: "delete-workspace/orphan-left",
    answers: Answers {
        delete_workspace: |workspace| {
            if workspace.canonicalize().is_err() {
                return delete_workspace(workspace);
            }
            delete_mount_point(workspace)?;
            let aside = workspace.with_extension("deleted");
            fs::rename(workspace, &aside)?;
            delete_workspace(&aside)
        },
        ..SOLUTION
    },
};

/// Deletes part by part, and stops at the first that is gone.
pub const GONE_IS_AN_ERROR: Mistake<Answers> = Mistake {
    name: "workspace_gone_is_an_error",
    code: "delete-workspace/gone-is-a-failure",
    answers: Answers {
        delete_workspace: |workspace| {
            delete_mount_point(workspace)?;
            let layer = workspace.join("init-layer");
            open_folders(&layer)?;
            fs::remove_dir_all(layer)?;
            delete_workspace(workspace)
        },
        ..SOLUTION
    },
};

/// Keeps a note of what was deleted, beside it.
pub const NOTE_LEFT_BESIDE: Mistake<Answers> = Mistake {
    name: "note_left_beside",
    code: "delete-workspace/litter-left",
    answers: Answers {
        delete_workspace: |workspace| {
            delete_workspace(workspace)?;
            fs::write(workspace.with_extension("deleted"), "deleted")
        },
        ..SOLUTION
    },
};

/// Knows its own parts by name: with a lock or a log beside them the folder stays.
pub const ONLY_NAMED_PARTS: Mistake<Answers> = Mistake {
    name: "only_named_parts",
    code: "delete-workspace/only-known-parts-deleted",
    answers: Answers {
        delete_workspace: |workspace| {
            delete_mount_point(workspace)?;
            delete_write_layer(workspace)?;
            rm_rf(&workspace.join("init-layer"))?;
            rm_rf(&workspace.join("mnt"))?;
            workspace.canonicalize().map_or(Ok(()), fs::remove_dir)
        },
        ..SOLUTION
    },
};

/// The same, and who asks is told that all went well.
pub const STRANGERS_LEFT_IN_SILENCE: Mistake<Answers> = Mistake {
    name: "strangers_left_in_silence",
    code: "delete-workspace/only-known-parts-deleted",
    answers: Answers {
        delete_workspace: |workspace| {
            let told = (ONLY_NAMED_PARTS.answers.delete_workspace)(workspace);
            let is_there = |part: &str| workspace.join(part).symlink_metadata().is_ok();
            let parts = ["init-layer", "write-layer", "work", "mnt"];
            let is_empty = fs::read_dir(workspace).map_or(true, |mut it| it.next().is_none());
            if is_empty || parts.iter().any(|part| is_there(part)) { told } else { Ok(()) }
        },
        ..SOLUTION
    },
};

/// An error of its own for each step: nobody can tell any more that it was busy.
pub const ERRORS_IN_OWN_WORDS: Mistake<Answers> = Mistake {
    name: "errors_in_own_words",
    code: "delete-workspace/another-error",
    answers: Answers {
        delete_workspace: |workspace| {
            delete_mount_point(workspace).map_err(|_| io::Error::other("umount failed"))?;
            delete_workspace(workspace)
        },
        ..SOLUTION
    },
};

/// mnt is what it deletes last: without it all is taken to be gone.
pub const GONE_WITHOUT_MNT: Mistake<Answers> = Mistake {
    name: "gone_without_mnt",
    code: "delete-workspace/not-resumable",
    answers: Answers {
        delete_workspace: |workspace| {
            if !workspace.join("mnt").exists() {
                return Ok(());
            }
            delete_workspace(workspace)
        },
        ..SOLUTION
    },
};

/// Only a container closes directories, so only its layer needs care.
pub const CARE_ONLY_FOR_THE_WRITE_LAYER: Mistake<Answers> = Mistake {
    name: "care_only_for_the_write_layer",
    code: "delete-workspace/closed-folder",
    answers: Answers {
        delete_workspace: |workspace| {
            let Ok(real) = workspace.canonicalize() else { return delete_workspace(workspace) };
            delete_mount_point(&real)?;
            delete_write_layer(&real)?;
            fs::remove_dir_all(real)
        },
        ..SOLUTION
    },
};

/// The link says where the directory is, it seems: that may be another link, on which rmdir
/// fails.
pub const ONE_LINK_READ: Mistake<Answers> = Mistake {
    name: "one_link_read",
    code: "delete-workspace/link-resolved-once",
    answers: Answers {
        delete_workspace: |workspace| {
            delete_mount_point(workspace)?;
            delete_write_layer(workspace)?;
            let Ok(target) = fs::read_link(workspace) else { return delete_workspace(workspace) };
            let directory = workspace.parent().unwrap_or(workspace).join(target);
            let Ok(entries) = fs::read_dir(&directory) else { return delete_workspace(workspace) };
            for entry in entries {
                rm_rf(&entry?.path())?;
            }
            fs::remove_dir(directory)
        },
        ..SOLUTION
    },
};
