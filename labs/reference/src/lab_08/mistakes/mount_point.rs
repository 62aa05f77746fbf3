//! delete_mount_point; most of these spoil delete_workspace, which calls it, too.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use lab_08_grader::Answers;
use nix::errno::Errno;
use nix::mount::{MntFlags, umount2};

use super::{most_important, mounted_below, rm_workspace, umount, umount_patiently};
use crate::catalogue::Mistake;
use crate::lab_08::SOLUTION;
use crate::lab_08::solution::{delete_mount_point, delete_write_layer, mount_points};

/// The rest of delete_workspace, where the mounts are gone.
fn delete_files(workspace: &Path) -> io::Result<()> {
    delete_write_layer(workspace)?;
    rm_workspace(workspace)
}

/// DeleteMountPoint of the blog: `umount mnt`, an error is only logged, and then
/// os.RemoveAll. A volume below mnt keeps it busy, and RemoveAll goes into it.
pub const THE_BLOGS_WAY: Mistake<Answers> = {
    fn umount_and_remove(workspace: &Path) -> io::Result<()> {
        let mnt = workspace.join("mnt");
        if let Err(errno) = umount(&mnt) {
            eprintln!("umount {mnt:?}: {errno}");
        }
        let _ = fs::remove_dir_all(&mnt);
        Ok(())
    }
    Mistake {
        name: "the_blogs_way",
        code: "delete-workspace/volume-emptied",
        answers: Answers {
            delete_mount_point: umount_and_remove,
            delete_workspace: |workspace| {
                umount_and_remove(workspace)?;
                delete_files(workspace)
            },
            ..SOLUTION
        },
    }
};

/// Knows of the one mount that it has made itself: a volume keeps it busy.
pub const ONLY_MNT: Mistake<Answers> = {
    fn only_mnt(workspace: &Path) -> io::Result<()> {
        let mnt = workspace.join("mnt");
        while mounted_below(workspace)?.contains(&mnt) {
            umount(&mnt)?;
        }
        Ok(())
    }
    Mistake {
        name: "only_mnt",
        code: "delete-workspace/parent-first",
        answers: Answers {
            delete_mount_point: only_mnt,
            delete_workspace: |workspace| {
                only_mnt(workspace)?;
                delete_files(workspace)
            },
            ..SOLUTION
        },
    }
};

/// Goes through the mount table from its beginning.
pub const PARENTS_FIRST: Mistake<Answers> = Mistake {
    name: "parents_first",
    code: "delete-workspace/parent-first",
    answers: Answers {
        delete_mount_point: |workspace| {
            mounted_below(workspace)?.iter().try_for_each(|it| umount_patiently(it))
        },
        ..SOLUTION
    },
};

/// Puts the paths into a set, and so unmounts a folder once, however often it is
/// mounted on.
pub const ONE_UMOUNT_PER_FOLDER: Mistake<Answers> = {
    fn once_each(workspace: &Path) -> io::Result<()> {
        let mounted: BTreeSet<PathBuf> = mounted_below(workspace)?.into_iter().collect();
        mounted.iter().rev().try_for_each(|mount_point| umount_patiently(mount_point))
    }
    Mistake {
        name: "one_umount_per_folder",
        code: "delete-workspace/stacked-umounted-once",
        answers: Answers {
            delete_mount_point: once_each,
            delete_workspace: |workspace| {
                once_each(workspace)?;
                delete_files(workspace)
            },
            ..SOLUTION
        },
    }
};

/// The longest path first: right for what lies below one another, but the path
/// of a covered mount leads to what covers it, where nothing is mounted: EINVAL.
pub const DEEPEST_PATH_FIRST: Mistake<Answers> = Mistake {
    name: "deepest_path_first",
    code: "delete-workspace/covered-mount-left",
    answers: Answers {
        delete_mount_point: |workspace| {
            let mut mounted = mounted_below(workspace)?;
            mounted.sort_by_key(|mount_point| mount_point.components().count());
            mounted.iter().rev().try_for_each(|it| umount_patiently(it))
        },
        ..SOLUTION
    },
};

