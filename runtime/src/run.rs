//! A run, from top to bottom: first the parent's side, then the container's.
//!
//! Each numbered comment is a step; `mydocker run --trace` shows the same
//! steps with the kernel calls they make and what they do to the mount table.
//!
//! PID 1 of the container is the command itself, as with docker and in the
//! blog: there is no process of ours between, so the command also reaps the
//! orphans that are handed to it, or they stay zombies until it ends. A shell
//! does; `run sh -c 'some-server; exit'` is the way for a program that does not.

use std::convert::Infallible;
use std::ffi::OsString;
use std::fs::{self, OpenOptions};
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};

use nix::mount::MsFlags;
use nix::sched::CloneFlags;
use nix::sys::signal::{Signal, kill};
use nix::sys::signalfd::SignalFd;
use nix::sys::stat::{Mode, umask};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{Gid, Pid, Uid, dup2_stdin, getegid, geteuid};
use rustix::termios::Winsize;

use crate::channel::{Channel, Message};
use crate::container::{Container, Record};
use crate::error::{Error, OnPath, Result};
use crate::folder::make_folder;
use crate::image::Image;
use crate::limits::{Group, Limits};
use crate::privileges::Privileges;
use crate::program::{Environment, execute};
use crate::supervise::{hold_signals, supervise};
use crate::volume::{OpenVolume, Volume};
use crate::workspace::delete::{delete_mount_point, delete_workspace};
use crate::workspace::{Driver, Durability, Workspace};
use crate::{capabilities, dev, pivot, proc, sys, terminal, trace};

/// What to run, and in what.
#[derive(Debug)]
pub struct Spec {
    /// The folder that holds all images and containers.
    pub root: PathBuf,
    /// The image; it stays locked against deletion.
    pub image: Image,
    /// The container's name; none: a random number.
    pub name: Option<String>,
    /// The command and its arguments.
    pub command: Vec<OsString>,
    /// The variables that the command gets, and no others.
    pub environment: Environment,
    /// The working directory in the container.
    pub working_dir: PathBuf,
    /// The host name; none: the container's name.
    pub hostname: Option<String>,
    /// Folders and files of the host that the container sees.
    pub volumes: Vec<Volume>,
    /// The resource limits.
    pub limits: Limits,
    /// The driver of the workspace.
    pub driver: Driver,
    /// Whether the container gets a terminal of its own.
    pub terminal: bool,
    /// Whether stdin goes to the container; else it reads nothing.
    pub interactive: bool,
    /// Whether the container uses the host's network.
    pub host_network: bool,
    /// Whether the container keeps every capability, and may write to /sys.
    pub privileged: bool,
    /// Whether the workspace stays after the end.
    pub keep: bool,
}

/// Runs a container and returns its exit code: the command's own, or 128+n
/// when signal n ended it.
///
/// The calling process must be single-threaded. Its umask is changed, and
/// signals are blocked.
///
/// # Errors
/// Any step that failed; the workspace is deleted all the same.
pub fn run(spec: &Spec) -> Result<u8> {
    trace::step("hold the signals, so that none can prevent the clean-up");
    let signals = hold_signals()?;
    umask(Mode::from_bits_truncate(0o022));

    trace::step("make and lock the container's folder");
    let mut container = Container::create(&spec.root, spec.name.as_deref())?;

    let mut group = Group::default();
    let outcome = group
        .create(&container.id, &spec.limits)
        .and_then(|()| start(spec, &mut container, &group, &signals));

    trace::step("unmount and delete the workspace");
    // The folder stays as long as the group does: it tells prune of that.
    let deleted = group.remove().and_then(|()| match spec.keep {
        true => delete_mount_point(&container.folder),
        false => delete_workspace(&container.folder),
    });
    trace::finish();
    match (outcome, deleted) {
        (outcome, Ok(())) => outcome,
        (Ok(code), Err(error)) => Err(error.after(format!("the command ended with {code}, but "))),
        (Err(error), Err(second)) => Err(error.followed_by(&second)),
    }
}

