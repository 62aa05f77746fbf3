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
use std::os::fd::{AsFd, AsRawFd};
use std::path::Path;

use nix::mount::MsFlags;
use nix::sched::CloneFlags;
use nix::sys::signalfd::SignalFd;
use nix::sys::stat::{Mode, umask};
use nix::unistd::{Pid, dup2_stdin, getegid, geteuid};
use rustix::termios::Winsize;

use crate::channel::{Channel, Message};
use crate::child::Child;
use crate::container::{Container, Record};
use crate::keeper::keep;
use crate::limits::Group;
use crate::new_root::NewRoot;
use crate::process::Identity;
use crate::program::execute;
pub use crate::spec::Spec;
use crate::streams::{self, ContainerStreams};
use crate::supervise::{hold_signals, supervise};
use crate::user_namespace::map_user;
use crate::volume::{self, OpenVolume};
use crate::workspace::delete::{delete_mount_point, delete_workspace};
use crate::workspace::{self, Durability, Workspace, complete_write_layer};
use crate::{caller, capabilities, dev, exit_code, proc, seccomp, terminal, trace};
use mydocker_kernel::error::FAILED;
use mydocker_kernel::privileges::Privileges;
use mydocker_kernel::{Error, OnPath, Result, pivot, sys};

/// Runs a container and returns its exit code: the command's own, or 128+n
/// when signal n ended it.
///
/// In the background it says to `caller` when the command runs, and what the container
/// writes goes into its log. See [`crate::background`].
///
/// The calling process must be single-threaded. Its umask, its groups and its
/// keyring are changed, and signals are blocked.
///
/// # Errors
/// Any step that failed; the workspace is deleted all the same.
pub fn run(spec: &Spec, caller: Option<&Channel>) -> Result<u8> {
    trace::step("hold the signals, so that none can prevent the clean-up");
    let signals = hold_signals()?;

    trace::step("leave behind what is the caller's");
    let privileges = Privileges::known()?;
    caller::leave_behind(privileges)?;

    trace::step("make and lock the container's directory");
    let mut container = Container::create(&spec.root, spec.name.as_deref())?;

    let mut group = Group::default();
    let outcome = group
        .create(&container.folder, &spec.limits)
        .and_then(|()| start(spec, privileges, caller, &mut container, &group, &signals));

    // They are still held, and nothing reads them any more: one descriptor more for
    // what follows, where there are few.
    drop(signals);

    trace::step("unmount and delete the workspace");
    // The folder stays as long as the group does: it tells prune of that.
    let is_kept = spec.keep && (caller.is_none() || outcome.is_ok());
    let deleted = group.remove().and_then(|()| match is_kept {
        true => {
            let code = outcome.as_ref().map_or_else(Error::exit_code, |code| *code);
            let noted = exit_code::write(&container.folder, code);
            let completed = complete_write_layer(spec.driver, &container.folder);
            delete_mount_point(&container.folder).and(completed).and(noted)
        }
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
fn start(
    spec: &Spec,
    privileges: Privileges,
    caller: Option<&Channel>,
    container: &mut Container,
    group: &Group,
    signals: &SignalFd,
) -> Result<u8> {
    let hostname = spec.hostname.clone().unwrap_or_else(|| default_hostname(spec, &container.id));
    let hostname = hostname.as_str();
    let durability = if spec.keep { Durability::Kept } else { Durability::UntilDeleted };
    let folder = container.folder.clone();
    let workspace = Workspace::new(folder, &spec.image, spec.driver, durability, privileges);

    // 1. The container starts as a copy of this process, in new namespaces. The
    //    keeper is between: it dies with us, and the container with it. The kernel
    //    takes its time for a network, and meanwhile we go on.
    trace::step("clone a keeper, which ends the container when we are killed");
    // ANCHOR: namespaces
    let mut namespaces =
        CloneFlags::CLONE_NEWPID | CloneFlags::CLONE_NEWUTS | CloneFlags::CLONE_NEWIPC;
    if !spec.host_network {
        namespaces |= CloneFlags::CLONE_NEWNET;
    }
    // ANCHOR_END: namespaces
    let mut around = CloneFlags::CLONE_NEWPID;
    if privileges == Privileges::User {
        around |= CloneFlags::CLONE_NEWUSER;
    }
    let (ours, theirs) = Channel::pair()?;
    let size = if spec.terminal { terminal::window_size() } else { None };
    let user = (geteuid(), getegid());
    let (streams, theirs_of_streams) = match caller {
        Some(_) => streams::into_log(&container.folder, spec.interactive, spec.terminal)?,
        None if spec.terminal => Default::default(),
        None => streams::pipes(spec.interactive)?,
    };
    let inside = Inside {
        spec,
        workspace: &workspace,
        privileges,
        hostname,
        size,
        streams: &theirs_of_streams,
    };
    let container_side = || {
        let Err(error) = inside.start(&theirs);
        trace::finish();
        // If the parent has gone there is nobody to tell.
        let _ = theirs.send(&Message::Failed(error));
        FAILED.into()
    };
    let keeper =
        sys::clone(around, || keep(namespaces, &theirs, ours.as_raw_fd(), container_side))?;
    drop((theirs, theirs_of_streams));

    // 2. The layers: container-init layer, write layer, an empty mount point.
    //    Whatever fails from here on, the container must not be left.
    trace::step("create the workspace's layers");
    let identity = workspace::Identity { hostname, host_network: spec.host_network };
    let created = workspace.create_layers(&spec.image, identity).and_then(|()| match spec.keep {
        true => exit_code::reserve(&container.folder),
        false => Ok(()),
    });

    // 3. Root joins them here, where a second terminal can look at them. A
    //    user may only mount in a user namespace, so the container does it.
    let mounted = created.and_then(|()| {
        if privileges == Privileges::User {
            return Ok(());
        }
        trace::step("mount the layers together on mnt");
        workspace.create_mount_point()
    });

    // 4. The container waits until it is root of its user namespace and under
    //    its limits.
    trace::step("map the user, join the control group, let the container go");
    let child = Child::born(keeper, &ours)?;
    let let_go = mounted
        .and_then(|()| match privileges {
            Privileges::User => map_user(&keeper.to_string(), user),
            _ => Ok(()),
        })
        .and_then(|()| child.pid().map_or(Ok(()), |pid| group.add(pid)))
        .and_then(|()| container.note(&record(spec, &child, hostname, caller.is_some())?))
        .and_then(|()| ours.send(&Message::Go));
    if let Err(error) = let_go {
        // If it had ended by itself, how is what counts.
        let was_ending = child.is_ending();
        child.kill();
        // Its own report, if it has one, says more than our error.
        let ended = supervise(&child, ours, signals, false, streams, &|| ());
        return if was_ending { ended } else { ended.and(Err(error)) };
    }

    // 5. Forward signals, carry the terminal's bytes, wait for the end.
    trace::step("wait for the end of the container");
    let reads_ours = spec.interactive && caller.is_none();
    let started = || {
        let runs = caller.map(|caller| caller.send(&Message::Runs(container.id.clone())));
        // If the caller has gone, the container goes on all the same.
        drop(runs);
    };
    supervise(&child, ours, signals, reads_ours, streams, &started).inspect_err(|_| child.end())
}

/// On the host's network the host's name, as with docker; else the container's, as
/// far as the kernel takes one. See gethostname(2).
fn default_hostname(spec: &Spec, id: &str) -> String {
    const LONGEST: usize = 64;
    let of_host = || nix::unistd::gethostname().ok()?.into_string().ok();
    match spec.host_network {
        true => of_host().unwrap_or_else(|| id.into()),
        // The name of a container has only characters of one byte.
        false => id[..id.len().min(LONGEST)].into(),
    }
}

fn record(spec: &Spec, child: &Child, hostname: &str, detached: bool) -> Result<Record> {
    let mut environment = spec.environment.clone();
    environment.set_default("HOSTNAME", hostname);
    Ok(Record {
        process: Identity::of(child.pid().unwrap_or(Pid::from_raw(0)))?,
        owner: Identity::of(Pid::this())?,
        environment,
        working_dir: spec.working_dir.clone().into(),
        privileged: spec.privileged,
        detached,
        image: spec.image.name().to_owned(),
        driver: spec.driver,
        command: spec.command.iter().map(|word| word.to_string_lossy().into_owned()).collect(),
        created: crate::container::now(),
        keep: spec.keep,
    })
}

/// The container's side: what it knows of the parent's.
struct Inside<'a> {
    spec: &'a Spec,
    workspace: &'a Workspace,
    privileges: Privileges,
    hostname: &'a str,
    size: Option<Winsize>,
    streams: &'a ContainerStreams,
}

impl Inside<'_> {
    /// From the clone to the exec. Returns only when a step has failed.
    fn start(&self, parent: &Channel) -> Result<Infallible> {
        let spec = self.spec;
        trace::enter("container");

        // 0. What the parent has open, an image's folder for one, or was
        //    started with: by /proc/self/fd a path of the image would lead there.
        let needed = [parent.as_raw_fd()];
        let streams = self.streams.descriptors();
        sys::close_all_but(&[&needed[..], &streams, &trace::descriptors()].concat())?;

        // 1. Who we are to others.
        trace::step("set the host name and bring the loopback up");
        sys::sethostname(self.hostname)?;
        if !spec.host_network {
            sys::bring_up_loopback()?;
        }

        // 2. If the parent has been killed by now, this says so too: the keeper
        //    has closed our copy of the parent's end.
        trace::step("wait for the parent's go");
        let Some(Message::Go) = parent.receive()? else {
            return Err(Error::new("the parent has ended before the container could start"));
        };

        // 3. Two namespaces begin with what there is by now: the mount table, with
        //    the layers in it, is copied; and the control group that we have joined
        //    is the topmost one that we can name.
        trace::step("leave the host's mounts and control groups");
        sys::unshare(CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWCGROUP)?;

        // ANCHOR: private
        // 4. From here on, no mount made in here reaches the host, and none of
        //    the host's comes in: all of them, so recursively.
        trace::step("make every mount private");
        let private = MsFlags::MS_PRIVATE | MsFlags::MS_REC;
        sys::mount("", Path::new("/"), "", private, "")?;
        // ANCHOR_END: private

        // 5. A user's layers are joined in here. See the parent's step 3.
        if self.privileges == Privileges::User {
            trace::step("mount the layers together on mnt");
            self.workspace.create_mount_point()?;
        }

        // 6. What the container needs of the host, while it can be reached:
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

        // 7. The workspace becomes the root. If that fails the start ends
        //    here: the command must not run on the host's files.
        trace::step("pivot the root into mnt");
        pivot::pivot_root(&self.workspace.mount_point())?;
        let root = NewRoot::open()?;

        // 8. The kernel's own file systems. Not later, for in a user namespace
        //    the kernel grants a /proc only to who still sees another one.
        trace::step("mount /proc and /sys");
        proc::mount_proc(&root)?;
        match host_sys {
            Some(sys) => sys.attach(root.directory("sys")?.as_fd(), Path::new("/sys"))?,
            None => proc::mount_sys(&root, spec.privileged)?,
        }

        // 9. Nothing of the host is left to be seen.
        trace::step("detach the old root");
        pivot::detach_old_root()?;

        trace::step("mount /dev");
        umask(Mode::empty());
        dev::mount_dev(&root, self.privileges, devices)?;
        umask(Mode::from_bits_truncate(0o022));

        // 10. The standard streams: a terminal of our own, or pipes; without -i
        //     there is nothing to read.
        trace::step("set up the standard streams");
        let null = root.open_device("/dev/null")?;
        if spec.terminal {
            let (master, slave) = terminal::open_terminal(self.size)?;
            dev::bind_console(&slave)?;
            parent.send(&Message::Terminal(master.into()))?;
            terminal::enter_terminal(&slave)?;
        } else {
            // A session of its own: Ctrl-C reaches the parent alone, which
            // forwards it.
            let _ = nix::unistd::setsid();
            self.streams.enter()?;
            if !spec.interactive {
                dup2_stdin(&null).on("dup2", Path::new("/dev/null"))?;
            }
        }

        // 11. What of the kernel the container must not touch.
        if !spec.privileged {
            trace::step("mask and protect parts of /proc and /sys");
            proc::protect(&root, &null)?;
        }

        // 12. The volumes come after all that must not be covered by one, and
        //     /dev is closed only then, for there can be one in it.
        trace::step("attach the volumes");
        volume::attach(&root, volumes)?;
        if !spec.privileged {
            dev::protect()?;
        }

        // 13. Where the command starts. Like docker, make it if it is missing.
        trace::step("go to the working directory");
        let working_dir = root.make_directory(&spec.working_dir)?;
        sys::fchdir(working_dir.as_fd(), &spec.working_dir)?;

        // 14. Nothing of ours goes along: no capability beyond docker's, no
        //     signal setting, no descriptor but the standard streams.
        trace::step("drop privileges, close descriptors, execute the command");
        if !spec.privileged {
            capabilities::drop_all_but_default()?;
            seccomp::refuse()?;
        }
        sys::reset_signals();
        trace::finish();
        drop((root, null, working_dir));
        sys::close_all_but(&[parent.as_raw_fd()])?;
        let mut environment = spec.environment.clone();
        environment.set_default("HOSTNAME", self.hostname);
        execute(&spec.command, &environment)
    }
}