/// Takes the table's order for the order of the tree: a mount that was moved, or
/// made with fsmount and attached later, is older than what it lies on.
pub const NEWEST_FIRST_ONCE: Mistake<Answers> = Mistake {
    name: "newest_first_once",
    code: "delete-workspace/order-of-the-table",
    answers: Answers {
        delete_mount_point: |workspace| {
            mounted_below(workspace)?.iter().rev().try_for_each(|it| umount_patiently(it))
        },
        ..SOLUTION
    },
};

/// Compares text: `…/ws10` begins with `…/ws1`.
pub const PREFIX_OF_THE_PATH: Mistake<Answers> = {
    fn by_prefix(workspace: &Path) -> io::Result<()> {
        if let Ok(real_path) = workspace.canonicalize() {
            let prefix = real_path.to_string_lossy().into_owned();
            let mut mounted = mount_points()?;
            mounted.retain(|mount_point| mount_point.to_string_lossy().starts_with(&prefix));
            for mount_point in mounted.iter().rev() {
                let _ = umount(mount_point);
            }
        }
        delete_mount_point(workspace)
    }
    Mistake {
        name: "prefix_of_the_path",
        code: "delete-workspace/string-prefix",
        answers: Answers {
            delete_mount_point: by_prefix,
            delete_workspace: |workspace| {
                by_prefix(workspace)?;
                delete_files(workspace)
            },
            ..SOLUTION
        },
    }
};

/// Cleans up all containers, because the folder of all is at hand.
pub const ALL_CONTAINERS: Mistake<Answers> = {
    fn all_containers(workspace: &Path) -> io::Result<()> {
        delete_mount_point(workspace.parent().unwrap_or(workspace))
    }
    Mistake {
        name: "all_containers",
        code: "delete-workspace/neighbour-unmounted",
        answers: Answers {
            delete_mount_point: all_containers,
            delete_workspace: |workspace| {
                all_containers(workspace)?;
                delete_files(workspace)
            },
            ..SOLUTION
        },
    }
};

/// Reads the table itself, and takes its fifth field for the path.
pub const ESCAPES_NOT_UNDONE: Mistake<Answers> = Mistake {
    name: "escapes_not_undone",
    code: "delete-workspace/escapes-not-undone",
    answers: Answers {
        delete_mount_point: |workspace| {
            let table = fs::read("/proc/self/mountinfo")?;
            let lines = table.split(|byte| *byte == b'\n');
            let fifth = lines.filter_map(|line| line.split(|byte| *byte == b' ').nth(4));
            let written: Vec<&Path> = fifth.map(|it| Path::new(OsStr::from_bytes(it))).collect();
            let Ok(real_path) = workspace.canonicalize() else {
                return delete_mount_point(workspace);
            };
            if written.iter().any(|mount_point| mount_point.starts_with(&real_path)) {
                return delete_mount_point(workspace);
            }
            Ok(())
        },
        ..SOLUTION
    },
};

/// Looks for the path that it was given, and the table has the real one.
pub const LINK_NOT_RESOLVED: Mistake<Answers> = Mistake {
    name: "link_not_resolved",
    code: "delete-workspace/link-not-resolved",
    answers: Answers {
        delete_mount_point: |workspace| {
            if mount_points()?.iter().any(|mount_point| mount_point.starts_with(workspace)) {
                return delete_mount_point(workspace);
            }
            Ok(())
        },
        ..SOLUTION
    },
};

/// MNT_DETACH always works, and so seems to be the better umount: whoever keeps
/// the mount busy goes on writing to what is being deleted.
pub const LAZY_UMOUNT: Mistake<Answers> = {
    fn lazily(workspace: &Path) -> io::Result<()> {
        while let Some(mount_point) = mounted_below(workspace)?.last() {
            umount2(mount_point, MntFlags::MNT_DETACH)?;
        }
        Ok(())
    }
    Mistake {
        name: "lazy_umount",
        code: "delete-workspace/lazy-umount",
        answers: Answers {
            delete_mount_point: lazily,
            delete_workspace: |workspace| {
                lazily(workspace)?;
                delete_files(workspace)
            },
            ..SOLUTION
        },
    }
};

/// All in the right order, and EBUSY is final.
pub const BUSY_NOT_RETRIED: Mistake<Answers> = Mistake {
    name: "busy_not_retried",
    code: "delete-workspace/busy-not-retried",
    answers: Answers {
        delete_mount_point: |workspace| {
            for _ in 0..2 {
                for mount_point in mounted_below(workspace)?.iter().rev() {
                    let _ = umount(mount_point);
                }
            }
            let left = mounted_below(workspace)?;
            most_important(&left.iter().filter_map(|it| umount(it).err()).collect::<Vec<_>>())
        },
        ..SOLUTION
    },
};

