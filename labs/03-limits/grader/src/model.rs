//! Folders that are laid out like other hosts' /sys/fs/cgroup.
//!
//! The machine has one version of control groups, and only root may use them.
//! Which files an answer writes, and what into them, can be seen everywhere.

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use labkit::describe::walk;
use labkit::host::{Host, Seen};
use labkit::verdict::Finding;
use nix::sched::CloneFlags;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::group::Group;

/// Which control groups a host has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    One,
    Two,
}

impl Version {
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

    pub fn other(self) -> Version {
        match self {
            Version::One => Version::Two,
            Version::Two => Version::One,
        }
    }

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

/// What some of the hosts lack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lacks {
    Nothing,
    /// The kernel does not count swap.
    Swap,
    /// Nobody can limit the memory.
    Memory,
    /// Nobody can limit the number of processes.
    Pids,
    /// Swap is counted, and whoever sets its limit is refused.
    RightToSwap,
}

/// Every entry of a folder: the text of a file, nothing for a folder.
pub type Contents = BTreeMap<PathBuf, Option<String>>;

/// A host's /sys/fs/cgroup as a folder of plain files.
pub struct Model<'a> {
    host: &'a Host,
    pub version: Version,
    pub lacks: Lacks,
    pub top: PathBuf,
}

impl<'a> Model<'a> {
    /// Makes the folder anew. The files in which an answer can write are empty.
    pub fn new(host: &'a Host, version: Version, lacks: Lacks) -> Model<'a> {
        let top = host.path(&format!("version-{}", version.number()));
        if top.exists() {
            fs::remove_dir_all(&top).expect("the witness may");
        }
        let model = Model { host, version, lacks, top };
        model.furnish();
        model
    }

    fn furnish(&self) {
        match self.version {
            Version::Two => {
                make_folder(&self.top, &self.control_files());
                let offered = match self.lacks {
                    Lacks::Memory => "cpu io pids\n",
                    Lacks::Pids => "cpu io memory\n",
                    Lacks::Nothing | Lacks::Swap | Lacks::RightToSwap => "cpu io memory pids\n",
                };
                write(&self.top.join("cgroup.controllers"), offered);
                if matches!(self.lacks, Lacks::Memory | Lacks::Pids) {
                    // The kernel refuses what it does not have.
                    close(&self.top.join(SUBTREE_CONTROL), 0o444);
                }
            }
            Version::One => {
                make_folder(&self.top, &[]);
                for folder in self.group("").folders() {
                    make_folder(folder, &self.control_files());
                }
                make_folder(&self.top.join("cpu"), &["cgroup.procs", "tasks", "cpu.shares"]);
                let unified = self.top.join("unified");
                make_folder(&unified, &["cgroup.controllers", SUBTREE_CONTROL, "cgroup.procs"]);
                if self.lacks == Lacks::Pids {
                    fs::remove_dir_all(self.top.join("pids")).expect("the witness may");
                }
                if self.lacks == Lacks::Memory {
                    fs::remove_dir_all(self.top.join("memory")).expect("the witness may");
                }
            }
        }
    }

    /// The files that the kernel puts into each group.
    fn control_files(&self) -> Vec<&'static str> {
        let mut files = vec!["cgroup.procs"];
        files.push(match self.version {
            Version::One => "tasks",
            Version::Two => SUBTREE_CONTROL,
        });
        if self.lacks != Lacks::Memory {
            files.push(self.version.memory_file());
            if self.lacks != Lacks::Swap {
                files.push(self.version.swap_file());
            }
        }
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
        let group = self.group(name);
        for folder in group.folders() {
            make_folder(folder, &self.control_files());
            close(folder, 0o555);
        }
        if self.lacks == Lacks::RightToSwap {
            close(&group.memory.join(self.version.swap_file()), 0o444);
        }
        group
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

    /// Calls a function of the answer without power over closed folders: in a user
    /// namespace without a map root is nobody. Who owns a file stays as it is.
    pub fn call<T: Serialize + DeserializeOwned>(
        &self,
        function: &str,
        body: impl FnOnce() -> T,
    ) -> Result<Seen<T>, Finding> {
        self.host.call(function, CloneFlags::CLONE_NEWUSER, body)
    }

    /// As [`Model::call`], and kills it when it is about to make its `nth` call
    /// that changes files; returns whether it came to that.
    pub fn call_and_kill(
        &self,
        function: &str,
        nth: usize,
        body: impl FnOnce(),
    ) -> Result<bool, Finding> {
        self.host.call_and_kill(function, CloneFlags::CLONE_NEWUSER, nth, body)
    }
}

/// All that there is below a folder, by its path.
pub fn contents(top: &Path) -> Contents {
    let mut contents = Contents::new();
    walk(top, &mut |path, metadata| {
        let text = metadata.is_file().then(|| fs::read_to_string(path).unwrap_or_default());
        contents.insert(path.to_owned(), text);
    })
    .expect("a folder that the witness has made");
    contents
}

/// What was written into a file; nothing if it is not there.
pub fn text<'a>(contents: &'a Contents, file: &Path) -> &'a str {
    contents.get(file).and_then(Option::as_deref).unwrap_or_default().trim()
}

fn make_folder(folder: &Path, files: &[&str]) {
    fs::create_dir_all(folder).expect("the scratch folder");
    files.iter().for_each(|file| write(&folder.join(file), ""));
}

fn write(file: &Path, text: &str) {
    fs::write(file, text).expect("the scratch folder");
}

fn close(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).expect("the witness's own");
}
