//! remove.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

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

/// Tries again while something is in the way, for so long at most.
fn while_busy(most: Duration, remove: impl Fn() -> io::Result<()>) -> io::Result<()> {
    let begun = Instant::now();
    loop {
        match remove() {
            Err(error) if error.kind() == ErrorKind::ResourceBusy && begun.elapsed() < most => {
                sleep(Duration::from_millis(2));
            }
            other => return other,
        }
    }
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
pub const TRIES_FOR_EVER: Mistake<Answers> =
    mistake("tries_for_ever", "answer/hung", |group| while_busy(Duration::MAX, || remove(group)));

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
        each(group, |folder| while_busy(Duration::from_millis(300), || fs::remove_dir(folder)))
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

/// Looks once whether a directory is there, and then only waits until it can be removed.
/// The clean-up of another program is faster.
pub const GONE_ONLY_BEFORE: Mistake<Answers> =
    mistake("gone_only_before", "limits/gone-is-a-failure", |group| {
        remove_if_there(&group.memory)?;
        remove_if_there(&group.pids)
    });

fn remove_if_there(folder: &Path) -> io::Result<()> {
    if !folder.exists() {
        return Ok(());
    }
    for entry in fs::read_dir(folder)?.flatten() {
        if entry.path().is_dir() {
            remove_if_there(&entry.path())?;
        }
    }
    while_busy(Duration::from_millis(300), || fs::remove_dir(folder))
}

/// Ok(()) to see what the tests say.
pub const REMOVES_NOTHING: Mistake<Answers> =
    mistake("removes_nothing", "answer/did-nothing", |_| Ok(()));

/// An empty group is not busy: its processes go to the parent, without limits.
pub const PROCESSES_MOVED: Mistake<Answers> =
    mistake("processes_moved", "limits/processes-moved", |group| {
        for folder in [&group.memory, &group.pids] {
            let inside = fs::read_to_string(folder.join("cgroup.procs")).unwrap_or_default();
            for pid in inside.lines() {
                fs::write(folder.join("../cgroup.procs"), pid)?;
            }
        }
        remove(group)
    });

/// Three tries, one directly after the other.
pub const THREE_TRIES: Mistake<Answers> =
    mistake("three_tries", "limits/busy-not-retried", |group| {
        each(group, remove_tree)
            .or_else(|_| each(group, remove_tree))
            .or_else(|_| each(group, remove_tree))
    });

/// So short that a process that was killed is hardly over.
pub const TRIES_FOR_A_MOMENT: Mistake<Answers> =
    mistake("tries_for_a_moment", "limits/given-up-too-early", |group| {
        // By number, not by time: on a slow machine, too, it is tried again.
        for _ in 0..5 {
            match each(group, remove_tree) {
                Err(error) if error.kind() == ErrorKind::ResourceBusy => {
                    sleep(Duration::from_millis(2));
                }
                other => return other,
            }
        }
        each(group, remove_tree)
    });

/// Everything whose name begins like that.
pub const NEIGHBOURS_REMOVED: Mistake<Answers> =
    mistake("neighbours_removed", "limits/other-group-changed", |group| {
        for folder in [&group.memory, &group.pids] {
            let name = folder.display().to_string();
            let parent = folder.parent().unwrap_or(folder);
            for entry in fs::read_dir(parent)?.flatten() {
                if entry.path().display().to_string().starts_with(&name) && entry.path() != *folder
                {
                    let _ = fs::remove_dir(entry.path());
                }
            }
        }
        remove(group)
    });

/// Twice as long as it should: every clean-up of a stuck container takes 4 seconds.
pub const TRIES_FOR_4_SECONDS: Mistake<Answers> =
    mistake("tries_for_4_seconds", "limits/tried-too-long", |group| {
        while_busy(Duration::from_secs(4), || each(group, remove_tree))
    });

/// Waits until nobody is in the group, and then tries once: who is in a group inside it
/// is not asked for.
pub const WAITS_FOR_ITS_OWN: Mistake<Answers> =
    mistake("waits_for_its_own", "limits/inner-group-not-retried", |group| {
        let is_busy = |folder: &Path| {
            fs::read_to_string(folder.join("cgroup.procs")).is_ok_and(|pids| !pids.is_empty())
        };
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_millis(500)
            && (is_busy(&group.memory) || is_busy(&group.pids))
        {
            sleep(Duration::from_millis(1));
        }
        each(group, remove_inside)?;
        remove(group)
    });

fn remove_inside(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)?.flatten() {
        if entry.path().is_dir() {
            remove_tree(&entry.path())?;
        }
    }
    Ok(())
}

/// A better sentence, and no errno and no kind in it.
pub const OWN_WORDS_FOR_BUSY: Mistake<Answers> =
    mistake("own_words_for_busy", "limits/another-error-told", |group| {
        remove(group).map_err(|error| match error.kind() {
            ErrorKind::ResourceBusy => io::Error::other(format!("{group:?} is still in use")),
            _ => error,
        })
    });

/// The last that is removed is gone, so all is: unless it was the other way round.
pub const HALF_GONE_IS_GONE: Mistake<Answers> =
    mistake("half_gone_is_gone", "limits/other-half-left", |group| {
        if group.pids.exists() { remove(group) } else { Ok(()) }
    });

/// A deadline for each half by itself.
pub const A_DEADLINE_EACH: Mistake<Answers> =
    mistake("a_deadline_each", "limits/tried-too-long", |group| {
        let half = |folder: &Path| {
            while_busy(Duration::from_millis(1_900), || match remove_tree(folder) {
                Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
                other => other,
            })
        };
        let memory = half(&group.memory);
        let pids = if group.pids == group.memory { Ok(()) } else { half(&group.pids) };
        memory.and(pids)
    });

/// Waits for each directory as long as for the first, however late that was free.
pub const TIME_BEGINS_ANEW: Mistake<Answers> =
    mistake("time_begins_anew", "limits/tried-too-long", |group| each(group, wait_for_tree));

fn wait_for_tree(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)?.flatten() {
        if entry.path().is_dir() {
            wait_for_tree(&entry.path())?;
        }
    }
    while_busy(Duration::from_millis(1_950), || fs::remove_dir(folder))
}

/// `if let Ok(entries)`: what cannot be looked into is passed over, the group itself too.
pub const UNREADABLE_IS_EMPTY: Mistake<Answers> =
    mistake("unreadable_is_empty", "limits/failed-removal-ignored", |group| {
        for folder in [&group.memory, &group.pids] {
            if fs::read_dir(folder).is_ok() {
                remove(&Group { memory: folder.clone(), pids: folder.clone() })?;
            }
        }
        Ok(())
    });

/// Writes down all directories first, the innermost at the front. When their turn comes, it
/// looks into each once more, and expects it to exist.
pub const LISTED_MEANS_THERE: Mistake<Answers> =
    mistake("listed_means_there", "limits/gone-is-a-failure", |group| {
        for top in [&group.memory, &group.pids] {
            let mut all = vec![top.clone()];
            let mut next = 0;
            while let Some(folder) = all.get(next) {
                let inside: Vec<_> = fs::read_dir(folder).into_iter().flatten().flatten().collect();
                all.extend(inside.iter().map(|it| it.path()).filter(|path| path.is_dir()));
                next += 1;
            }
            for folder in all.iter().rev().filter(|folder| *folder != top) {
                fs::symlink_metadata(folder)?;
                remove(&Group { memory: folder.clone(), pids: folder.clone() })?;
            }
        }
        remove(group)
    });
