//! One call of an answer's function: on which workspace, as whom, meanwhile what.

use std::fs::File;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use labkit::describe::Failure;
use labkit::verdict::Finding;
use mydocker::sys;
use nix::sched::CloneFlags;
use nix::sys::wait::waitpid;

use crate::facts::{Facts, entries, names};
use crate::stage::Stage;
use crate::{Answers, Function};

/// How long a mount is busy that becomes free.
const A_MOMENT: Duration = Duration::from_millis(50);

/// Whether a file below the mount point is open, and so its mount is busy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Open {
    /// Another process has it open for [`A_MOMENT`].
    ForAMoment,
    /// It is open before, during and after the call.
    Throughout,
}

/// Which function is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    MountPoint,
    WriteLayer,
    Workspace,
}

impl Which {
    pub fn name(self) -> &'static str {
        match self {
            Which::MountPoint => "delete_mount_point",
            Which::WriteLayer => "delete_write_layer",
            Which::Workspace => "delete_workspace",
        }
    }

    /// Whether it is to delete this entry of a workspace.
    pub fn deletes(self, entry: &str) -> bool {
        match self {
            Which::MountPoint => false,
            Which::WriteLayer => matches!(entry, "write-layer" | "work"),
            Which::Workspace => true,
        }
    }

    fn of(self, answers: &Answers) -> Function {
        match self {
            Which::MountPoint => answers.delete_mount_point,
            Which::WriteLayer => answers.delete_write_layer,
            Which::Workspace => answers.delete_workspace,
        }
    }
}

/// One call to be made.
#[derive(Clone)]
pub struct Call<'a> {
    pub stage: &'a Stage<'a>,
    pub which: Which,
    function: Function,
    /// The workspace, as the mount table names it.
    pub workspace: PathBuf,
    /// The workspace, as the answer is told.
    pub given: PathBuf,
    /// A file that is open.
    pub open: Option<(PathBuf, Open)>,
    /// New ones for the answer's process.
    namespaces: CloneFlags,
    /// All workspaces that there are.
    neighbours: Vec<String>,
}

impl<'a> Call<'a> {
    pub fn new(
        stage: &'a Stage<'a>,
        which: Which,
        answers: &Answers,
        workspace: PathBuf,
    ) -> Call<'a> {
        Call {
            stage,
            which,
            function: which.of(answers),
            given: workspace.clone(),
            workspace,
            open: None,
            namespaces: CloneFlags::empty(),
            neighbours: names(&stage.containers()),
        }
    }

    /// Makes the call with another path of the same workspace.
    pub fn given_as(mut self, path: PathBuf) -> Call<'a> {
        self.given = path;
        self
    }

    /// Makes the call as an ordinary user, who owns the files.
    ///
    /// In a user namespace without a map nobody has power over others' files,
    /// mounts or closed folders; who owns a file stays as it is.
    pub fn without_privileges(mut self) -> Call<'a> {
        self.namespaces = CloneFlags::CLONE_NEWUSER;
        self
    }

    /// Makes the call while a file of the workspace is open.
    pub fn while_open(mut self, file: &str, how_long: Open) -> Call<'a> {
        self.open = Some((self.workspace.join(file), how_long));
        self
    }

    /// Whether an ordinary user makes the call.
    pub fn is_without_privileges(&self) -> bool {
        self.namespaces.contains(CloneFlags::CLONE_NEWUSER)
    }

    /// Makes the call and looks at what it has changed.
    pub fn make(self) -> Result<Facts<'a>, Finding> {
        let before = entries(&self.workspace);
        let mnt = self.workspace.join("mnt");
        let root_before = names(&mnt);
        let body = || self.function_while_open();
        let seen = self.stage.host.call(self.which.name(), self.namespaces, body)?;
        let mut strangers = names(&self.stage.containers());
        strangers.retain(|name| !self.neighbours.contains(name));
        let (after, root_after) = (entries(&self.workspace), names(&mnt));
        Ok(Facts { before, after, root_before, root_after, seen, strangers, call: self })
    }

    /// Makes the call and kills it when it is about to make its `nth` call to
    /// the kernel. Returns whether it was: else it had made fewer.
    pub fn make_and_kill(&self, nth: usize) -> Result<bool, Finding> {
        let body = || self.function_while_open();
        self.stage.host.call_and_kill(self.which.name(), self.namespaces, nth, body)
    }

    fn function_while_open(&self) -> Result<(), Failure> {
        let answer = || (self.function)(&self.given).map_err(Failure::from);
        let Some((path, how_long)) = &self.open else { return answer() };
        let file = File::open(path).expect("a file of the workspace");
        if *how_long == Open::Throughout {
            let returned = answer();
            drop(file);
            return returned;
        }
        // The holder has it open too, as it is a copy of this process.
        let holder = sys::clone(CloneFlags::empty(), || {
            thread::sleep(A_MOMENT);
            0
        });
        drop(file);
        let returned = answer();
        waitpid(holder.expect("a process for the open file"), None).expect("it ends by itself");
        returned
    }
}