/// The parent's side: everything is ready before the container is let go.
fn start(spec: &Spec, container: &mut Container, group: &Group, signals: &SignalFd) -> Result<u8> {
    let privileges = Privileges::known()?;

    // 1. The layers: container-init layer, write layer, an empty mount point.
    trace::step("create the workspace's layers");
    let hostname = spec.hostname.as_deref().unwrap_or(&container.id);
    let durability = if spec.keep { Durability::Kept } else { Durability::UntilDeleted };
    let folder = container.folder.clone();
    let workspace = Workspace::create(folder, &spec.image, spec.driver, hostname, durability)?;

    // 2. Root joins them here, where a second terminal can look at them. A
    //    user may only mount in a user namespace, so the container does it.
    if privileges != Privileges::User {
        trace::step("mount the layers together on mnt");
        workspace.create_mount_point()?;
    }

    // 3. The container starts as a copy of this process, in new namespaces.
    trace::step("clone the container's PID 1 into new namespaces");
    // ANCHOR: namespaces
    let mut namespaces = CloneFlags::CLONE_NEWNS
        | CloneFlags::CLONE_NEWPID
        | CloneFlags::CLONE_NEWUTS
        | CloneFlags::CLONE_NEWIPC;
    if !spec.host_network {
        namespaces |= CloneFlags::CLONE_NEWNET;
    }
    if privileges == Privileges::User {
        namespaces |= CloneFlags::CLONE_NEWUSER;
    }
    // ANCHOR_END: namespaces
    let (ours, theirs) = Channel::pair()?;
    let size = if spec.terminal { terminal::window_size() } else { None };
    let user = (geteuid(), getegid());
    let child = sys::clone(namespaces, || {
        let inside = Inside { spec, workspace: &workspace, privileges, hostname, size };
        let Err(error) = inside.start(&theirs, ours.as_raw_fd());
        trace::finish();
        // If the parent has gone there is nobody to tell.
        let _ = theirs.send(&Message::Failed(error));
        crate::error::FAILED.into()
    })?;
    drop(theirs);

    // 4. The container waits until it is root of its user namespace and under
    //    its limits. Whatever fails from here on, it must not be left.
    trace::step("map the user, join the control group, let the container go");
    let let_go = map_user(child, user)
        .and_then(|()| group.add(child))
        .and_then(|()| ours.send(&Message::Go))
        .and_then(|()| container.note(&record(spec, child)));
    if let Err(error) = let_go {
        // If it had ended by itself, how is what counts.
        let was_ending = is_ending(child);
        let _ = kill(child, Signal::SIGKILL);
        // Its own report, if it has one, says more than our error.
        let ended = supervise(child, ours, signals, false);
        return if was_ending { ended } else { ended.and(Err(error)) };
    }

    // 5. Forward signals, carry the terminal's bytes, wait for the end.
    trace::step("wait for the end of the container");
    supervise(child, ours, signals, spec.interactive).inspect_err(|_| end(child))
}

/// Whether a child has begun to end: PF_EXITING among its flags, which stays
/// until it is waited for. See proc_pid_stat(5).
fn is_ending(child: Pid) -> bool {
    const PF_EXITING: u32 = 4;
    let stat = fs::read_to_string(format!("/proc/{child}/stat")).unwrap_or_default();
    // Before the last parenthesis stands its name, which can be anything.
    let fields = stat.rsplit_once(')').map_or("", |(_, fields)| fields);
    let flags = fields.split_whitespace().nth(6).and_then(|flags| flags.parse::<u32>().ok());
    flags.is_some_and(|flags| flags & PF_EXITING != 0)
}

/// Kills the container that could not be supervised to its end: what it still
/// uses cannot be deleted. One that was reaped already is left in peace.
fn end(child: Pid) {
    if waitpid(child, Some(WaitPidFlag::WNOHANG)) == Ok(WaitStatus::StillAlive) {
        let _ = kill(child, Signal::SIGKILL);
        let _ = waitpid(child, None);
    }
}

/// Makes an ordinary user root of the container's user namespace, in which
/// nobody else is anybody. See user_namespaces(7).
fn map_user(child: Pid, (uid, gid): (Uid, Gid)) -> Result<()> {
    if uid.is_root() {
        return Ok(());
    }
    for (file, content) in [
        ("uid_map", format!("0 {uid} 1\n")),
        ("setgroups", "deny".to_owned()),
        ("gid_map", format!("0 {gid} 1\n")),
    ] {
        let path = PathBuf::from(format!("/proc/{child}/{file}"));
        fs::write(&path, content).on("write", &path)?;
    }
    Ok(())
}

fn record(spec: &Spec, child: Pid) -> Record {
    Record {
        pid: child.as_raw(),
        image: spec.image.name().to_owned(),
        driver: spec.driver,
        command: spec.command.iter().map(|word| word.to_string_lossy().into_owned()).collect(),
        created: crate::container::now(),
        keep: spec.keep,
    }
}

/// The container's side: what it knows of the parent's.
struct Inside<'a> {
    spec: &'a Spec,
    workspace: &'a Workspace,
    privileges: Privileges,
    hostname: &'a str,
    size: Option<Winsize>,
}

