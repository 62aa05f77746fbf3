//! remove.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use lab_03_grader::Answers;
use lab_03_grader::group::Group;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::catalogue::Mistake;
use crate::lab_03::SOLUTION;
use crate::lab_03::solution::remove;

const fn mistake(
    name: &'static str,
    code: &'static str,
    remove: fn(&Group) -> io::Result<()>,
) -> Mistake<Answers> {
    Mistake { name, code, answers: Answers { remove, ..SOLUTION } }
}

/// Removes both folders, which in version 2 are one, by `remove`.
fn each(group: &Group, remove: fn(&Path) -> io::Result<()>) -> io::Result<()> {
    for folder in [&group.memory, &group.pids] {
        match remove(folder) {
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            other => other?,
        }
    }
    Ok(())
}

/// os.RemoveAll of the blog: the files of a group cannot be deleted (EPERM).
pub const REMOVE_DIR_ALL: Mistake<Answers> =
    mistake("remove_dir_all", "limits/files-deleted-singly", |group| {
        each(group, |folder| fs::remove_dir_all(folder))
    });

/// Version 1: the folder of the other controller stays, and so does its limit.
pub const ONE_HIERARCHY: Mistake<Answers> =
    mistake("removes_memory_only", "limits/one-hierarchy-only", |group| {
        remove(&Group { memory: group.memory.clone(), pids: group.memory.clone() })
    });

/// The container's last process is still on its way out: EBUSY, and the group
/// stays for ever.
pub const NO_SECOND_TRY: Mistake<Answers> =
    mistake("no_second_try", "limits/busy-not-retried", |group| each(group, remove_tree));

fn remove_tree(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)?.flatten() {
        if entry.path().is_dir() {
            remove_tree(&entry.path())?;
        }
    }
    fs::remove_dir(folder)
}

/// Says that it is done.
pub const BUSY_PRINTED: Mistake<Answers> =
    mistake("busy_printed", "limits/failed-removal-ignored", |group| {
        if let Err(error) = remove(group) {
            eprintln!("remove: {error}");
        }
        Ok(())
    });

/// `while let Err(_)`: a process that stays keeps the runtime for ever.
pub const TRIES_FOR_EVER: Mistake<Answers> = mistake("tries_for_ever", "answer/hung", |group| {
    while let Err(error) = remove(group) {
        if error.kind() != ErrorKind::ResourceBusy {
            return Err(error);
        }
        sleep(Duration::from_millis(10));
    }
    Ok(())
});

/// Makes the group free by force: the container's last write is lost.
pub const PROCESSES_KILLED: Mistake<Answers> =
    mistake("processes_killed", "limits/process-killed", |group| {
        let processes = fs::read_to_string(group.pids.join("cgroup.procs")).unwrap_or_default();
        for pid in processes.lines().filter_map(|line| line.parse().ok()) {
            let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
        }
        remove(group)
    });

/// A container that has made groups of its own: EBUSY.
pub const GROUPS_IN_IT_FORGOTTEN: Mistake<Answers> =
    mistake("groups_in_it_forgotten", "limits/groups-in-it-left", |group| {
        each(group, |folder| {
            for _ in 0..30 {
                match fs::remove_dir(folder) {
                    Err(error) if error.kind() == ErrorKind::ResourceBusy => {
                        sleep(Duration::from_millis(10));
                    }
                    other => return other,
                }
            }
            Err(ErrorKind::ResourceBusy.into())
        })
    });

/// The clean-up after a crash, or a second one, stops here; and in version 2 both
/// folders are one.
pub const GONE_IS_AN_ERROR: Mistake<Answers> =
    mistake("gone_is_an_error", "limits/gone-is-a-failure", |group| {
        match group.memory.exists() && group.pids.exists() && group.memory != group.pids {
            true => remove(group),
            false => {
                fs::remove_dir(&group.memory)?;
                fs::remove_dir(&group.pids)
            }
        }
    });

/// Ok(()) to see what the tests say.
pub const REMOVES_NOTHING: Mistake<Answers> =
    mistake("removes_nothing", "answer/did-nothing", |_| Ok(()));
