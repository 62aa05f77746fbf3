//! create_group.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use lab_03_grader::Answers;
use lab_03_grader::group::Group;

use crate::catalogue::Mistake;
use crate::lab_03::SOLUTION;
use crate::lab_03::solution::create_group;

const fn mistake(
    name: &'static str,
    code: &'static str,
    create_group: fn(&Path, &str) -> io::Result<Group>,
) -> Mistake<Answers> {
    Mistake { name, code, answers: Answers { create_group, ..SOLUTION } }
}

fn is_version_2(root: &Path) -> bool {
    root.join("cgroup.controllers").exists()
}

fn in_version_1(root: &Path, name: &str) -> Group {
    Group { memory: root.join("memory").join(name), pids: root.join("pids").join(name) }
}

fn in_version_2(root: &Path, name: &str) -> Group {
    Group { memory: root.join(name), pids: root.join(name) }
}

fn make_in_version_2(root: &Path, name: &str) -> io::Result<Group> {
    let group = in_version_2(root, name);
    fs::create_dir(&group.memory)?;
    Ok(group)
}

fn make_in_version_1(root: &Path, name: &str) -> io::Result<Group> {
    let group = in_version_1(root, name);
    fs::create_dir(&group.memory)?;
    fs::create_dir(&group.pids).inspect_err(|_| {
        let _ = fs::remove_dir(&group.memory);
    })?;
    Ok(group)
}

/// The blog was written when all hosts had version 1: ENOENT on those of today.
pub const THE_BLOGS_WAY: Mistake<Answers> =
    mistake("the_blogs_way", "limits/version-1-on-version-2", make_in_version_1);

/// Written on a new laptop, for new laptops: on an older host it makes a plain
/// folder that limits nothing.
pub const VERSION_2_ONLY: Mistake<Answers> =
    mistake("version_2_only", "limits/version-2-on-version-1", |root, name| {
        let group = in_version_2(root, name);
        fs::create_dir(&group.memory)?;
        fs::write(root.join("cgroup.subtree_control"), "+memory +pids").inspect_err(|_| {
            let _ = fs::remove_dir(&group.memory);
        })?;
        Ok(group)
    });

/// Looks for any mount of version 2: a host with both versions has one, without
/// controllers.
pub const UNIFIED_IS_THERE: Mistake<Answers> =
    mistake("unified_is_there", "limits/hybrid-taken-for-version-2", |root, name| {
        let unified = root.join("unified");
        if !unified.join("cgroup.controllers").exists() {
            return create_group(root, name);
        }
        make_in_version_2(&unified, name)
    });

/// Works where systemd has enabled them already; elsewhere there is no memory.max.
pub const CONTROLLERS_NOT_HANDED_ON: Mistake<Answers> =
    mistake("controllers_not_handed_on", "limits/controllers-not-handed-on", |root, name| {
        let offered = fs::read_to_string(root.join("cgroup.controllers")).unwrap_or_default();
        if !is_version_2(root) || !offered.contains("memory") || !offered.contains("pids") {
            return create_group(root, name);
        }
        make_in_version_2(root, name)
    });

/// The first limit that the blog sets is that of memory; the other is forgotten.
pub const MEMORY_ONLY: Mistake<Answers> =
    mistake("memory_folder_only", "limits/one-hierarchy-only", |root, name| {
        if is_version_2(root) {
            return create_group(root, name);
        }
        let group = in_version_1(root, name);
        fs::create_dir(&group.memory)?;
        Ok(group)
    });

/// Whoever sets limits there then limits every container.
pub const PARENT_TOLD: Mistake<Answers> =
    mistake("parent_told", "limits/other-folders-told", |root, name| {
        let group = create_group(root, name)?;
        let parent = |folder: &Path| folder.parent().unwrap_or(root).to_owned();
        Ok(Group { memory: parent(&group.memory), pids: parent(&group.pids) })
    });

/// The group of another container is taken over, with its limits and processes.
pub const ALREADY_THERE: Mistake<Answers> =
    mistake("already_there", "limits/group-of-another-taken", |root, name| {
        let group = if is_version_2(root) {
            fs::write(root.join("cgroup.subtree_control"), "+memory +pids")?;
            in_version_2(root, name)
        } else {
            in_version_1(root, name)
        };
        let mut made = Vec::new();
        for folder in [&group.memory, &group.pids] {
            match fs::create_dir(folder) {
                Ok(()) => made.push(folder),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => {
                    made.into_iter().try_for_each(fs::remove_dir)?;
                    return Err(error);
                }
            }
        }
        Ok(group)
    });

/// A plain folder on a tmpfs: what is written there is kept, and limits nothing.
pub const CONTROLLER_MADE_BY_HAND: Mistake<Answers> =
    mistake("controller_made_by_hand", "limits/controller-made-up", |root, name| {
        if !is_version_2(root) {
            fs::create_dir_all(root.join("memory"))?;
            fs::create_dir_all(root.join("pids"))?;
        }
        create_group(root, name)
    });