impl Inside<'_> {
    /// From the clone to the exec. Returns only when a step has failed.
    fn start(&self, parent: &Channel, parents_end: std::os::fd::RawFd) -> Result<Infallible> {
        let spec = self.spec;
        trace::enter_container();

        // 0. What the parent has open, an image's folder for one, or was
        //    started with: by /proc/self/fd a path of the image would lead there.
        let needed = [parent.as_raw_fd(), parents_end];
        sys::close_all_but(&[&needed[..], &trace::descriptors()].concat())?;

        // 1. If the parent is killed, so is the container. Our copy of the
        //    parent's end is closed, so that its death can be seen.
        trace::step("die with the parent, and wait for its go");
        sys::die_with_parent()?;
        let _ = nix::unistd::close(parents_end);
        let Some(Message::Go) = parent.receive()? else {
            return Err(Error::new("the parent has ended before the container could start"));
        };

        // ANCHOR: private
        // 2. From here on, no mount made in here reaches the host, and none of
        //    the host's comes in: all of them, so recursively.
        trace::step("make every mount private");
        let private = MsFlags::MS_PRIVATE | MsFlags::MS_REC;
        sys::mount("", Path::new("/"), "", private, "")?;
        // ANCHOR_END: private

        // 3. A user's layers are joined in here. See the parent's step 2.
        if self.privileges == Privileges::User {
            trace::step("mount the layers together on mnt");
            self.workspace.create_mount_point()?;
        }

        // 4. What the container needs of the host, while it can be reached:
        //    volumes and device files, as mounts that hang nowhere yet.
        trace::step("take volumes and devices from the host");
        let volumes: Vec<OpenVolume> = spec
            .volumes
            .iter()
            .map(|volume| volume.open(spec.privileged))
            .collect::<Result<_>>()?;
        let devices = dev::open_devices(self.privileges)?;
        let host_sys = match (spec.host_network, self.privileges) {
            (false, _) | (true, Privileges::Root) => None,
            (true, _) => Some(proc::open_host_sys(spec.privileged)?),
        };

        // 5. The workspace becomes the root. If that fails the start ends
        //    here: the command must not run on the host's files.
        trace::step("pivot the root into mnt");
        pivot::pivot_root(&self.workspace.mount_point())?;

        // 6. The kernel's own file systems. Only now, for from here on a link
        //    in the image can only lead to another place of the image; and
        //    not later, for in a user namespace the kernel grants a /proc
        //    only to who still sees another one.
        trace::step("mount /proc and /sys");
        proc::mount_proc()?;
        match host_sys {
            Some(sys) => sys.attach_anywhere()?,
            None => proc::mount_sys(spec.privileged)?,
        }

        // 7. Nothing of the host is left to be seen.
        trace::step("detach the old root");
        pivot::detach_old_root()?;

        trace::step("mount /dev");
        umask(Mode::empty());
        dev::mount_dev(self.privileges, devices)?;
        umask(Mode::from_bits_truncate(0o022));

        trace::step("attach the volumes");
        volumes.into_iter().try_for_each(OpenVolume::attach)?;

        // 8. Who we are to others.
        trace::step("set the host name and bring the loopback up");
        sys::sethostname(self.hostname)?;
        if !spec.host_network {
            sys::bring_up_loopback()?;
        }

        // 9. The standard streams: a terminal of our own, ours as they are, or
        //    nothing to read.
        trace::step("set up the standard streams");
        if spec.terminal {
            let (master, slave) = terminal::open_terminal(self.size)?;
            dev::bind_console(&slave)?;
            parent.send(&Message::Terminal(master.into()))?;
            terminal::enter_terminal(&slave)?;
        } else {
            // A session of its own: Ctrl-C reaches the parent alone, which
            // forwards it.
            let _ = nix::unistd::setsid();
            if !spec.interactive {
                let null = Path::new("/dev/null");
                let file = OpenOptions::new().read(true).open(null).on("open", null)?;
                dup2_stdin(&file).on("dup2", null)?;
            }
        }

        // 10. What of the kernel the container must not touch.
        if !spec.privileged {
            trace::step("mask and protect parts of /proc, /sys and /dev");
            proc::protect()?;
            dev::protect()?;
        }

        // 11. Where the command starts. Like docker, make it if it is missing.
        trace::step("go to the working directory");
        make_folder(&spec.working_dir, 0o777)?;
        sys::chdir(&spec.working_dir)?;
        // A trace still has the host's /proc open.
        sys::require_cwd_inside().map_err(|error| {
            let why = format!("the working directory {:?} leads out of it", spec.working_dir);
            error.because(why).advise("name another one: -w /")
        })?;

        // 12. Nothing of ours goes along: no capability beyond docker's, no
        //     signal setting, no descriptor but the standard streams.
        trace::step("drop privileges, close descriptors, execute the command");
        if !spec.privileged {
            capabilities::drop_all_but_default()?;
        }
        sys::reset_signals();
        trace::finish();
        sys::close_all_but(&[parent.as_raw_fd()])?;
        let mut environment = spec.environment.clone();
        environment.set_default("HOSTNAME", self.hostname);
        execute(&spec.command, &environment)
    }
}
