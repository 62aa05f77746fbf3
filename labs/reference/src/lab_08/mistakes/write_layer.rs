//! delete_write_layer.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use lab_08_grader::Answers;
use nix::errno::Errno;

use super::{mounted_below, open_folders, rm_rf, rm_workspace};
use crate::catalogue::Mistake;
use crate::lab_08::SOLUTION;
use crate::lab_08::solution::{delete_mount_point, delete_write_layer, mount_points};

/// Deletes both, whatever is mounted there.
fn delete_unchecked(workspace: &Path) -> io::Result<()> {
    rm_rf(&workspace.join("write-layer"))?;
    rm_rf(&workspace.join("work"))
}

/// Relies on the caller: the layer goes while the container runs on it.
pub const NOT_CHECKED: Mistake<Answers> = Mistake {
    name: "write_layer_not_checked",
    code: "delete-workspace/deleted-while-mounted",
    answers: Answers { delete_write_layer: delete_unchecked, ..SOLUTION },
};

/// Looks at mnt alone, and deletes the files of a volume in the write layer.
pub const ONLY_MNT_CHECKED: Mistake<Answers> = Mistake {
    name: "only_mnt_checked",
    code: "delete-workspace/deleted-while-mounted",
    answers: Answers {
        delete_write_layer: |workspace| {
            if mounted_below(workspace)?.contains(&workspace.join("mnt")) {
                return Err(Errno::EBUSY.into());
            }
            delete_unchecked(workspace)
        },
        ..SOLUTION
    },
};

/// Stops, and says that all is well.
pub const REFUSES_IN_SILENCE: Mistake<Answers> = Mistake {
    name: "refuses_in_silence",
    code: "delete-workspace/refused-in-silence",
    answers: Answers {
        delete_write_layer: |workspace| {
            if !mounted_below(workspace)?.is_empty() {
                return Ok(());
            }
            delete_write_layer(workspace)
        },
        ..SOLUTION
    },
};

/// Compares text, and waits for another container to end.
pub const NEIGHBOUR_TAKEN_FOR_ITS_OWN: Mistake<Answers> = Mistake {
    name: "neighbour_taken_for_its_own",
    code: "delete-workspace/string-prefix",
    answers: Answers {
        delete_write_layer: |workspace| {
            let prefix = workspace.to_string_lossy();
            if mount_points()?.iter().any(|it| it.to_string_lossy().starts_with(&*prefix)) {
                return Err(Errno::EBUSY.into());
            }
            delete_write_layer(workspace)
        },
        ..SOLUTION
    },
};

/// Path::is_dir follows links, and so the recursion goes through them.
pub const LINKS_FOLLOWED: Mistake<Answers> = {
    fn delete_all_in(folder: &Path) -> io::Result<()> {
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            if path.is_dir() {
                delete_all_in(&path)?;
            } else {
                fs::remove_file(&path)?;
            }
        }
        Ok(())
    }
    Mistake {
        name: "links_followed",
        code: "delete-workspace/symlink-followed",
        answers: Answers {
            delete_write_layer: |workspace| {
                if mounted_below(workspace)?.is_empty() && workspace.join("write-layer").exists() {
                    open_folders(&workspace.join("write-layer"))?;
                    delete_all_in(&workspace.join("write-layer"))?;
                }
                delete_write_layer(workspace)
            },
            ..SOLUTION
        },
    }
};

/// Does it with a file and, if that is a directory, with all below it.
fn each_below(path: &Path, change: fn(&Path) -> io::Result<()>) -> io::Result<()> {
    change(path)?;
    if path.is_dir() && !path.is_symlink() {
        for entry in fs::read_dir(path)? {
            each_below(&entry?.path(), change)?;
        }
    }
    Ok(())
}

/// chmod follows links too: the linked folder is open to everybody now.
pub const MODES_OF_LINKED_FOLDERS: Mistake<Answers> = {
    fn open(path: &Path) -> io::Result<()> {
        if path.symlink_metadata()?.is_file() {
            return Ok(());
        }
        fs::set_permissions(path, Permissions::from_mode(0o777))
    }
    Mistake {
        name: "modes_of_linked_folders",
        code: "delete-workspace/symlink-followed",
        answers: Answers {
            delete_write_layer: |workspace| {
                if mounted_below(workspace)?.is_empty() && workspace.join("write-layer").exists() {
                    each_below(&workspace.join("write-layer"), open)?;
                }
                delete_write_layer(workspace)
            },
            ..SOLUTION
        },
    }
};

