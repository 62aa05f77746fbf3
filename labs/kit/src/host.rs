//! The host that an answer sees, and the witness on it.

use std::cell::RefCell;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use mydocker_kernel::mountinfo::{Change, MountTable, difference};
use nix::sched::CloneFlags;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tar::EntryType;

use crate::BUSYBOX_TAR;
use crate::answering::Program;
use crate::canary::Canary;
use crate::describe::mounts_below;
use crate::need::Seal;
use crate::oom_score::OomScore;
use crate::places::LAB;
use crate::proc::Proc;
use crate::supervised::{self, Ground};
use crate::verdict::{Evidence, Finding, Whose};

/// A fresh host in the sandbox, as its PID 1 sees it.
#[derive(Debug)]
pub struct Host {
    pub(crate) ground: Ground,
    /// The program with the answer in it.
    program: Option<Program>,
    /// What the answer has printed in the last call.
    printed: RefCell<String>,
    /// Files of somebody who uses this host: they must stay.
    precious: Canary,
    /// The lab's own files, as a copy.
    guarded: Option<Canary>,
}

/// What the witness saw of one call of an answer.
#[derive(Debug)]
pub struct Seen<T> {
    /// What the body of the call returned.
    pub returned: T,
    /// The mount table of the answer's process before the body began.
    pub mounts_before: MountTable,
    /// The mount table of the answer's process when the body had returned.
    pub mounts: MountTable,
    /// Where its root and its working directory are, as the host names them.
    /// See proc_pid_root(5).
    pub root: PathBuf,
    /// See [`Seen::root`].
    pub cwd: PathBuf,
    /// The mount table of the host before the call.
    pub host_before: MountTable,
    /// The mount table of the host after the end of the answer's process.
    pub host_after: MountTable,
    /// What the answer has printed.
    pub printed: String,
}

impl<T> Seen<T> {
    /// What has changed in the host's mount table.
    pub fn host_changes(&self) -> Vec<Change> {
        difference(&self.host_before, &self.host_after)
    }

    /// What the body has changed in the mount table of the answer's process.
    pub fn container_changes(&self) -> Vec<Change> {
        difference(&self.mounts_before, &self.mounts)
    }

    /// The mounts that the answer's process had at `top` and below it, drawn as a
    /// tree.
    pub fn mounts_drawn(&self, top: &Path) -> Evidence {
        Evidence::Tree {
            what: format!("/proc/PID/mountinfo, {}", top.display()),
            drawing: mounts_below(&self.mounts, &self.mounts_before, top),
        }
    }

    /// The change of the host's mount table as evidence.
    pub fn host_evidence(&self) -> Evidence {
        Evidence::changes(Whose::Host, &self.host_changes())
    }
}

impl Host {
    /// Furnishes the host. `guarded` is the directory that the sandbox has copied, `program`
    /// has the answer, `processes_outside` how many the machine has of the answer's user,
    /// `oom_score` is the witness's.
    ///
    /// # Errors
    /// The scratch directory cannot be written to.
    pub fn new(
        program: Option<Program>,
        guarded: Option<PathBuf>,
        processes_outside: usize,
        seal: Seal,
        oom_score: Option<OomScore>,
    ) -> io::Result<Host> {
        let folder = PathBuf::from(LAB);
        fs::create_dir(&folder)?;
        Ok(Host {
            precious: Canary::new(folder.join("home"))?,
            guarded: guarded.map(Canary::watch).transpose()?,
            printed: RefCell::default(),
            program,
            ground: Ground {
                scratch: folder,
                processes_outside,
                proc: Proc::open()?,
                seal,
                oom_score,
            },
        })
    }

    /// A path in the directory that the answer may use.
    pub fn path(&self, name: &str) -> PathBuf {
        self.ground.scratch.join(name)
    }

    /// The program with the answer in it.
    ///
    /// # Panics
    /// There is none: what is graded here is not an answer.
    pub fn program(&self) -> &Program {
        self.program.as_ref().expect("an answer is graded")
    }

    /// Keeps what an answer has printed, for findings that lack it.
    pub(crate) fn keep_printed(&self, printed: String) {
        self.printed.replace(printed);
    }

    /// Files of the host's user, with random words in them. No answer may touch
    /// them.
    pub fn precious(&self) -> &Canary {
        &self.precious
    }

    /// The host's mount table.
    ///
    /// # Panics
    /// It cannot be read.
    pub fn mount_table(&self) -> MountTable {
        self.ground.proc.mount_table("self").expect("the witness has /proc open")
    }

    /// Unpacks busybox as the root file system `name` and returns its path.
    ///
    /// # Panics
    /// It cannot be unpacked.
    pub fn busybox(&self, name: &str) -> PathBuf {
        let folder = self.path(name);
        Host::unpack_busybox(&folder).expect("busybox in the scratch directory");
        folder
    }

    /// The archive is the kit's own, so no path in it is resolved and checked: nearly
    /// all of its entries are hard links, and every promise has its own root.
    fn unpack_busybox(folder: &Path) -> io::Result<()> {
        fs::create_dir(folder)?;
        for entry in tar::Archive::new(BUSYBOX_TAR).entries()? {
            let mut entry = entry?;
            let path = folder.join(entry.path()?);
            match (entry.header().entry_type(), entry.link_name()?) {
                (EntryType::Link, Some(target)) => fs::hard_link(folder.join(target), path)?,
                _ => {
                    entry.set_preserve_permissions(true);
                    entry.unpack(path)?;
                }
            }
        }
        Ok(())
    }

    /// Runs `body`, which is the grader's own and executes what is graded, in its own process
    /// and in new `namespaces`, and watches it.
    ///
    /// # Errors
    /// The call did not finish: what happened instead.
    pub fn call<T: Serialize + DeserializeOwned>(
        &self,
        function: &str,
        namespaces: CloneFlags,
        body: impl FnOnce() -> T,
    ) -> Result<Seen<T>, Finding> {
        let before = self.mount_table();
        let (returned, looked) = supervised::call(&self.ground, function, namespaces, body)?;
        self.printed.replace(looked.printed.clone());
        Ok(Seen {
            returned,
            mounts_before: looked.mounts_before,
            mounts: looked.mounts,
            root: looked.root,
            cwd: looked.cwd,
            host_before: before,
            host_after: self.mount_table(),
            printed: looked.printed,
        })
    }

    /// What the answer has printed in the last call that came to its end.
    pub fn printed(&self) -> String {
        self.printed.borrow().clone()
    }

    /// What an answer did to the host that outranks everything else.
    pub fn harm(&self) -> Option<Finding> {
        if !self.precious.is_untouched() {
            return Some(
                Finding::new("harm/files-changed").word("folder", self.precious.folder.display()),
            );
        }
        let guarded = self.guarded.as_ref().filter(|folder| !folder.is_untouched())?;
        Some(Finding::new("harm/grader-changed").word("folder", guarded.folder.display()))
    }
}
