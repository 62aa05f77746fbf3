//! Folders that are laid out like other hosts' /sys/fs/cgroup.
//!
//! The machine has one version of control groups, and only root may use them.
//! Which files an answer writes, and what into them, can be seen everywhere.

use std::cell::RefCell;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use labkit::act::Act;
use labkit::call::Call;
use labkit::calls::{Calls, WRITE};
use labkit::deciding::Asked;
use labkit::host::Host;
use labkit::sys::can_decide_on_calls;
use labkit::verdict::Finding;
use nix::errno::Errno;
use nix::sched::CloneFlags;
use nix::sys::signal::kill;
use nix::unistd::Pid;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::contents::{Contents, contents};
use crate::group::Group;

/// Which control groups a host has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// A hierarchy for each controller: memory, pids.
    One,
    /// One hierarchy for all controllers: cgroup2.
    Two,
}

impl Version {
    /// Both, the older one first.
    pub const BOTH: [Version; 2] = [Version::One, Version::Two];

    /// Tries a harder case in each version in which the `plain` one goes well: else
    /// it would tell nothing new. What is wrong with the plain one is the answer only
    /// where nothing else is.
    ///
    /// # Errors
    /// A case does not go well.
    pub fn try_in_both(
        plain: impl Fn(Version) -> Result<(), Finding>,
        harder: impl Fn(Version) -> Result<(), Finding>,
    ) -> Result<(), Finding> {
        let plain = Version::BOTH.map(|version| (version, plain(version)));
        for (version, outcome) in &plain {
            if outcome.is_ok() {
                harder(*version)?;
            }
        }
        plain.into_iter().try_for_each(|(_, outcome)| outcome)
    }

    /// The other one.
    pub fn other(self) -> Version {
        match self {
            Version::One => Version::Two,
            Version::Two => Version::One,
        }
    }

    /// 1 or 2.
    pub fn number(self) -> u8 {
        match self {
            Version::One => 1,
            Version::Two => 2,
        }
    }

    /// The file with the limit of the memory.
    pub fn memory_file(self) -> &'static str {
        match self {
            Version::One => "memory.limit_in_bytes",
            Version::Two => "memory.max",
        }
    }

    /// The file with a number beyond which memory is only reclaimed first.
    pub fn soft_file(self) -> &'static str {
        match self {
            Version::One => "memory.soft_limit_in_bytes",
            Version::Two => "memory.high",
        }
    }

    /// The file that keeps the memory from going to swap.
    pub fn swap_file(self) -> &'static str {
        match self {
            Version::One => "memory.memsw.limit_in_bytes",
            Version::Two => "memory.swap.max",
        }
    }
}

/// The file that hands controllers on in version 2.
pub const SUBTREE_CONTROL: &str = "cgroup.subtree_control";
/// The file with the processes of a group.
pub const PROCS: &str = "cgroup.procs";

/// What some of the hosts lack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lacks {
    /// The host has everything that the lab asks for.
    Nothing,
    /// The kernel does not count swap.
    Swap,
    /// Nobody can limit the memory.
    Memory,
    /// Nobody can limit the number of processes.
    Pids,
}

impl Lacks {
    /// The error that the kernel gives to who writes this into a file, if it gives one:
    /// of a controller that the host lacks, and of a process that is not there.
    fn refusal(self, file: &Path, text: &str) -> Option<Errno> {
        let lacking = match self {
            Lacks::Memory => Some("+memory"),
            Lacks::Pids => Some("+pids"),
            Lacks::Nothing | Lacks::Swap => None,
        };
        if file.ends_with(SUBTREE_CONTROL) && text.split_whitespace().any(|it| Some(it) == lacking)
        {
            return Some(Errno::ENOENT);
        }
        let is_dead = |pid| kill(Pid::from_raw(pid), None) == Err(Errno::ESRCH);
        let pid = text.trim().parse().ok().filter(|pid| *pid > 0);
        (file.ends_with(PROCS) && pid.is_some_and(is_dead)).then_some(Errno::ESRCH)
    }
}

/// A host's /sys/fs/cgroup as a folder of plain files.
pub struct Model<'h> {
    /// The host that it is on.
    pub host: &'h Host,
    /// The version whose layout it has.
    pub version: Version,
    /// What it lacks.
    pub lacks: Lacks,
    /// Its top directory.
    pub top: PathBuf,
    /// What was written into its files, one write(2) after the other.
    writes: Rc<RefCell<Vec<Written>>>,
}

