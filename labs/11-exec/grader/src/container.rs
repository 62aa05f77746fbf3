//! The containers that are entered: made here, and seen from outside.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::ffi::CStr;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use labkit::host::Host;
use labkit::proc::Proc;
use mydocker_kernel::namespaces::NAMESPACES;
use mydocker_kernel::sys::{clone, close_all_but};
use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::CloneFlags;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{Id, WaitPidFlag, waitid, waitpid};
use nix::unistd::{Pid, chdir, execve, pipe2, pivot_root, sethostname};

/// The namespaces that are a container's own, except the user namespace.
pub const ALL: CloneFlags = CloneFlags::CLONE_NEWNS
    .union(CloneFlags::CLONE_NEWPID)
    .union(CloneFlags::CLONE_NEWUTS)
    .union(CloneFlags::CLONE_NEWIPC)
    .union(CloneFlags::CLONE_NEWNET)
    .union(CloneFlags::CLONE_NEWCGROUP);

/// The same for a container that is made again and again: a network takes long to end.
pub const FAST: CloneFlags = ALL.difference(CloneFlags::CLONE_NEWNET);

/// What separates the kinds in a list: they are names, not a sentence.
pub const BETWEEN: &str = " · ";

/// The PID namespace of a process's children. See pid_namespaces(7).
pub const FOR_CHILDREN: &str = "pid_for_children";

/// The namespaces of a process by kind, as /proc names them: `uts:[4026531838]`.
pub type Namespaces = BTreeMap<String, String>;

/// All namespaces of a process, that of its children included.
pub fn namespaces(proc: &Proc, pid: Pid) -> Namespaces {
    let kinds = NAMESPACES.into_iter().map(|(name, _)| name).chain([FOR_CHILDREN]);
    let link = |kind: &str| proc.link(pid.as_raw(), &format!("ns/{kind}")).ok();
    kinds.filter_map(|kind| Some((kind.to_owned(), link(kind)?.display().to_string()))).collect()
}

/// The kinds in which two processes differ.
pub fn differing(one: &Namespaces, other: &Namespaces) -> Vec<String> {
    let kinds = NAMESPACES.into_iter().map(|(name, _)| name.to_owned());
    kinds.filter(|kind| one.get(kind) != other.get(kind)).collect()
}

/// A place in the tree of a mount namespace: the mount, and the inode on it.
pub type Spot = (u32, u64);

/// Where the root or the working directory of a process is: `root`, `cwd`.
pub fn spot(proc: &Proc, pid: Pid, link: &str) -> Option<Spot> {
    let open = File::from(proc.open_file(&format!("{pid}/{link}"), OFlag::O_PATH).ok()?);
    Some((proc.mount_of(&open).ok()?, open.metadata().ok()?.ino()))
}

/// A process in its own namespaces, as the witness sees it.
pub struct Container {
    /// Its first process.
    pub pid: Pid,
    /// What that has.
    pub namespaces: Namespaces,
    /// Its root directory.
    pub root: Option<Spot>,
}

impl Container {
    /// A container with its own root, a busybox in the directory `root`; it sleeps.
    pub fn start(host: &Host, proc: &Proc, root: &Path, namespaces: CloneFlags) -> Container {
        if !root.exists() {
            host.busybox(root.file_name().and_then(|it| it.to_str()).expect("a plain name"));
        }
        Container::of(proc, namespaces, || become_container(root))
    }

    /// A process that has only namespaces, and sleeps.
    pub fn bare(proc: &Proc, namespaces: CloneFlags) -> Container {
        Container::of(proc, namespaces, || Ok(()))
    }

