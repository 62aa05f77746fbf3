//! A program whose containers run in the background.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::process::Command;

use labkit::describe;
use labkit::proc::Proc;
use mydocker_kernel::mountinfo::{MountTable, difference};
use nix::fcntl::OFlag;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::waitpid;
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};

use crate::first_process::find_all;
use crate::image::{CHANGED, CHANGES, IS_INSIDE, VOLUME, WAITING, WAITS};
use crate::program::Setting;
use crate::running::{Ended, Running, is_leak};

/// How one command of the program has ended, and what was said meanwhile.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Ran {
    /// How it ended.
    pub ended: Ended,
    /// The facts that the graders' scripts have said.
    pub said: BTreeMap<String, String>,
}

/// The program on its host, with the containers that it has started.
pub struct Background<'a> {
    pub setting: &'a Setting<'a>,
    pub proc: &'a Proc,
    host: &'a MountTable,
    /// The directory of the host's devices, if `exec` is given a terminal.
    terminals: Option<OwnedFd>,
    /// Containers go on after the command that has started them, and print to its pipes.
    started: RefCell<Vec<Running<'a>>>,
}

/// What is wrong with a container before anything is asked of it.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Outside {
    /// One of its own mounts that is on the host.
    pub leak: Option<String>,
    /// Whether its root is the host's.
    pub is_on_the_hosts_root: bool,
}

/// A command in a container, which waits to be killed.
pub struct Waiting<'a> {
    running: Running<'a>,
    /// Its process, if there is one.
    pub pid: Option<i32>,
}