/// What one write(2) has written. To the kernel, each is a command.
#[derive(Debug, Clone)]
pub struct Written {
    /// Into which file.
    pub file: PathBuf,
    /// Which text.
    pub text: String,
}

impl<'h> Model<'h> {
    /// Makes the folder anew. The files in which an answer can write are empty.
    pub fn new(host: &'h Host, version: Version, lacks: Lacks) -> Model<'h> {
        let top = host.path(&format!("version-{}", version.number()));
        if top.exists() {
            fs::remove_dir_all(&top).expect("the witness may");
        }
        let model = Model { host, version, lacks, top, writes: Rc::default() };
        model.furnish();
        model
    }

    fn furnish(&self) {
        match self.version {
            Version::Two => {
                make_folder(&self.top, &self.memory_files());
                make_folder(&self.top, &self.pids_files());
                let offered = match self.lacks {
                    Lacks::Memory => "cpu io pids\n",
                    Lacks::Pids => "cpu io memory\n",
                    Lacks::Nothing | Lacks::Swap => "cpu io memory pids\n",
                };
                write(&self.top.join("cgroup.controllers"), offered);
                if matches!(self.lacks, Lacks::Memory | Lacks::Pids) && !can_decide_on_calls() {
                    close(&self.top.join(SUBTREE_CONTROL));
                }
            }
            Version::One => {
                make_folder(&self.top, &[]);
                let parents = self.group("");
                make_folder(&parents.memory, &self.memory_files());
                make_folder(&parents.pids, &self.pids_files());
                make_folder(&self.top.join("cpu"), &[PROCS, "tasks", "cpu.shares"]);
                let unified = self.top.join("unified");
                make_folder(&unified, &["cgroup.controllers", SUBTREE_CONTROL, PROCS]);
                if self.lacks == Lacks::Pids {
                    fs::remove_dir_all(self.top.join("pids")).expect("the witness may");
                }
                if self.lacks == Lacks::Memory {
                    fs::remove_dir_all(self.top.join("memory")).expect("the witness may");
                }
            }
        }
    }

    /// The files that the kernel puts into the folder in which memory is limited.
    fn memory_files(&self) -> Vec<&'static str> {
        let mut files = vec![PROCS];
        files.extend(match self.version {
            Version::One => ["tasks", "cgroup.event_control", "cgroup.clone_children"],
            Version::Two => [SUBTREE_CONTROL, "cgroup.threads", "cgroup.kill"],
        });
        if self.lacks != Lacks::Memory {
            files.extend([self.version.memory_file(), self.version.soft_file()]);
            if self.lacks != Lacks::Swap {
                files.push(self.version.swap_file());
            }
            files.extend(match self.version {
                Version::One => ["memory.swappiness", "memory.force_empty"],
                Version::Two => ["memory.low", "memory.min"],
            });
        }
        files
    }