    /// Where the witness finds it, as long as it runs.
    fn of(
        proc: &Proc,
        namespaces: CloneFlags,
        prepare: impl FnOnce() -> io::Result<()>,
    ) -> Container {
        let (hold, let_go) = pipe2(OFlag::O_CLOEXEC).expect("a pipe");
        let (ready, say_ready) = pipe2(OFlag::O_CLOEXEC).expect("a pipe");
        // What the child is given is not open here afterwards.
        let pid = clone(namespaces, move || {
            let mut say_ready = File::from(say_ready);
            let Err(error) = begin(hold, &mut say_ready, prepare);
            let _ = say_ready.write_all(error.to_string().as_bytes());
            125
        });
        let pid = pid.expect("the sandbox allows it");
        let mut ready = File::from(ready);
        ready.read_exact(&mut [0]).expect("it begins");
        if namespaces.contains(CloneFlags::CLONE_NEWUSER) {
            for map in ["uid_map", "gid_map"] {
                fs::write(format!("/proc/{pid}/{map}"), "0 0 1").expect("the witness may");
            }
        }
        drop(let_go);
        let mut said = String::new();
        ready.read_to_string(&mut said).expect("a pipe");
        assert!(said.is_empty(), "the container: {said}");
        let namespaces = self::namespaces(proc, pid);
        Container { pid, namespaces, root: spot(proc, pid, "root") }
    }

    /// Another one in its place, with its number: that is what a number is good for.
    pub fn replace(self, proc: &Proc, namespaces: CloneFlags) -> Container {
        let number = self.pid;
        self.end();
        // The next number is one more than the last. See proc_sys_kernel(5).
        fs::write("/proc/sys/kernel/ns_last_pid", (number.as_raw() - 1).to_string())
            .expect("the sandbox's own");
        let other = Container::bare(proc, namespaces);
        assert_eq!(other.pid, number, "nobody else starts a process meanwhile");
        other
    }

    /// Kills its first process, which is a zombie afterwards: nobody has waited for it.
    pub fn kill(&self) {
        let _ = kill(self.pid, Signal::SIGKILL);
        let _ = waitid(Id::Pid(self.pid), WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT);
    }

    /// Ends it, and waits for that.
    pub fn end(self) {
        let _ = kill(self.pid, Signal::SIGKILL);
        let _ = waitpid(self.pid, None);
    }

    /// Ends it, and all that an answer has in it and elsewhere: a PID namespace comes to
    /// its end only when somebody has waited for each of its processes.
    pub fn end_with_all(&self) {
        let _ = kill(Pid::from_raw(-1), Signal::SIGKILL);
        while waitpid(None, None) != Err(Errno::ECHILD) {}
    }

    /// Its namespaces that another process is not in.
    pub fn not_those_of(&self, other: &Namespaces) -> Vec<(String, CloneFlags)> {
        let kinds = NAMESPACES.into_iter().map(|(name, kind)| (name.to_owned(), kind));
        kinds.filter(|(name, _)| self.namespaces.get(name) != other.get(name)).collect()
    }

    /// A namespace of it, open.
    pub fn open(&self, proc: &Proc, kind: &str) -> OwnedFd {
        let opened = proc.open_file(&format!("{}/ns/{kind}", self.pid), OFlag::O_RDONLY);
        opened.expect("the container is there")
    }
}

/// The container's first process, from its birth to its program.
fn begin(
    hold: OwnedFd,
    say_ready: &mut File,
    prepare: impl FnOnce() -> io::Result<()>,
) -> io::Result<Infallible> {
    let kept = [hold.as_raw_fd(), say_ready.as_raw_fd()];
    close_all_but(&kept).map_err(|error| io::Error::other(error.to_string()))?;
    // Of a copy of the witness, which is nobody's business, not even maps can be written.
    // So it is no longer a copy as soon as anybody else begins.
    nix::sys::prctl::set_dumpable(true)?;
    say_ready.write_all(b".")?;
    let _ = File::from(hold).read(&mut [0])?;
    prepare()?;
    let no_variables: [&CStr; 0] = [];
    Ok(execve(c"/bin/sleep", &[c"sleep", c"1000"], &no_variables)?)
}

/// The container's root, as lab 06 makes it.
fn become_container(root: &Path) -> io::Result<()> {
    let nothing: Option<&str> = None;
    mount(nothing, "/", nothing, MsFlags::MS_PRIVATE | MsFlags::MS_REC, nothing)?;
    mount(Some(root), root, nothing, MsFlags::MS_BIND | MsFlags::MS_REC, nothing)?;
    let safe = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    mount(Some("proc"), &root.join("proc"), Some("proc"), safe, nothing)?;
    chdir(root)?;
    pivot_root(".", ".")?;
    umount2(".", MntFlags::MNT_DETACH)?;
    chdir("/")?;
    Ok(sethostname("container")?)
}