/// remove_dir_all alone: nobody but root gets into work/work with mode 000.
pub const CLOSED_FOLDERS: Mistake<Answers> = {
    fn delete_closed(workspace: &Path) -> io::Result<()> {
        for name in ["write-layer", "work"] {
            match fs::remove_dir_all(workspace.join(name)) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                other => other?,
            }
        }
        Ok(())
    }
    Mistake {
        name: "closed_folders",
        code: "delete-workspace/closed-folder",
        answers: Answers {
            delete_write_layer: |workspace| match mounted_below(workspace)?.is_empty() {
                true => delete_closed(workspace),
                false => Err(Errno::EBUSY.into()),
            },
            delete_workspace: |workspace| {
                delete_mount_point(workspace)?;
                delete_closed(workspace)?;
                rm_workspace(workspace)
            },
            ..SOLUTION
        },
    }
};

/// AUFS has no work folder, and the blog deletes none.
pub const WORK_LEFT: Mistake<Answers> = Mistake {
    name: "work_left",
    code: "delete-workspace/left-behind",
    answers: Answers {
        delete_write_layer: |workspace| {
            if !mounted_below(workspace)?.is_empty() {
                return Err(Errno::EBUSY.into());
            }
            rm_rf(&workspace.join("write-layer"))
        },
        ..SOLUTION
    },
};

/// Does not expect to be called twice.
pub const GONE_IS_AN_ERROR: Mistake<Answers> = Mistake {
    name: "write_layer_gone_is_an_error",
    code: "delete-workspace/gone-is-a-failure",
    answers: Answers {
        delete_write_layer: |workspace| {
            workspace.join("write-layer").symlink_metadata()?;
            delete_write_layer(workspace)
        },
        ..SOLUTION
    },
};

/// Deletes all layers of the workspace, because they look alike.
pub const INIT_LAYER_DELETED_TOO: Mistake<Answers> = Mistake {
    name: "init_layer_deleted_too",
    code: "delete-workspace/deleted-too-much",
    answers: Answers {
        delete_write_layer: |workspace| {
            delete_write_layer(workspace)?;
            let _ = fs::remove_dir_all(workspace.join("init-layer"));
            Ok(())
        },
        ..SOLUTION
    },
};

/// Ok(()) to see what the tests say.
pub const DELETES_NOTHING: Mistake<Answers> = Mistake {
    name: "deletes_nothing",
    code: "answer/did-nothing",
    answers: Answers { delete_write_layer: |_| Ok(()), ..SOLUTION },
};

/// Makes it so that it may delete.
pub const UNMOUNTS_INSTEAD_OF_REFUSING: Mistake<Answers> = Mistake {
    name: "unmounts_instead_of_refusing",
    code: "delete-workspace/umounts-to-delete",
    answers: Answers {
        delete_write_layer: |workspace| {
            delete_mount_point(workspace)?;
            delete_write_layer(workspace)
        },
        ..SOLUTION
    },
};

/// What cannot be deleted is somebody else's worry.
pub const DELETION_ERRORS_DROPPED: Mistake<Answers> = Mistake {
    name: "deletion_errors_dropped",
    code: "delete-workspace/error-ignored",
    answers: Answers {
        delete_write_layer: |workspace| {
            if mount_points()?.iter().any(|it| it.starts_with(workspace)) {
                return delete_write_layer(workspace);
            }
            let _ = delete_write_layer(workspace);
            Ok(())
        },
        ..SOLUTION
    },
};

/// The second directory decides on what is returned.
pub const FIRST_ERROR_DROPPED: Mistake<Answers> = Mistake {
    name: "first_error_dropped",
    code: "delete-workspace/error-ignored",
    answers: Answers {
        delete_write_layer: |workspace| {
            if !mounted_below(workspace)?.is_empty() {
                return Err(io::Error::other("something is mounted"));
            }
            let _ = rm_rf(&workspace.join("write-layer"));
            rm_rf(&workspace.join("work"))
        },
        ..SOLUTION
    },
};

/// No write layer, nothing to do: but work may be there.
pub const GONE_WITHOUT_THE_WRITE_LAYER: Mistake<Answers> = Mistake {
    name: "gone_without_the_write_layer",
    code: "delete-workspace/not-resumable",
    answers: Answers {
        delete_write_layer: |workspace| {
            let layer = workspace.join("write-layer");
            if mounted_below(workspace)?.is_empty() && layer.symlink_metadata().is_err() {
                return Ok(());
            }
            delete_write_layer(workspace)
        },
        ..SOLUTION
    },
};

/// Opens what it finds to its owner, and asks of a link what it leads to.
pub const MODES_THROUGH_LINKS: Mistake<Answers> = {
    fn open(path: &Path) -> io::Result<()> {
        if !path.is_dir() {
            return Ok(());
        }
        let mode = path.metadata()?.permissions().mode();
        fs::set_permissions(path, Permissions::from_mode(mode | 0o700))
    }
    Mistake {
        name: "modes_through_links",
        code: "delete-workspace/symlink-followed",
        answers: Answers {
            delete_write_layer: |workspace| {
                if mounted_below(workspace)?.is_empty() {
                    each_below(&workspace.join("write-layer"), open)?;
                    each_below(&workspace.join("work"), open)?;
                }
                delete_write_layer(workspace)
            },
            ..SOLUTION
        },
    }
};
