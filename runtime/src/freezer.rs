//! Processes that stand still for a while. See freezer in cgroups(7), and
//! "cgroup.freeze" in Documentation/admin-guide/cgroup-v2.rst.

use std::fs;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use mydocker_kernel::{Error, OnPath, Result, sys};
use nix::fcntl::OFlag;
use nix::sched::CloneFlags;
use nix::sys::wait::waitpid;
use nix::unistd::{Pid, pipe2};

use crate::limits::Group;

/// How long it may take until all stand still: a process in a call of the disk does
/// not before that is done.
const PATIENCE: Duration = Duration::from_secs(5);

/// A control group whose processes stand still as long as this lives.
#[derive(Debug)]
pub struct Frozen {
    /// While this is open in us, whatever happens to us.
    alive: Option<OwnedFd>,
    /// The process that lets them go on.
    thawer: Pid,
}

impl Frozen {
    /// Stops all processes of the group, and waits until they stand.
    ///
    /// # Errors
    /// The group has no freezer; they do not stand in time.
    pub fn begin(group: &Group) -> Result<Frozen> {
        let Some(switch) = Switch::find(group)? else {
            return Err(Error::new("the container cannot be paused")
                .because("it has no control group with a freezer: only a limit makes one")
                .advise("commit it without --pause, or run it with a limit: --pids-limit max"));
        };
        // If we are killed, nobody but this one knows that there is something to undo.
        let flags = OFlag::O_CLOEXEC;
        let (end, alive) = pipe2(flags).map_err(|errno| Error::call("pipe2()", errno))?;
        let thawer = sys::clone(CloneFlags::empty(), || {
            let _ = nix::unistd::setsid();
            let _ = sys::close_all_but(&[end.as_raw_fd()]);
            // Nothing is ever written; it ends when we do.
            while nix::unistd::read(&end, &mut [0]) == Err(nix::errno::Errno::EINTR) {}
            i32::from(switch.set(false).is_err())
        })?;
        let frozen = Frozen { alive: Some(alive), thawer };
        switch.set(true)?;
        switch.wait()?;
        Ok(frozen)
    }
}

impl Drop for Frozen {
    fn drop(&mut self) {
        drop(self.alive.take());
        let _ = waitpid(self.thawer, None);
    }
}

/// The file that stops a group.
enum Switch {
    V1(PathBuf),
    V2(PathBuf),
}

impl Switch {
    fn find(group: &Group) -> Result<Option<Switch>> {
        for folder in group.folders() {
            let (v1, v2) = (folder.join("freezer.state"), folder.join("cgroup.freeze"));
            if v2.try_exists().on("stat", &v2)? {
                return Ok(Some(Switch::V2(folder.clone())));
            }
            if v1.try_exists().on("stat", &v1)? {
                return Ok(Some(Switch::V1(folder.clone())));
            }
        }
        Ok(None)
    }

    fn set(&self, frozen: bool) -> Result<()> {
        let (path, value) = match self {
            Switch::V1(folder) => {
                (folder.join("freezer.state"), if frozen { "FROZEN" } else { "THAWED" })
            }
            Switch::V2(folder) => (folder.join("cgroup.freeze"), if frozen { "1" } else { "0" }),
        };
        fs::write(&path, value).on("write", &path)
    }

    fn wait(&self) -> Result<()> {
        let (path, wanted) = match self {
            Switch::V1(folder) => (folder.join("freezer.state"), "FROZEN"),
            Switch::V2(folder) => (folder.join("cgroup.events"), "frozen 1"),
        };
        let deadline = Instant::now() + PATIENCE;
        while !stands(&path, wanted)? {
            if Instant::now() > deadline {
                return Err(Error::new("the container cannot be paused")
                    .because("one of its processes does not stand still")
                    .advise("see what they wait for: cat /proc/PID/stack; or leave --pause out"));
            }
            sleep(Duration::from_millis(1));
        }
        Ok(())
    }
}

fn stands(path: &Path, wanted: &str) -> Result<bool> {
    let text = fs::read_to_string(path).on("read", path)?;
    Ok(text.lines().any(|line| line == wanted))
}
