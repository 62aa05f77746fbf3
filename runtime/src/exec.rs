//! `exec`: one more process in a container that runs.
//!
//! Three processes take part. Ours stays on the host. The joiner is its child: it joins
//! the namespaces, all but that of the process numbers, into which only a child can be
//! born; so nobody in the container sees it. The third is that child, and becomes the
//! command. It is in the container before it is the command, and there a process may
//! look at another: so nothing of the host is open in it, and it shows nothing of
//! itself. See CVE-2016-9962, CVE-2019-5736, CVE-2024-21626.

use std::convert::Infallible;
use std::ffi::OsString;
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sched::CloneFlags;
use nix::sys::signal::{Signal, kill};
use nix::unistd::{dup2_stdin, getpid};
use rustix::termios::Winsize;

use crate::channel::{Channel, Message};
use crate::child::Child;
use crate::container::Record;
use crate::keeper::keep;
use crate::limits::Group;
use crate::new_root::NewRoot;
use crate::process::Process;
use crate::program::execute;
use crate::streams::{self, ContainerStreams};
use crate::supervise::{hold_signals, supervise};
use crate::user::User;
use crate::{caller, capabilities, child, container, running, seccomp, terminal};
use mydocker_kernel::error::{FAILED, NOT_EXECUTABLE, NOT_FOUND};
use mydocker_kernel::namespaces::NAMESPACES;
use mydocker_kernel::privileges::Privileges;
use mydocker_kernel::{Error, OnPath, Result, sys};

/// What to execute, and in what.
#[derive(Debug)]
pub struct Spec {
    /// The container.
    pub container: String,
    /// The command and its arguments.
    pub command: Vec<OsString>,
    /// What is added to the container's environment: `K=V`, or `K` for the host's.
    pub environment: Vec<OsString>,
    /// The working directory; none: that of the container's command.
    pub working_dir: Option<PathBuf>,
    /// The user, as docker's `-u`; none: root.
    pub user: Option<String>,
    /// Whether it gets a terminal of its own.
    pub terminal: bool,
    /// Whether stdin goes to it; else it reads nothing.
    pub interactive: bool,
}

/// Executes a command in a container and returns its exit code: the command's own, or
/// 128+n when signal n ended it.
///
/// The calling process must be single-threaded. Its umask, its groups and its keyring
/// are changed, and signals are blocked.
///
/// # Errors
/// The container does not run, or any step that failed.
pub fn exec(root: &Path, spec: &Spec) -> Result<u8> {
    let (record, process) = running::find(root, &spec.container)?;
    let signals = hold_signals()?;

    // 1. What is the caller's stays with the caller, as for run.
    caller::leave_behind(Privileges::known()?)?;

    // 2. What differs between the container and us.
    let namespaces = namespaces_to_join(&process)?;
    let group = Group::find_with(&container::folder(root, &spec.container), process.pid)?;

    // 3. The joiner starts as a copy of this process, and waits.
    let (ours, theirs) = Channel::pair()?;
    let (streams, theirs_of_streams) = match spec.terminal {
        true => Default::default(),
        false => streams::pipes(spec.interactive)?,
    };
    let inside = Inside {
        spec,
        record: &record,
        process: &process,
        namespaces,
        size: if spec.terminal { terminal::window_size() } else { None },
        streams: &theirs_of_streams,
    };
    let joiner = sys::clone(CloneFlags::empty(), || inside.joiner(&theirs, ours.as_raw_fd()))?;
    drop((theirs, theirs_of_streams));

    // 4. Into the control group, before it is in the container: its limits hold then.
    group.add(joiner).inspect_err(|_| child::end(joiner))?;
    let go = || match ours.send(&Message::Go) {
        // It has gone by itself: its report or its end says more.
        Err(error) if error.errno() == Some(Errno::EPIPE) => Ok(()),
        other => other.inspect_err(|_| child::end(joiner)),
    };
    go()?;

    // 5. The command's process is there. It dies with the joiner, and that with us.
    let child = Child::born(joiner, &ours)?.in_a_container_of_others();
    go()?;
    supervise(&child, ours, &signals, spec.interactive, streams, &|| ())
        .inspect_err(|_| child.end())
}

/// The namespaces of a process that are not ours. To join one's own is refused for a
/// user namespace, and for what is the host's to an ordinary user.
fn namespaces_to_join(process: &Process) -> Result<CloneFlags> {
    let mut namespaces = CloneFlags::empty();
    for (name, flag) in NAMESPACES {
        let [theirs, ours] = [process.pid.to_string(), "self".to_owned()]
            .map(|whose| PathBuf::from(format!("/proc/{whose}/ns/{name}")));
        if theirs.metadata().on("stat", &theirs)?.ino() != ours.metadata().on("stat", &ours)?.ino()
        {
            namespaces |= flag;
        }
    }
    // Only then the number has been its own all the time.
    match process.is_there()? {
        true => Ok(namespaces),
        false => Err(Error::new("the container has ended meanwhile")),
    }
}

