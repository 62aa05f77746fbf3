//! Nearly right.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use lab_08_grader::Answers;
use nix::errno::Errno;

use super::{most_important, mounted_below, rm_rf, umount};
use crate::catalogue::Mistake;
use crate::lab_08::SOLUTION;
use crate::lab_08::solution::{delete_mount_point, delete_workspace, delete_write_layer};

type Function = fn(&Path) -> io::Result<()>;

const fn mount_point(
    name: &'static str,
    code: &'static str,
    delete_mount_point: Function,
) -> Mistake<Answers> {
    Mistake { name, code, answers: Answers { delete_mount_point, ..SOLUTION } }
}

const fn write_layer(
    name: &'static str,
    code: &'static str,
    delete_write_layer: Function,
) -> Mistake<Answers> {
    Mistake { name, code, answers: Answers { delete_write_layer, ..SOLUTION } }
}

const fn whole(
    name: &'static str,
    code: &'static str,
    delete_workspace: Function,
) -> Mistake<Answers> {
    Mistake { name, code, answers: Answers { delete_workspace, ..SOLUTION } }
}

/// Tries again, but not for long: a tenth of a second must do.
pub const TENTH_OF_A_SECOND: Mistake<Answers> =
    mount_point("a_tenth_of_a_second", "delete-workspace/given-up-too-early", |workspace| {
        let deadline = Instant::now() + Duration::from_millis(100);
        loop {
            let mounted = mounted_below(workspace)?;
            let refusals: Vec<Errno> =
                mounted.iter().rev().filter_map(|it| umount(it).err()).collect();
            if mounted.is_empty() {
                return Ok(());
            }
            if refusals.len() == mounted.len() {
                if Instant::now() > deadline {
                    return most_important(&refusals);
                }
                sleep(Duration::from_millis(5));
            }
        }
    });

/// Greps the table for the path: what shows its files elsewhere goes, too.
pub const MOUNTS_OF_ITS_FILES: Mistake<Answers> =
    mount_point("mounts_of_its_files", "delete-workspace/neighbour-unmounted", |workspace| {
        let Ok(real) = workspace.canonicalize() else { return delete_mount_point(workspace) };
        let table = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
        // A path of the host may be another one in its file system: the last two parts do.
        let above = real.parent().and_then(Path::parent).unwrap_or(&real);
        let end = real.strip_prefix(above).unwrap_or(&real).to_string_lossy();
        let lines = table.lines().map(|line| line.split(' ').collect::<Vec<_>>());
        let of_it = lines.filter(|fields| fields[3].contains(&format!("/{end}/")));
        let mounted = of_it.map(|fields| PathBuf::from(fields[4]));
        let others: Vec<PathBuf> = mounted.filter(|at| !at.starts_with(&real)).collect();
        for other in others.iter().rev() {
            let _ = umount(other);
        }
        delete_mount_point(workspace)
    });

/// Knows files, directories and links: a fifo is in the way.
pub const ONLY_USUAL_FILES: Mistake<Answers> =
    write_layer("only_usual_files", "answer/returned-error", |workspace| {
        fn special(directory: &Path) -> bool {
            fs::read_dir(directory).into_iter().flatten().flatten().any(|entry| {
                let kind = entry.file_type().expect("it is there");
                if kind.is_dir() {
                    special(&entry.path())
                } else {
                    !kind.is_file() && !kind.is_symlink()
                }
            })
        }
        if mounted_below(workspace)?.is_empty()
            && ["write-layer", "work"].iter().any(|it| special(&workspace.join(it)))
        {
            return Err(Errno::ENOTEMPTY.into());
        }
        delete_write_layer(workspace)
    });

/// Deletes names of text: others are not there, it seems.
pub const LOSSY_NAMES: Mistake<Answers> =
    write_layer("lossy_names", "answer/returned-error", |workspace| {
        fn delete(path: &Path) -> io::Result<()> {
            let data = match path.symlink_metadata() {
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
                data => data?,
            };
            if !data.is_dir() {
                return fs::remove_file(path);
            }
            fs::set_permissions(path, Permissions::from_mode(0o700))?;
            for entry in fs::read_dir(path)? {
                delete(&path.join(entry?.file_name().to_string_lossy().into_owned()))?;
            }
            fs::remove_dir(path)
        }
        if !mounted_below(workspace)?.is_empty() {
            return Err(Errno::EBUSY.into());
        }
        delete(&workspace.join("write-layer"))?;
        delete(&workspace.join("work"))
    });

/// An empty directory is of no use, so that of all containers goes with the last one.
pub const PARENT_TOO: Mistake<Answers> =
    whole("parent_too", "delete-workspace/deleted-too-much", |workspace| {
        delete_workspace(workspace)?;
        if let Some(parent) = workspace.parent() {
            let _ = fs::remove_dir(parent);
        }
        Ok(())
    });

/// Knows one reason for which umount fails.
pub const ONLY_BUSY_STOPS: Mistake<Answers> =
    whole("only_busy_stops", "delete-workspace/volume-emptied", |workspace| {
        match delete_mount_point(workspace) {
            Err(error) if error.kind() == io::ErrorKind::ResourceBusy => return Err(error),
            Err(error) => eprintln!("{error}"),
            Ok(()) => {}
        }
        match workspace.canonicalize() {
            Ok(real) => rm_rf(&real),
            Err(_) => delete_workspace(workspace),
        }
    });