/// It will be free some day.
pub const RETRIED_FOR_EVER: Mistake<Answers> = Mistake {
    name: "retried_for_ever",
    code: "answer/hung",
    answers: Answers {
        delete_mount_point: |workspace| {
            while let Err(error) = delete_mount_point(workspace) {
                if error.raw_os_error() != Some(Errno::EBUSY as i32) {
                    return Err(error);
                }
            }
            Ok(())
        },
        ..SOLUTION
    },
};

/// The message is on the terminal, and the caller goes on.
pub const FAILED_UMOUNT_ONLY_PRINTED: Mistake<Answers> = Mistake {
    name: "failed_umount_only_printed",
    code: "delete-workspace/failed-umount-ignored",
    answers: Answers {
        delete_mount_point: |workspace| {
            if mounted_below(workspace)?.is_empty() {
                return Ok(());
            }
            if let Err(error) = delete_mount_point(workspace) {
                eprintln!("umount: {error}");
            }
            Ok(())
        },
        ..SOLUTION
    },
};

/// Unmounts mnt without a look whether it is mounted: EINVAL at the second call.
pub const NOTHING_MOUNTED_IS_EINVAL: Mistake<Answers> = Mistake {
    name: "nothing_mounted_is_einval",
    code: "delete-workspace/gone-is-a-failure",
    answers: Answers {
        delete_mount_point: |workspace| {
            if mounted_below(workspace)?.is_empty() {
                return umount_patiently(&workspace.join("mnt"));
            }
            delete_mount_point(workspace)
        },
        ..SOLUTION
    },
};

/// Also removes the folder mnt, as its name seems to ask for.
pub const MNT_DELETED_TOO: Mistake<Answers> = Mistake {
    name: "mnt_deleted_too",
    code: "delete-workspace/deleted-too-much",
    answers: Answers {
        delete_mount_point: |workspace| {
            delete_mount_point(workspace)?;
            let _ = fs::remove_dir(workspace.join("mnt"));
            Ok(())
        },
        ..SOLUTION
    },
};

/// Ok(()) to see what the tests say.
pub const UMOUNTS_NOTHING: Mistake<Answers> = Mistake {
    name: "umounts_nothing",
    code: "answer/did-nothing",
    answers: Answers { delete_mount_point: |_| Ok(()), ..SOLUTION },
};

/// Takes "below" by the letter.
pub const NOT_THE_WORKSPACE_ITSELF: Mistake<Answers> = {
    fn strictly_below(workspace: &Path) -> io::Result<()> {
        let Ok(real) = workspace.canonicalize() else { return delete_mount_point(workspace) };
        let mounted = || {
            let mut mounted = mounted_below(workspace)?;
            mounted.retain(|mount_point| *mount_point != real);
            Ok(mounted)
        };
        unmount_all(mounted, umount)
    }
    Mistake {
        name: "not_the_workspace_itself",
        code: "delete-workspace/workspace-itself-left",
        answers: Answers { delete_mount_point: strictly_below, ..SOLUTION },
    }
};

/// A name is a name: whatever lies there by now is unmounted.
pub const LINKS_FOLLOWED: Mistake<Answers> = Mistake {
    name: "links_of_the_container_followed",
    code: "delete-workspace/umount-follows-links",
    answers: Answers {
        delete_mount_point: |workspace| {
            unmount_all(|| mounted_below(workspace), nix::mount::umount)
        },
        ..SOLUTION
    },
};

/// Patience without measure: the user waits.
pub const RETRIED_FOR_FOUR_SECONDS: Mistake<Answers> = {
    fn patiently(workspace: &Path) -> io::Result<()> {
        let deadline = Instant::now() + Duration::from_secs(4);
        loop {
            match delete_mount_point(workspace) {
                Err(error) if Instant::now() > deadline => return Err(error),
                Err(_) => {}
                Ok(()) => return Ok(()),
            }
        }
    }
    Mistake {
        name: "retried_for_four_seconds",
        code: "delete-workspace/busy-retried-too-long",
        answers: Answers { delete_mount_point: patiently, ..SOLUTION },
    }
};