/// What the other two processes know.
struct Inside<'a> {
    spec: &'a Spec,
    record: &'a Record,
    process: &'a Process,
    namespaces: CloneFlags,
    size: Option<Winsize>,
    streams: &'a ContainerStreams,
}

impl Inside<'_> {
    /// The joiner, from its clone to its end. Returns the exit code of the command.
    fn joiner(&self, parent: &Channel, parents_end: RawFd) -> i32 {
        let failed = |error| {
            // If the parent has gone there is nobody to tell.
            let _ = parent.send(&Message::Failed(error));
            FAILED.into()
        };
        let command = |joiner: Process| {
            let Err(error) = self.command(parent, joiner);
            failed(error)
        };
        match self.join(parent).and_then(|()| Process::own()) {
            Ok(joiner) => keep(CloneFlags::empty(), parent, parents_end, move || command(joiner)),
            Err(error) => failed(error),
        }
    }

    // ANCHOR: join
    fn join(&self, parent: &Channel) -> Result<()> {
        // 1. Nothing is open but what is needed: a descriptor of the host's would be a
        //    way out, for the container's processes too.
        let needed = [parent.as_raw_fd(), self.process.as_fd().as_raw_fd()];
        sys::close_all_but(&[&needed[..], &self.streams.descriptors()].concat())?;
        let Some(Message::Go) = parent.receive()? else {
            return Err(Error::new("the parent has ended before the command could start"));
        };
        // 2. From here on nobody looks at this process, or at its child before that is
        //    the command: not at its memory, its descriptors, its program.
        sys::set_undumpable()?;
        // 3. All namespaces at once, by the descriptor that was checked. Root and working
        //    directory are the container's then, too.
        sys::setns(self.process.as_fd(), self.namespaces)
    }
    // ANCHOR_END: join

    /// From the joiner's clone to the exec. Returns only when a step has failed.
    fn command(&self, parent: &Channel, joiner: Process) -> Result<Infallible> {
        let spec = self.spec;
        // 4. The kernel ends it with the joiner.
        die_with(&joiner)?;
        let Some(Message::Go) = parent.receive()? else {
            return Err(Error::new("the parent has ended before the command could start"));
        };
        let root = NewRoot::open()?;

        // 5. The standard streams: a terminal of its own, or pipes.
        if spec.terminal {
            let (master, slave) = terminal::open_terminal(self.size)?;
            parent.send(&Message::Terminal(master.into()))?;
            terminal::enter_terminal(&slave)?;
        } else {
            let _ = nix::unistd::setsid();
            self.streams.enter()?;
            if !spec.interactive {
                let null = root.open_device("/dev/null")?;
                dup2_stdin(&null).on("dup2", Path::new("/dev/null"))?;
            }
        }

        // 6. Where the command starts: below the container's root, whatever was put
        //    there, and through no link of /proc.
        let folder = spec.working_dir.as_deref().unwrap_or(Path::new(&self.record.working_dir));
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY;
        let working_dir = sys::open_in_root(&root, folder, flags).on("openat2", folder);
        let working_dir = working_dir.map_err(|error| match error.errno() {
            Some(Errno::ENOENT) => error.exits_with(NOT_FOUND),
            _ => error.exits_with(NOT_EXECUTABLE),
        })?;
        sys::fchdir(working_dir.as_fd(), folder)?;

        // 7. Who it is, and what it knows of the world.
        let mut environment = self.record.environment.clone();
        if spec.terminal {
            environment.set("TERM", "xterm");
        }
        let user = spec.user.as_ref().map(|user| User::find(&root, user)).transpose()?;
        if let Some(user) = &user {
            environment.set("HOME", user.home.as_os_str());
        }
        spec.environment.iter().try_for_each(|variable| environment.add(variable))?;

        // 8. No more power than the container's own command has.
        if !self.record.privileged {
            capabilities::drop_all_but_default()?;
        }
        user.map_or(Ok(()), |user| user.become_it())?;
        // A change of user has cleared that.
        die_with(&joiner)?;
        if !self.record.privileged {
            seccomp::refuse()?;
        }
        sys::reset_signals();
        drop((root, working_dir, joiner));
        sys::close_all_but(&[parent.as_raw_fd()])?;
        execute(&spec.command, &environment)
    }
}

/// Ends the calling process with its parent, whether that is to end or has ended. Only
/// the first does the kernel see to; and as long as this process lives, it has the channel
/// open, on which the parent of both waits for its birth.
fn die_with(parent: &Process) -> Result<()> {
    sys::die_with_parent()?;
    if !parent.is_there()? {
        let _ = kill(getpid(), Signal::SIGKILL);
    }
    Ok(())
}
