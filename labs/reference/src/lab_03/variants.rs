//! Answers to lab 03 that are not like the solution: right ones, and wrong ones
//! that no rule foresees.

use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use lab_03_grader::Answers;
use lab_03_grader::group::Group;
use nix::errno::Errno;

use super::{SOLUTION, solution};
use crate::catalogue::Variant;

/// Writes as `echo` does, into a file that must be there.
fn echo(file: &Path, value: impl ToString) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).open(file)?;
    file.write_all(format!("{}\n", value.to_string()).as_bytes())
}

/// What keeps every promise.
pub static RIGHT: &[Variant<Answers>] = &[
    Variant {
        name: "folder_first",
        answers: Answers {
            create_group: |root, name| {
                if !root.join("cgroup.controllers").exists() {
                    return solution::create_group(root, name);
                }
                let folder = root.join(name);
                fs::create_dir(&folder)?;
                for controller in ["+memory", "+pids"] {
                    echo(&root.join("cgroup.subtree_control"), controller)
                        .inspect_err(|_| drop(fs::remove_dir(&folder)))?;
                }
                Ok(Group { memory: folder.clone(), pids: folder })
            },
            ..SOLUTION
        },
    },
    Variant {
        name: "controllers_read_first",
        answers: Answers {
            create_group: |root, name| {
                let offered = fs::read_to_string(root.join("cgroup.controllers"));
                let lacks = |name| {
                    offered.as_ref().is_ok_and(|all| !all.split_whitespace().any(|it| it == name))
                };
                if lacks("memory") || lacks("pids") {
                    return Err(ErrorKind::Unsupported.into());
                }
                solution::create_group(root, name)
            },
            ..SOLUTION
        },
    },
    // As `echo … >> FILE` in a shell: for the kernel each write is a command.
    Variant {
        name: "appended",
        answers: Answers {
            create_group: |root, name| {
                if !root.join("cgroup.controllers").exists() {
                    return solution::create_group(root, name);
                }
                append(&root.join("cgroup.subtree_control"), "+memory")?;
                append(&root.join("cgroup.subtree_control"), "+pids")?;
                let folder = root.join(name);
                fs::create_dir(&folder)?;
                Ok(Group { memory: folder.clone(), pids: folder })
            },
            set_limits: append_limits,
            join: |group, pid| {
                append(&group.memory.join("cgroup.procs"), pid)?;
                if group.pids != group.memory {
                    append(&group.pids.join("cgroup.procs"), pid)?;
                }
                Ok(())
            },
            ..SOLUTION
        },
    },
    // Groups from the inside out, without a look at what they are.
    Variant {
        name: "busy_for_two_seconds",
        answers: Answers {
            remove: |group| {
                let begun = Instant::now();
                loop {
                    match remove_tree(&group.memory).and_then(|()| remove_tree(&group.pids)) {
                        Err(error)
                            if error.kind() == ErrorKind::ResourceBusy
                                && begun.elapsed() < Duration::from_millis(1_900) =>
                        {
                            sleep(Duration::from_millis(50));
                        }
                        other => return other,
                    }
                }
            },
            ..SOLUTION
        },
    },
    Variant { name: "as_echo_does", answers: Answers { set_limits: by_order, ..SOLUTION } },
    Variant {
        name: "other_order_if_refused",
        answers: Answers { set_limits: by_trying, ..SOLUTION },
    },
    Variant {
        name: "pids_before_memory",
        answers: Answers {
            join: |group, pid| {
                echo(&group.pids.join("cgroup.procs"), pid)?;
                echo(&group.memory.join("cgroup.procs"), pid)
            },
            ..SOLUTION
        },
    },
    // Who is a member already need not join again: version 2 has one file for both.
    Variant {
        name: "members_line_by_line",
        answers: Answers {
            join: |group, pid| {
                for folder in [&group.memory, &group.pids] {
                    let procs = folder.join("cgroup.procs");
                    let members = fs::read_to_string(&procs)?;
                    if !members.lines().any(|line| line == pid.to_string()) {
                        echo(&procs, pid)?;
                    }
                }
                Ok(())
            },
            ..SOLUTION
        },
    },
    Variant {
        name: "joined_and_then_limited",
        answers: Answers {
            start_limited: |group, memory, pids, process| {
                solution::join(group, process.pid())?;
                solution::set_limits(group, memory, pids)?;
                process.begin()
            },
            ..SOLUTION
        },
    },
    Variant {
        name: "own_words_of_the_same_kind",
        answers: Answers {
            join: |group, pid| {
                if !Path::new(&format!("/proc/{pid}")).exists() {
                    return Err(Errno::ESRCH.into());
                }
                solution::join(group, pid).map_err(|error| {
                    io::Error::new(error.kind(), format!("process {pid}: {error}"))
                })
            },
            remove: |group| {
                solution::remove(group).map_err(|error| {
                    io::Error::new(error.kind(), format!("{:?}: {error}", group.pids))
                })
            },
            ..SOLUTION
        },
    },
    Variant {
        name: "only_what_is_not_on",
        answers: Answers {
            create_group: |root, name| {
                let file = root.join("cgroup.subtree_control");
                let Ok(on) = fs::read_to_string(&file) else {
                    return solution::create_group(root, name);
                };
                for controller in ["memory", "pids"] {
                    if !on.split_whitespace().any(|it| it == controller) {
                        echo(&file, format!("+{controller}"))?;
                    }
                }
                let folder = root.join(name);
                fs::create_dir(&folder)?;
                Ok(Group { memory: folder.clone(), pids: folder })
            },
            ..SOLUTION
        },
    },
    Variant {
        name: "all_again_while_busy",
        answers: Answers {
            remove: |group| {
                let mut tries = 0..25;
                loop {
                    match remove_tree(&group.memory).and_then(|()| remove_tree(&group.pids)) {
                        Err(error)
                            if error.kind() == ErrorKind::ResourceBusy
                                && tries.next().is_some() =>
                        {
                            sleep(Duration::from_millis(10));
                        }
                        other => return other,
                    }
                }
            },
            ..SOLUTION
        },
    },
];