impl<'a> Background<'a> {
    /// Begins, on a host with this mount table.
    ///
    /// # Errors
    /// There is no /dev.
    pub fn begin(
        setting: &'a Setting<'a>,
        proc: &'a Proc,
        host: &'a MountTable,
    ) -> io::Result<Background<'a>> {
        let devices = || File::open("/dev").map(OwnedFd::from);
        let terminals = setting.adapter.terminal.then(devices).transpose()?;
        Ok(Background { setting, proc, host, terminals, started: RefCell::default() })
    }

    /// Has the program make the image. Returns the first command that failed, as the
    /// adapter has it, and how it has ended.
    ///
    /// # Errors
    /// A command cannot be started.
    pub fn prepare(&self) -> io::Result<Option<(String, Ran)>> {
        for (command, words) in
            self.setting.prepare().into_iter().zip(&self.setting.adapter.prepare)
        {
            let ran = self.run(command, None)?;
            if ran.ended != Ended::Exited(0) {
                return Ok(Some((words.join(" "), ran)));
            }
        }
        Ok(None)
    }

    /// Starts a container that makes its changes, with the volume if there is one.
    /// Returns its process once all is changed; none if it does not come to that.
    ///
    /// # Errors
    /// The command cannot be started.
    pub fn start_changing(&self, name: &str) -> io::Result<(Ran, Option<i32>)> {
        let volume_at = self.setting.adapter.volume.is_some().then_some(VOLUME);
        let base = self.setting.adapter.base_image.as_deref().unwrap_or_default();
        self.start(name, base, CHANGES, volume_at, &CHANGED)
    }

    /// Starts a container of an image that changes nothing.
    ///
    /// # Errors
    /// The command cannot be started.
    pub fn start_waiting(&self, name: &str, image: &str) -> io::Result<(Ran, Option<i32>)> {
        self.start(name, image, WAITS, None, &WAITING)
    }

    fn start(
        &self,
        name: &str,
        image: &str,
        command: &str,
        volume_at: Option<&str>,
        becomes: &[&str],
    ) -> io::Result<(Ran, Option<i32>)> {
        let words = [command.to_owned()];
        let command = self.setting.start(name, image, &words, volume_at).expect("it is told");
        let before = self.pids();
        let mut running = self.begin_command(command, None, None)?;
        let pid = self.wait_for(&mut running, becomes, &before);
        let ran = Ran { ended: running.end(), said: running.said.clone() };
        self.started.borrow_mut().push(running);
        Ok((ran, pid))
    }

    /// Runs the command in a container, and waits for its end.
    ///
    /// # Errors
    /// The command cannot be started.
    pub fn exec(&self, name: &str, command: &[&str]) -> io::Result<Ran> {
        let words: Vec<String> = command.iter().map(|&word| word.to_owned()).collect();
        let command = self.setting.exec(name, &words).expect("it is told");
        self.run(command, self.terminals.as_ref())
    }

    /// Runs the command in a container, and waits for the process that it becomes, by
    /// the name of [`IS_INSIDE`].
    ///
    /// # Errors
    /// The command cannot be started.
    pub fn exec_waiting(&self, name: &str, command: &str) -> io::Result<Waiting<'a>> {
        let command = self.setting.exec(name, &[command.to_owned()]).expect("it is told");
        let before = self.pids();
        let mut running = self.begin_command(command, self.terminals.as_ref(), None)?;
        let pid = self.wait_for(&mut running, &IS_INSIDE, &before);
        Ok(Waiting { running, pid })
    }

    /// Makes an image of a container. No file can become larger than `largest_file`
    /// bytes meanwhile.
    ///
    /// # Errors
    /// The command cannot be started.
    pub fn commit(&self, name: &str, image: &str, largest_file: Option<u64>) -> io::Result<Ran> {
        let command = self.setting.commit(name, image).expect("it is told");
        let mut running = self.begin_command(command, None, largest_file)?;
        Ok(Ran { ended: running.end(), said: running.said })
    }

    /// Kills a process and waits until it has ended.
    fn kill(&self, pid: i32) {
        let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
        while self.is_alive(pid) {
            std::thread::yield_now();
        }
    }

    /// Kills the first process of a container. If nobody else takes note of its end, the
    /// grader does, as the first process of a host would.
    pub fn kill_container(&self, first: i32) {
        self.kill(first);
        let own = std::process::id() as i32;
        if self.proc.stat(first).is_some_and(|stat| stat.parent == own) {
            let _ = waitpid(Pid::from_raw(first), None);
        }
    }

    /// Whether a process has not ended.
    fn is_alive(&self, pid: i32) -> bool {
        self.proc.stat(pid).is_some_and(|stat| !stat.is_over())
    }

    /// Whether a process has not ended, and will not have in a moment: it has not begun
    /// to, and no SIGKILL is on its way to it.
    pub fn goes_on(&self, pid: i32) -> bool {
        let status = self.proc.read(&format!("{pid}/status")).unwrap_or_default();
        let status = String::from_utf8_lossy(&status);
        let pending = status.lines().filter_map(|line| {
            let signals = line.strip_prefix("SigPnd:").or(line.strip_prefix("ShdPnd:"))?;
            u64::from_str_radix(signals.trim(), 16).ok()
        });
        let is_killed = |signals: u64| signals & (1 << (libc::SIGKILL - 1)) != 0;
        let has_namespaces = self.proc.link(pid, "ns/mnt").is_ok();
        has_namespaces && self.is_alive(pid) && !pending.into_iter().any(is_killed)
    }

    /// What of a container is the host's.
    pub fn outside(&self, first: Option<i32>) -> Outside {
        let is_on_the_hosts_root = first.is_some_and(|first| self.is_on_the_hosts_root(first));
        Outside { leak: self.leak(), is_on_the_hosts_root }
    }

    /// A mount on the host that should have been the container's own.
    fn leak(&self) -> Option<String> {
        let now = self.proc.mount_table("self").ok()?;
        let changes = difference(self.host, &now);
        changes.iter().find(|change| is_leak(change, self.host)).map(describe::change)
    }

    /// Whether the root of a process is the host's.
    fn is_on_the_hosts_root(&self, pid: i32) -> bool {
        let root = |process: &str| {
            let root = self.proc.open_file(&format!("{process}/root"), OFlag::O_PATH).ok()?;
            File::from(root).metadata().ok().map(|it| (it.dev(), it.ino()))
        };
        root(&pid.to_string()).is_some_and(|its| Some(its) == root("self"))
    }

    fn run(&self, command: Command, terminals: Option<&OwnedFd>) -> io::Result<Ran> {
        let mut running = self.begin_command(command, terminals, None)?;
        Ok(Ran { ended: running.end(), said: running.said })
    }

    fn begin_command(
        &self,
        command: Command,
        terminals: Option<&OwnedFd>,
        largest_file: Option<u64>,
    ) -> io::Result<Running<'a>> {
        Running::start_unwatched(command, terminals, self.proc, self.host, largest_file)
    }

    /// Waits for a process with this command line that was not there before. Returns
    /// none when the program has ended, and nothing that it has started goes on.
    fn wait_for(
        &self,
        running: &mut Running,
        becomes: &[&str],
        before: &BTreeSet<i32>,
    ) -> Option<i32> {
        loop {
            // In this order: nobody is left who could still become it.
            let is_over = running.has_ended() && self.pids().is_subset(before);
            let found = find_all(self.proc, becomes).into_iter().find(|pid| !before.contains(pid));
            if found.is_some() || is_over {
                return found;
            }
            running.attend();
        }
    }

    /// All processes that have not ended.
    fn pids(&self) -> BTreeSet<i32> {
        let all = self.proc.processes().into_iter();
        all.filter(|(_, state, _)| *state != 'Z').map(|(pid, ..)| pid).collect()
    }
}

impl Waiting<'_> {
    /// Kills the command, if there is one, and waits for the end of the program.
    pub fn kill(mut self, background: &Background) -> Ran {
        if let Some(pid) = self.pid {
            background.kill(pid);
        }
        Ran { ended: self.running.end(), said: self.running.said }
    }
}