    /// The same for the folder in which processes are limited.
    fn pids_files(&self) -> Vec<&'static str> {
        let mut files = match self.version {
            Version::One => vec![PROCS, "tasks", "cgroup.clone_children"],
            Version::Two => Vec::new(),
        };
        if self.lacks != Lacks::Pids {
            files.push("pids.max");
        }
        files
    }

    /// Where the group `name` is, or would be.
    pub fn group(&self, name: &str) -> Group {
        match self.version {
            Version::One => Group {
                memory: self.top.join("memory").join(name),
                pids: self.top.join("pids").join(name),
            },
            Version::Two => Group { memory: self.top.join(name), pids: self.top.join(name) },
        }
    }

    /// Makes the group `name` as the kernel does: with files in it, in which can be
    /// written, and which nobody can add to or delete.
    pub fn make_group(&self, name: &str) -> Group {
        let group = self.make_open_group(name);
        for folder in group.folders() {
            fs::set_permissions(folder, Permissions::from_mode(0o555)).expect("the witness's own");
        }
        group
    }

    /// The same; and this many bytes of memory and swap, and this many processes, are its
    /// limits, as the kernel shows them: with the end of the line.
    pub fn make_limited_group(&self, name: &str, limit: u64) -> Group {
        let group = self.make_group(name);
        for file in [
            group.memory.join(self.version.memory_file()),
            group.memory.join(self.version.swap_file()),
            group.pids.join("pids.max"),
        ] {
            write(&file, &format!("{limit}\n"));
        }
        group
    }

    /// The same without limits, but its files can be deleted.
    pub fn make_open_group(&self, name: &str) -> Group {
        let group = self.group(name);
        make_folder(&group.memory, &self.memory_files());
        make_folder(&group.pids, &self.pids_files());
        group
    }

    /// Fills a group with other processes, as the kernel lists them: the digits of `process`
    /// are part of each number but the first. That one has another digit at each place: so
    /// it shows what was written over it. See `newest` in contents.rs.
    pub fn fill(&self, group: &Group, process: Pid) {
        let other = |digit: char| if digit == '9' { '8' } else { (digit as u8 + 1) as char };
        let first: String = process.to_string().chars().map(other).collect();
        let listed = format!("{first}\n1{process}\n{process}1\n1{process}1\n");
        let files: &[&str] = match self.version {
            Version::One => &[PROCS, "tasks"],
            Version::Two => &[PROCS, "cgroup.threads"],
        };
        for folder in group.folders() {
            files.iter().for_each(|file| write(&folder.join(file), &listed));
        }
    }

    /// Makes the group `name` as rmdir(2) sees it: without files.
    pub fn make_empty_group(&self, name: &str) -> Group {
        let group = self.group(name);
        group.folders().into_iter().for_each(|folder| make_folder(folder, &[]));
        group
    }

    /// All that there is now, by its path below the top.
    pub fn contents(&self) -> Contents {
        contents(&self.top)
    }

    /// Hands these controllers on from the beginning, as the file shows it.
    pub fn hand_on(&self, controllers: &str) {
        write(&self.top.join(SUBTREE_CONTROL), &format!("{controllers}\n"));
    }

    /// All writes, in their order.
    pub fn writes(&self) -> Vec<Written> {
        self.writes.borrow().clone()
    }

    /// The file of the first write that contains only a line feed. To the kernel, that is an
    /// empty command. A file that limits memory reads it as 0, and all others return EINVAL.
    pub fn empty_write(&self) -> Option<PathBuf> {
        let writes = self.writes.borrow();
        let mut empty = writes.iter().filter(|it| it.text.trim().is_empty());
        empty.find(|it| !it.file.ends_with(SUBTREE_CONTROL)).map(|it| it.file.clone())
    }

    /// Asks for an act without power over closed files: in a user namespace without a
    /// map root is nobody. Who owns a file stays as it is. The kernel's refusals that
    /// depend on what is written are imitated.
    pub fn act<A, I: Serialize, O: DeserializeOwned>(
        &self,
        act: &Act<A, I, O>,
        input: I,
    ) -> Call<'h, I, O> {
        self.act_deciding(act, input, &[], |_, _| None)
    }

    /// The same, where `also` decides on what is not refused yet: each write into the model,
    /// and each of these other calls, which write nothing.
    pub fn act_deciding<A, I: Serialize, O: DeserializeOwned>(
        &self,
        act: &Act<A, I, O>,
        input: I,
        calls: &[Calls],
        mut also: impl FnMut(&Asked, Option<&Written>) -> Option<Errno> + 'static,
    ) -> Call<'h, I, O> {
        let (top, writes, lacks) = (self.top.clone(), self.writes.clone(), self.lacks);
        let call = self.host.act(act, input).in_new(CloneFlags::CLONE_NEWUSER);
        call.deciding(&[&[WRITE], calls].concat(), move |asked| {
            if asked.name != WRITE.0 {
                return also(asked, None);
            }
            let (file, bytes) = asked.written()?;
            if !file.starts_with(&top) {
                return None;
            }
            let text = String::from_utf8_lossy(&bytes).into_owned();
            let refusal = lacks.refusal(&file, &text);
            let written = Written { file, text };
            let refusal = refusal.or_else(|| also(asked, Some(&written)));
            if refusal.is_none() {
                writes.borrow_mut().push(written);
            }
            refusal
        })
    }
}

fn make_folder(folder: &Path, files: &[&str]) {
    fs::create_dir_all(folder).expect("the scratch folder");
    files.iter().for_each(|file| write(&folder.join(file), ""));
}

fn write(file: &Path, text: &str) {
    fs::write(file, text).expect("the scratch folder");
}

/// Makes a file one that cannot be written to.
pub fn close(file: &Path) {
    fs::set_permissions(file, Permissions::from_mode(0o444)).expect("the witness's own");
}