/// Each pause is twice as long as the one before it, and the last one alone is longer
/// than what is left of the time.
pub const PAUSES_DOUBLED: Mistake<Answers> = Mistake {
    name: "pauses_doubled",
    code: "delete-workspace/busy-retried-too-long",
    answers: Answers {
        delete_mount_point: |workspace| {
            let mut pauses = (0..8).map(|nth| Duration::from_millis(10 << nth));
            loop {
                let mounted = mounted_below(workspace)?;
                let refusals = mounted.iter().rev().filter_map(|it| umount(it).err());
                let refusals: Vec<_> = refusals.collect();
                if mounted.is_empty() {
                    return Ok(());
                }
                if refusals.len() == mounted.len() {
                    match pauses.next() {
                        Some(pause) if refusals.contains(&Errno::EBUSY) => sleep(pause),
                        _ => return most_important(&refusals),
                    }
                }
            }
        },
        ..SOLUTION
    },
};

/// EINVAL must mean that it is gone already; but a covered mount says so too.
pub const EINVAL_IS_GONE: Mistake<Answers> = Mistake {
    name: "einval_is_gone",
    code: "delete-workspace/covered-mount-left",
    answers: Answers {
        delete_mount_point: |workspace| deepest_first(workspace, &[Errno::EINVAL]),
        ..SOLUTION
    },
};

/// Deepest paths first, each once; what says one of `gone` is taken to be gone.
fn deepest_first(workspace: &Path, gone: &[Errno]) -> io::Result<()> {
    let mut mounted = mounted_below(workspace)?;
    mounted.sort_by_key(|mount_point| std::cmp::Reverse(mount_point.components().count()));
    let is_gone =
        |error: &io::Error| gone.iter().any(|errno| error.raw_os_error() == Some(*errno as i32));
    mounted.iter().try_for_each(|mount_point| match umount_patiently(mount_point) {
        Err(error) if is_gone(&error) => Ok(()),
        other => other,
    })
}

/// The solution's loop over what `mounted` finds.
pub fn unmount_all(
    mounted: impl Fn() -> io::Result<Vec<PathBuf>>,
    umount: impl Fn(&Path) -> nix::Result<()>,
) -> io::Result<()> {
    let deadline = Instant::now() + Duration::from_millis(300);
    loop {
        let mounted = mounted()?;
        if mounted.is_empty() {
            return Ok(());
        }
        let refusals: Vec<_> = mounted.iter().rev().filter_map(|it| umount(it).err()).collect();
        if refusals.len() == mounted.len() {
            if Instant::now() > deadline {
                return most_important(&refusals);
            }
            sleep(Duration::from_millis(10));
        }
    }
}

/// The table cannot be read, so there is nothing to do.
pub const NO_TABLE_IS_NOTHING_MOUNTED: Mistake<Answers> = Mistake {
    name: "no_table_is_nothing_mounted",
    code: "delete-workspace/error-ignored",
    answers: Answers {
        delete_mount_point: |workspace| match mount_points() {
            Ok(_) => delete_mount_point(workspace),
            Err(_) => Ok(()),
        },
        ..SOLUTION
    },
};

/// Deepest paths first, once; what is hidden by now says EINVAL, and is taken for gone.
pub const HIDDEN_IS_GONE: Mistake<Answers> = Mistake {
    name: "hidden_is_gone",
    code: "delete-workspace/covered-mount-left",
    answers: Answers {
        delete_mount_point: |workspace| deepest_first(workspace, &[Errno::EINVAL, Errno::ENOENT]),
        ..SOLUTION
    },
};

/// A path that cannot be resolved becomes an empty one, and every path begins with that.
pub const UNRESOLVED_IS_EVERYTHING: Mistake<Answers> = Mistake {
    name: "unresolved_is_everything",
    code: "delete-workspace/neighbour-unmounted",
    answers: Answers {
        delete_mount_point: |workspace| {
            let Err(error) = delete_mount_point(workspace) else { return Ok(()) };
            if workspace.exists() {
                return Err(error);
            }
            let everything = Path::new("");
            let mut mounted = mount_points()?;
            mounted.retain(|mount_point| mount_point.starts_with(everything));
            mounted.iter().rev().try_for_each(|mount_point| Ok(umount(mount_point)?))
        },
        ..SOLUTION
    },
};