/// "At least some limits": the container runs without those that were asked for.
pub const CONTROLLERS_THAT_ARE_THERE: Mistake<Answers> =
    mistake("controllers_that_are_there", "limits/missing-controller-ignored", |root, name| {
        if is_version_2(root) {
            let _ = fs::write(root.join("cgroup.subtree_control"), "+memory +pids");
            return make_in_version_2(root, name);
        }
        let group = in_version_1(root, name);
        for (controller, folder) in [("memory", &group.memory), ("pids", &group.pids)] {
            if root.join(controller).exists() {
                fs::create_dir(folder).inspect_err(|_| {
                    if folder == &group.pids {
                        let _ = fs::remove_dir(&group.memory);
                    }
                })?;
            }
        }
        Ok(group)
    });

/// `?` after the second mkdir: the next start says EEXIST.
pub const HALF_A_GROUP_LEFT: Mistake<Answers> =
    mistake("half_a_group_left", "limits/half-a-group-left", |root, name| {
        if is_version_2(root) {
            return create_group(root, name);
        }
        let group = in_version_1(root, name);
        fs::create_dir(&group.memory)?;
        fs::create_dir(&group.pids)?;
        Ok(group)
    });

/// Clears up with remove_dir_all, which begins with the files of the new group: those are the
/// kernel's (EPERM), and the directory stays.
pub const CLEARED_WITH_ITS_FILES: Mistake<Answers> =
    mistake("cleared_with_its_files", "limits/half-a-group-left", |root, name| {
        let is_version_2 = is_version_2(root);
        let make = if is_version_2 { in_version_2 } else { in_version_1 };
        let group = make(root, name);
        fs::create_dir(&group.memory)?;
        let rest = match is_version_2 {
            true => fs::write(root.join("cgroup.subtree_control"), "+memory +pids"),
            false => fs::create_dir(&group.pids),
        };
        rest.inspect_err(|_| drop(fs::remove_dir_all(&group.memory)))?;
        Ok(group)
    });

/// Clears up after an error whatever has that name.
pub const CLEARS_UP_TOO_MUCH: Mistake<Answers> =
    mistake("clears_up_too_much", "limits/group-of-another-removed", |root, name| {
        create_group(root, name).inspect_err(|_| {
            let _ = fs::remove_dir(in_version_1(root, name).pids);
            let _ = fs::remove_dir(root.join(name));
        })
    });

/// The folders' names are all that there is.
pub const CREATES_NOTHING: Mistake<Answers> =
    mistake("creates_nothing", "answer/did-nothing", |root, name| {
        Ok(if is_version_2(root) { in_version_2(root, name) } else { in_version_1(root, name) })
    });

/// As the file shows them when it is read; the kernel says EINVAL.
pub const NAMES_WITHOUT_A_SIGN: Mistake<Answers> =
    mistake("names_without_a_sign", "limits/other-words-in-subtree-control", |root, name| {
        if !is_version_2(root) {
            return create_group(root, name);
        }
        fs::write(root.join("cgroup.subtree_control"), "memory pids\n")?;
        make_in_version_2(root, name)
    });

/// One controller is forgotten: there is no pids.max.
pub const MEMORY_HANDED_ON: Mistake<Answers> =
    mistake("memory_handed_on", "limits/controllers-not-handed-on", |root, name| {
        let offered = fs::read_to_string(root.join("cgroup.controllers")).unwrap_or_default();
        if !is_version_2(root) || !offered.contains("pids") {
            return create_group(root, name);
        }
        fs::write(root.join("cgroup.subtree_control"), "+memory")?;
        make_in_version_2(root, name)
    });

/// "Not every host can count processes": then they are not limited, in silence.
pub const PIDS_IF_POSSIBLE: Mistake<Answers> =
    mistake("pids_if_possible", "limits/missing-controller-ignored", |root, name| {
        if !is_version_2(root) {
            return create_group(root, name);
        }
        fs::write(root.join("cgroup.subtree_control"), "+memory")?;
        let _ = fs::write(root.join("cgroup.subtree_control"), "+pids");
        make_in_version_2(root, name)
    });

/// Something is on, so systemd has done it: but not for both.
pub const DONE_BY_SYSTEMD: Mistake<Answers> =
    mistake("done_by_systemd", "limits/controllers-not-handed-on", |root, name| {
        let on = fs::read_to_string(root.join("cgroup.subtree_control")).unwrap_or_default();
        if on.trim().is_empty() {
            return create_group(root, name);
        }
        make_in_version_2(root, name)
    });

/// Where memory is limited in a directory of its own there is version 1; but a group of
/// version 2 may have that name as well.
pub const VERSION_BY_THE_NAME_MEMORY: Mistake<Answers> =
    mistake("version_by_the_name_memory", "limits/version-by-another-sign", |root, name| {
        create_as(root, name, !root.join("memory").is_dir())
    });

/// A host with both versions is the only one with version 1 that one has seen.
pub const VERSION_BY_THE_NAME_UNIFIED: Mistake<Answers> =
    mistake("version_by_the_name_unified", "limits/version-by-another-sign", |root, name| {
        create_as(root, name, !root.join("unified").is_dir())
    });

/// The solution's create_group, where something else tells the version.
fn create_as(root: &Path, name: &str, is_version_2: bool) -> io::Result<Group> {
    if is_version_2 {
        // fs::write would make a file where there is none.
        fs::OpenOptions::new()
            .write(true)
            .open(root.join("cgroup.subtree_control"))?
            .write_all(b"+memory +pids")?;
        return make_in_version_2(root, name);
    }
    make_in_version_1(root, name)
}