fn append(file: &Path, value: impl ToString) -> io::Result<()> {
    let mut file = OpenOptions::new().append(true).open(file)?;
    file.write_all(value.to_string().as_bytes())
}

fn append_limits(group: &Group, memory: Option<u64>, pids: Option<u64>) -> io::Result<()> {
    let or = |limit: Option<u64>, none: &str| limit.map_or(none.to_owned(), |n| n.to_string());
    let file = |name| group.memory.join(name);
    if file("memory.max").exists() {
        append(&file("memory.max"), or(memory, "max"))?;
        if file("memory.swap.max").exists() {
            append(&file("memory.swap.max"), or(memory.map(|_| 0), "max"))?;
        }
    } else {
        let both = file("memory.memsw.limit_in_bytes");
        if both.exists() {
            append(&both, "-1")?;
        }
        append(&file("memory.limit_in_bytes"), or(memory, "-1"))?;
        if both.exists() && memory.is_some() {
            append(&both, or(memory, "-1"))?;
        }
    }
    append(&group.pids.join("pids.max"), or(pids, "max"))
}

/// What is raised is raised from above, what is lowered from below.
fn by_order(group: &Group, memory: Option<u64>, pids: Option<u64>) -> io::Result<()> {
    echo(&group.pids.join("pids.max"), pids.map_or("max".to_owned(), |n| n.to_string()))?;
    let file = |name| group.memory.join(name);
    if file("memory.max").exists() {
        return solution::set_limits(group, memory, pids);
    }
    let limit = memory.map_or("-1".to_owned(), |n| n.to_string());
    let both = file("memory.memsw.limit_in_bytes");
    let is_raised = fs::read_to_string(&both)
        .is_ok_and(|now| now.trim().parse().is_ok_and(|now| memory.is_none_or(|new| new > now)));
    if is_raised {
        echo(&both, &limit)?;
    }
    echo(&file("memory.limit_in_bytes"), &limit)?;
    if both.exists() { echo(&both, &limit) } else { Ok(()) }
}

/// Memory first; if the kernel says that this is more than both, both first.
fn by_trying(group: &Group, memory: Option<u64>, pids: Option<u64>) -> io::Result<()> {
    let file = |name| group.memory.join(name);
    let alone = file("memory.limit_in_bytes");
    if !alone.exists() {
        return solution::set_limits(group, memory, pids);
    }
    let limit = memory.map_or("-1".to_owned(), |n| n.to_string());
    let set_both = || match echo(&file("memory.memsw.limit_in_bytes"), &limit) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        other => other,
    };
    match fs::write(&alone, &limit) {
        Err(error) if error.kind() == ErrorKind::InvalidInput => {
            set_both()?;
            echo(&alone, &limit)?;
        }
        other => {
            other?;
            set_both()?;
        }
    }
    echo(&group.pids.join("pids.max"), pids.map_or("max".to_owned(), |n| n.to_string()))
}

fn remove_tree(folder: &Path) -> io::Result<()> {
    if !folder.exists() {
        return Ok(());
    }
    for entry in fs::read_dir(folder)?.flatten() {
        if entry.path().is_dir() {
            remove_tree(&entry.path())?;
        }
    }
    fs::remove_dir(folder)
}

/// What breaks promises in ways of its own.
pub static UNFORESEEN: &[Variant<Answers>] = &[
    Variant {
        name: "one_byte_more",
        answers: Answers {
            parse_size: |text| Ok(solution::parse_size(text)?.map(|bytes| bytes.saturating_add(1))),
            ..SOLUTION
        },
    },
    Variant {
        name: "half_of_the_processes",
        answers: Answers {
            set_limits: |group, memory, pids| {
                solution::set_limits(group, memory, pids.map(|count| count / 2))
            },
            ..SOLUTION
        },
    },
    Variant {
        name: "another_name",
        answers: Answers {
            create_group: |root, name| solution::create_group(root, &format!("lab-{name}")),
            ..SOLUTION
        },
    },
];
