//! What people get wrong in lab 08.

mod flags;
mod gone;
mod links;
mod mount_point;
mod nearly;
mod overlooked;
mod refusals;
mod workspace;
mod write_layer;

use std::fs::{self, FileType, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use lab_08_grader::Answers;
use nix::errno::Errno;
use nix::fcntl::AT_FDCWD;

use super::solution::{delete, mounted_below, unmount as umount};
use crate::catalogue::Mistake;

/// See each one's comment.
pub static MISTAKES: &[Mistake<Answers>] = &[
    mount_point::THE_BLOGS_WAY,
    mount_point::ONLY_MNT,
    mount_point::PARENTS_FIRST,
    mount_point::ONE_UMOUNT_PER_FOLDER,
    mount_point::DEEPEST_PATH_FIRST,
    mount_point::NEWEST_FIRST_ONCE,
    mount_point::PREFIX_OF_THE_PATH,
    mount_point::ALL_CONTAINERS,
    mount_point::ESCAPES_NOT_UNDONE,
    mount_point::LINK_NOT_RESOLVED,
    mount_point::LAZY_UMOUNT,
    mount_point::BUSY_NOT_RETRIED,
    mount_point::RETRIED_FOR_EVER,
    mount_point::FAILED_UMOUNT_ONLY_PRINTED,
    mount_point::NOTHING_MOUNTED_IS_EINVAL,
    mount_point::MNT_DELETED_TOO,
    mount_point::UMOUNTS_NOTHING,
    mount_point::NOT_THE_WORKSPACE_ITSELF,
    mount_point::LINKS_FOLLOWED,
    mount_point::RETRIED_FOR_FOUR_SECONDS,
    mount_point::PAUSES_DOUBLED,
    mount_point::EINVAL_IS_GONE,
    mount_point::NO_TABLE_IS_NOTHING_MOUNTED,
    mount_point::HIDDEN_IS_GONE,
    mount_point::UNRESOLVED_IS_EVERYTHING,
    write_layer::NOT_CHECKED,
    write_layer::ONLY_MNT_CHECKED,
    write_layer::REFUSES_IN_SILENCE,
    write_layer::NEIGHBOUR_TAKEN_FOR_ITS_OWN,
    write_layer::LINKS_FOLLOWED,
    write_layer::MODES_OF_LINKED_FOLDERS,
    write_layer::CLOSED_FOLDERS,
    write_layer::WORK_LEFT,
    write_layer::GONE_IS_AN_ERROR,
    write_layer::INIT_LAYER_DELETED_TOO,
    write_layer::DELETES_NOTHING,
    write_layer::UNMOUNTS_INSTEAD_OF_REFUSING,
    write_layer::DELETION_ERRORS_DROPPED,
    write_layer::FIRST_ERROR_DROPPED,
    workspace::RM_RF,
    workspace::ONE_UMOUNT_THEN_RM_RF,
    workspace::FAILED_UMOUNT_LOGGED,
    workspace::FILES_FIRST,
    workspace::IMAGE_DELETED_TOO,
    workspace::FOLDER_LEFT,
    workspace::MNT_IS_THE_JOURNAL,
    workspace::RENAMED_FIRST,
    workspace::GONE_IS_AN_ERROR,
    workspace::NOTE_LEFT_BESIDE,
    workspace::ONLY_NAMED_PARTS,
    workspace::STRANGERS_LEFT_IN_SILENCE,
    workspace::ERRORS_IN_OWN_WORDS,
    workspace::GONE_WITHOUT_MNT,
    write_layer::GONE_WITHOUT_THE_WRITE_LAYER,
    write_layer::MODES_THROUGH_LINKS,
    refusals::ONLY_BUSY_COUNTS,
    refusals::NAMES_AS_TEXT,
    refusals::RAREST_ERROR_RETURNED,
    refusals::BUSY_IS_TIMED_OUT,
    refusals::WHATEVER_STAYS_IS_BUSY,
    refusals::NO_TABLE_NO_MOUNTS,
    links::FILES_OPENED_TOO,
    links::LAYER_OPENED_THROUGH_A_LINK,
    links::ONLY_THE_LINK_DELETED,
    links::ENTRIES_BY_IS_DIR,
    links::LAYERS_BY_EXISTS,
    links::DANGLING_LINKS_PASSED_OVER,
    links::LINKS_ON_THE_WAY_FOLLOWED,
    links::LINK_DELETED_FIRST,
    overlooked::FIRST_REFUSAL_RETURNED,
    overlooked::PATIENCE_FOR_EACH_MOUNT,
    overlooked::UNRESOLVED_IS_NOTHING,
    overlooked::MOUNTS_ON_FILES_PASSED_OVER,
    overlooked::LAYERS_GONE_SO_DONE,
    overlooked::COMPONENTS_OF_TEXT,
    overlooked::NAMES_WITH_DOTS,
    overlooked::LAYERS_AND_ROOT_CHECKED,
    overlooked::LAST_STEP_NOT_CHECKED,
    overlooked::NOT_EMPTY_IS_DONE,
    overlooked::PATIENCE_AFTER_PROGRESS,
    overlooked::UNRESOLVED_DOES_NOT_EXIST,
    overlooked::UNRESOLVED_HAS_NO_LAYERS,
    flags::BY_FORCE,
    flags::BY_FORCE_IF_BUSY,
    flags::EXPIRED,
    flags::EXPIRED_LAZILY,
    flags::OF_ANOTHER_CALL,
    nearly::TENTH_OF_A_SECOND,
    nearly::MOUNTS_OF_ITS_FILES,
    nearly::ONLY_USUAL_FILES,
    nearly::LOSSY_NAMES,
    nearly::PARENT_TOO,
    nearly::ONLY_BUSY_STOPS,
    gone::A_HUNDRED_TRIES,
    gone::TABLE_READ_ONCE,
    gone::NOTHING_TO_DELETE,
    workspace::CARE_ONLY_FOR_THE_WRITE_LAYER,
    workspace::ONE_LINK_READ,
];

/// Unmounts once, and tries again while that is busy.
fn umount_patiently(mount_point: &Path) -> io::Result<()> {
    for _ in 0..30 {
        match umount(mount_point) {
            Err(Errno::EBUSY) => sleep(Duration::from_millis(10)),
            other => return Ok(other?),
        }
    }
    Err(Errno::EBUSY.into())
}

/// Of several errors EBUSY, else the first. It may be that there is none.
fn most_important(refusals: &[Errno]) -> io::Result<()> {
    let busy = refusals.iter().find(|errno| **errno == Errno::EBUSY);
    busy.or(refusals.first()).map_or(Ok(()), |errno| Err((*errno).into()))
}

/// Deletes a folder that may be gone, with closed ones in it, and through mounts.
fn rm_rf(folder: &Path) -> io::Result<()> {
    delete(AT_FDCWD, folder)
}

/// Deletes a workspace, be it reached by a link.
fn rm_workspace(workspace: &Path) -> io::Result<()> {
    workspace.canonicalize().map_or(Ok(()), |workspace| rm_rf(&workspace))
}

fn open_folders(folder: &Path) -> io::Result<()> {
    let open = |path: &Path| fs::set_permissions(path, Permissions::from_mode(0o700));
    open(folder)?;
    each_below(folder, |path, kind| if kind.is_dir() { open(path) } else { Ok(()) })
}

/// Does this with all that is in a directory; what is in another one in it, after that.
fn each_below(
    directory: &Path,
    then: impl Fn(&Path, FileType) -> io::Result<()> + Copy,
) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let (path, kind) = (entry.path(), entry.file_type()?);
        then(&path, kind)?;
        if kind.is_dir() {
            each_below(&path, then)?;
        }
    }
    Ok(())
}
