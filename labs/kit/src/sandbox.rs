//! The sealed sandbox: an answer may do what it likes, and the machine does not change.
//!
//! A small host is put together in its own mount namespace: a tmpfs as its
//! root, the machine's programs and devices on it, read-only, and a tmpfs on /tmp
//! and on /root that can be written. Then the machine's own root is let go of,
//! and there come a user, a mount and a PID namespace below that, in which nobody
//! can undo it: the flags of a mount are locked for a less privileged mount
//! namespace (mount_namespaces(7)). In there every mount is made shared, as on a
//! host with systemd: that is "the host" that the answer sees, and where the
//! witness stays. A witness further out would see nothing: mounts do not
//! propagate to a more privileged namespace.
//!
//! Where the machine's root grades, all that is in there is in control groups with a
//! limit of memory and of processes. For a user there are none, and memory that is in
//! no process is not limited: see [`limits`](crate::limits).

use std::fs;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::{MetadataExt, lchown, symlink};
use std::path::{Path, PathBuf};

use libc::{SIGPIPE, SIGRTMAX};
use mydocker_kernel::OnPath;
use mydocker_kernel::mountinfo::MountTable;
use mydocker_kernel::pivot::{detach_old_root, pivot_root};
use mydocker_kernel::privileges::Privileges;
use mydocker_kernel::sys;
use nix::errno::Errno;
use nix::mount::MsFlags;
use nix::sched::CloneFlags;
use nix::sys::signal::SigSet;
use nix::sys::stat::{Mode, umask};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{Gid, Uid, alarm, getegid, geteuid, pipe, setgroups, setresgid, setresuid};

use crate::answering::Program;
use crate::canary::contents;
use crate::control_groups::ControlGroups;
use crate::devices;
use crate::host::Host;
use crate::limits::{Excess, MEMORY_OF_SANDBOX, PROCESSES_OF_SANDBOX, slowness};
use crate::need::{Lacking, Seal};
use crate::oom_score::OomScore;
use crate::places::{HOME, SCRATCH};
use crate::verdict::{Evidence, Finding, Verdict};

/// What else can be written to: where other programs keep theirs.
const WRITABLE: [&str; 3] = ["var", "run", "home"];

/// Where the ground is laid that the host stands on, before it becomes the root.
const GROUND: &str = "/tmp";
/// Its directory where the host is put together.
const SITE: &str = "host";
/// Its directory with a proc.
const PROC: &str = "proc";

/// The machine's directories that the host has too.
const FOLDERS: [&str; 9] = ["bin", "etc", "lib", "lib64", "nix", "proc", "sbin", "sys", "usr"];

/// The user and group ids of the machine that are root's and all others' in
/// the sandbox when root grades: nobody has them.
const FIRST_ID: u32 = 1_500_000_000;
const IDS: u32 = 65_536;

/// How long the grading of one promise may take, in seconds; [`slowness`] times as
/// long on a slow machine.
const AT_MOST: u32 = 60;

/// Seals the machine off, lets `witness` grade in the sandbox and returns its
/// verdict.
///
/// To be called in a process made for it, which has one thread. `guarded` is a
/// directory of the machine that the answer finds as a copy that can be written;
/// with `with_control_groups` it finds some that are its own. Whether it finds them or
/// not, where root grades the sandbox is in control groups with its limits.
///
/// # Errors
/// The sandbox cannot be made, and not because this machine lacks something.
pub fn grade_in_sandbox(
    seal: Seal,
    with_control_groups: bool,
    program: Option<Program>,
    guarded: Option<&Path>,
    witness: impl FnOnce(&Host) -> Verdict,
) -> mydocker_kernel::Result<Verdict> {
    // A grader that hangs is killed, and with it all that it started.
    alarm::set(AT_MOST * slowness());
    // What is made here is for the answer, which may be another user.
    umask(Mode::from_bits_truncate(0o022));

    // 1. A user must be root somewhere to have a mount namespace.
    let is_user = Privileges::current() != Privileges::Root;
    if is_user {
        let (uid, gid) = (geteuid(), getegid());
        if let Err(error) = sys::unshare(CloneFlags::CLONE_NEWUSER) {
            return not_gradable(error);
        }
        if let Err(error) = map_ids("self", &format!("0 {uid} 1"), &format!("0 {gid} 1")) {
            return not_gradable(error);
        }
    }

    // 2. A mount namespace in which everything is private.
    let guarded = guarded.and_then(Guarded::read);
    if let Err(error) = sys::unshare(CloneFlags::CLONE_NEWNS) {
        return not_gradable(error);
    }
    sys::mount("", Path::new("/"), "", MsFlags::MS_PRIVATE | MsFlags::MS_REC, "")?;

    // 3. A host in it, and nothing of the machine around it.
    let owner = if is_user || seal != Seal::UserNamespace { 0 } else { FIRST_ID };
    //    Where it can have no control groups, what the witness counts is all there is.
    let divisible_by = with_control_groups.then_some(owner);
    let groups = (!is_user).then(|| ControlGroups::create(divisible_by).ok()).flatten();
    if groups.is_none() && with_control_groups {
        return Ok(Verdict::NotGradable(Lacking::ControlGroups));
    }
    // Taken before the ground covers what may lie there.
    let found = folders_of_the_machine();
    let ground = Path::new(GROUND);
    lay_ground(ground)?;
    let shown = groups.as_ref().filter(|_| with_control_groups);
    build_host(&ground.join(SITE), seal, found, guarded.as_ref(), shown, owner)?;
    pivot_root(ground)?;
    detach_old_root()?;
    stand_on_ground(&Path::new("/").join(SITE))?;

    let processes_outside = processes_of(if owner == 0 { geteuid().as_raw() } else { owner });
    // 4. The witness, PID 1 of the namespaces in which all this is locked.
    let mut namespaces = CloneFlags::CLONE_NEWNS
        | CloneFlags::CLONE_NEWPID
        | CloneFlags::CLONE_NEWIPC
        | CloneFlags::CLONE_NEWUTS
        | CloneFlags::CLONE_NEWNET;
    if seal == Seal::UserNamespace {
        namespaces |= CloneFlags::CLONE_NEWUSER;
    }
    let pipe = || pipe().map_err(|errno| mydocker_kernel::Error::call("pipe()", errno));
    let (go, let_go) = pipe()?;
    let (told, tell) = pipe()?;
    let tell = fs::File::from(tell);
    let child = {
        let tell = &tell;
        let guarded = guarded.as_ref().map(|guarded| guarded.folder.clone());
        let groups = groups.as_ref();
        sys::clone(namespaces, move || {
            let entered = match groups.map_or(Ok(()), ControlGroups::enter) {
                Err(_) if !with_control_groups => Ok(()),
                entered => entered,
            };
            let verdict = inside(seal, go, entered, program, guarded, processes_outside, witness)
                .map_err(|error| error.to_string());
            send(tell, &verdict).map_or(1, |()| 0)
        })
    };
    let child = match child {
        Err(error) if seal == Seal::UserNamespace => return not_gradable(error),
        child => child?,
    };
    drop(tell);
    if seal == Seal::UserNamespace {
        let map = if is_user { "0 0 1".to_owned() } else { format!("0 {FIRST_ID} {IDS}") };
        map_ids(&child.to_string(), &map, &map)?;
    }
    send_go(&let_go)?;

    // 5. Its verdict, and its end: with it all that the answer started ends. A
    //    witness that has not ended as it should says nothing.
    let verdict = receive(told);
    let ended = waitpid(child, None);
    // A witness that has run out of memory saw less than there was, if it was not killed.
    if let Some(excess) = groups.as_ref().and_then(ControlGroups::exceeded) {
        return Ok(Verdict::Broken(beyond_limits(excess, verdict)));
    }
    match (ended, verdict) {
        (Ok(WaitStatus::Exited(_, 0)), Ok(verdict)) => verdict.map_err(mydocker_kernel::Error::new),
        (ended, verdict) => {
            let error = verdict.err().map(|error| format!(" ({error})")).unwrap_or_default();
            Err(mydocker_kernel::Error::new(format!(
                "the witness has not ended well{error}: {ended:?}"
            )))
        }
    }
}

/// What is wrong where the limits of the sandbox had to be enforced. Of what the witness
/// has told, if it came to that, it is still true what was asked for and printed.
fn beyond_limits(excess: Excess, told: io::Result<Result<Verdict, String>>) -> Finding {
    let limit = match excess {
        Excess::Memory => format!("at most {} MiB of memory", MEMORY_OF_SANDBOX >> 20),
        _ => format!("at most {PROCESSES_OF_SANDBOX} processes"),
    };
    let what = "the control groups of the sandbox";
    let mut finding = Finding::of_excess(excess);
    if let Ok(Ok(Verdict::Broken(told))) = told {
        finding.words.extend(told.words.into_iter().filter(|(name, _)| name == "function"));
        finding.printed = told.printed;
    }
    finding.with([Evidence::differs(what, limit, "more was asked for")])
}

/// What the witness does: it becomes root of its namespaces, makes them look
/// like a host, and grades.
fn inside(
    seal: Seal,
    go: OwnedFd,
    entered: io::Result<()>,
    program: Option<Program>,
    guarded: Option<PathBuf>,
    processes_outside: usize,
    witness: impl FnOnce(&Host) -> Verdict,
) -> Result<Verdict, io::Error> {
    let failed = |error: mydocker_kernel::Error| io::Error::other(error.to_string());
    sys::die_with_parent().map_err(failed)?;
    let oom_score = OomScore::open().ok();
    std::fs::File::from(go).read_exact(&mut [0])?;
    entered.map_err(|error| io::Error::other(format!("control groups: {error}")))?;
    if seal == Seal::UserNamespace {
        // An ordinary user may not do this, and has no other groups to drop.
        let _ = setgroups(&[]);
        setresgid(Gid::from_raw(0), Gid::from_raw(0), Gid::from_raw(0))?;
        setresuid(Uid::from_raw(0), Uid::from_raw(0), Uid::from_raw(0))?;
    }
    // The change of ids has undone it.
    sys::die_with_parent().map_err(failed)?;
    // Whatever signals the caller ignores or blocks, graded programs must not. Only
    // SIGPIPE stays: that a reader has gone is an error here, not the end.
    let all_but_pipe = (1..=SIGRTMAX()).filter(|signal| *signal != SIGPIPE);
    all_but_pipe.for_each(sys::set_default_action);
    SigSet::empty().thread_set_mask()?;

    // The answer has all capabilities here, but not over this process.
    nix::sys::prctl::set_dumpable(false)?;

    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    if let Err(error) = sys::mount("proc", Path::new("/proc"), "proc", flags, "") {
        let errno = error.errno().unwrap_or(Errno::EPERM) as i32;
        return Ok(Verdict::NotGradable(Lacking::UserNamespaces { errno }));
    }
    if seal != Seal::UserNamespace {
        protect_the_kernel().map_err(failed)?;
    }
    devices::show_terminals().map_err(failed)?;
    sys::mount("", Path::new("/"), "", MsFlags::MS_SHARED | MsFlags::MS_REC, "").map_err(failed)?;
    Ok(witness(&Host::new(program, guarded, processes_outside, seal, oom_score)?))
}

/// Makes the kernel's knobs read-only: they are the machine's, and its root may turn
/// them, whatever other powers were taken away.
fn protect_the_kernel() -> mydocker_kernel::Result<()> {
    for name in ["sys", "irq", "bus", "acpi", "sysrq-trigger"] {
        let path = Path::new("/proc").join(name);
        if path.exists() {
            sys::mount(&path, &path, "", MsFlags::MS_BIND, "")?;
            let flags = MsFlags::MS_REMOUNT | MsFlags::MS_BIND | MsFlags::MS_RDONLY;
            sys::mount("", &path, "", flags, "")?;
        }
    }
    Ok(())
}

/// The files of /etc that an answer finds which is root of the machine: others are
/// for its eyes only.
const ETC: [&str; 9] = [
    "group",
    "hosts",
    "hostname",
    "ld.so.cache",
    "localtime",
    "nsswitch.conf",
    "os-release",
    "passwd",
    "resolv.conf",
];

/// Copies them into the directory `etc`; those that there are.
fn furnish_etc(etc: &Path) -> mydocker_kernel::Result<()> {
    fs::create_dir(etc).on("mkdir", etc)?;
    for name in ETC {
        if let Ok(content) = fs::read(Path::new("/etc").join(name)) {
            let file = etc.join(name);
            fs::write(&file, content).on("write", &file)?;
        }
    }
    Ok(())
}

/// A directory of the machine, of which the answer sees a copy.
struct Guarded {
    folder: PathBuf,
    /// Its files and their contents.
    files: Vec<(PathBuf, Vec<u8>)>,
}

impl Guarded {
    /// Reads it before the machine is out of sight; nothing if that fails.
    fn read(folder: &Path) -> Option<Guarded> {
        Some(Guarded { folder: folder.to_owned(), files: contents(folder).ok()? })
    }
}

/// Those of the machine's directories that the host has too, and where the links
/// among them lead.
fn folders_of_the_machine() -> Vec<(PathBuf, Option<PathBuf>)> {
    let paths = FOLDERS.iter().map(|name| Path::new("/").join(name));
    let found = paths.filter(|path| path.exists());
    found.map(|path| (path.clone(), fs::read_link(&path).ok())).collect()
}

/// Makes what is below the host's root, out of everybody's reach, as the initial
/// ramfs is on a machine; and there the machine's /proc.
///
/// Root of a user namespace may mount a new proc only while one that nothing
/// covers is in the same mount namespace (mount_too_revealing() in the kernel's
/// fs/namespace.c). A process that lets go of the host's root loses the host's /proc,
/// and could then mount none after pivot_root, although that works everywhere else. This
/// one is never lost: it is not below that root.
fn lay_ground(ground: &Path) -> mydocker_kernel::Result<()> {
    sys::mount("ground", ground, "tmpfs", MsFlags::empty(), "size=64k,mode=755")?;
    for name in [PROC, SITE] {
        let folder = ground.join(name);
        fs::create_dir(&folder).on("mkdir", &folder)?;
    }
    let flags = MsFlags::MS_BIND | MsFlags::MS_REC;
    sys::mount(Path::new("/proc"), &ground.join(PROC), "", flags, "")
}

/// Puts the host over the ground, which is the root, and makes it the root: the
/// way from an initial ramfs to the root of a machine, see switch_root(8).
fn stand_on_ground(host: &Path) -> mydocker_kernel::Result<()> {
    sys::chdir(host)?;
    sys::mount(Path::new("."), Path::new("/"), "", MsFlags::MS_MOVE, "")?;
    nix::unistd::chroot(".")
        .map_err(|errno| mydocker_kernel::Error::call("chroot(\".\")", errno))?;
    sys::chdir(Path::new("/"))
}

/// Puts a host together in the directory `site`: the machine's directories, which were
/// `found`, read-only except /proc, because a fresh one could not be mounted while an
/// old one is read-only, and the answer is nobody there. `owner` is whose /tmp
/// is.
fn build_host(
    site: &Path,
    seal: Seal,
    found: Vec<(PathBuf, Option<PathBuf>)>,
    guarded: Option<&Guarded>,
    groups: Option<&ControlGroups>,
    owner: u32,
) -> mydocker_kernel::Result<()> {
    sys::mount("host", site, "tmpfs", MsFlags::empty(), "size=16m,mode=755")?;
    for (path, link) in found {
        let here = within(site, &path);
        if let Some(target) = link {
            symlink(&target, &here).on("symlink", &here)?;
            continue;
        }
        if seal != Seal::UserNamespace && path == Path::new("/etc") {
            furnish_etc(&here)?;
            continue;
        }
        fs::create_dir(&here).on("mkdir", &here)?;
        sys::mount(&path, &here, "", MsFlags::MS_BIND | MsFlags::MS_REC, "")?;
    }
    let dev = within(site, Path::new("/dev"));
    fs::create_dir(&dev).on("mkdir", &dev)?;
    devices::show(&dev)?;
    make_read_only(site)?;
    groups.map_or(Ok(()), |groups| groups.show(site))?;

    // Nobody opens a device that an answer has made as the machine's root.
    let flags = match seal {
        Seal::DeviceFiles => MsFlags::MS_NODEV | MsFlags::MS_NOSUID,
        _ => MsFlags::empty(),
    };
    let scratch = within(site, Path::new(SCRATCH));
    fs::create_dir(&scratch).on("mkdir", &scratch)?;
    let options = format!("size=64m,nr_inodes=20k,mode=1777,uid={owner},gid={owner}");
    sys::mount("lab", &scratch, "tmpfs", flags, &options)?;
    let home = within(site, Path::new(HOME));
    fs::create_dir(&home).on("mkdir", &home)?;
    let options = format!("size=192m,nr_inodes=20k,mode=700,uid={owner},gid={owner}");
    sys::mount("home", &home, "tmpfs", flags, &options)?;
    for name in WRITABLE {
        let directory = site.join(name);
        fs::create_dir(&directory).on("mkdir", &directory)?;
        let options = format!("size=192m,nr_inodes=20k,mode=755,uid={owner},gid={owner}");
        sys::mount(name, &directory, "tmpfs", flags, &options)?;
    }
    if let Some(Guarded { folder, files }) = guarded {
        let copy = within(site, folder);
        fs::create_dir_all(&copy).on("mkdir", &copy)?;
        let options = format!("size=8m,uid={owner},gid={owner}");
        sys::mount("copy", &copy, "tmpfs", MsFlags::empty(), &options)?;
        for (path, content) in files {
            let path = within(site, path);
            let parent = path.parent().expect("a file in a directory");
            fs::create_dir_all(parent).on("mkdir", parent)?;
            fs::write(&path, content).on("write", &path)?;
        }
        give_to(&copy, owner).on("lchown", &copy)?;
    }
    let flags = MsFlags::MS_REMOUNT | MsFlags::MS_BIND | MsFlags::MS_RDONLY;
    sys::mount("", site, "", flags, "")
}

/// An absolute path of the host, in the directory where the host is being built.
fn within(site: &Path, path: &Path) -> PathBuf {
    site.join(path.strip_prefix("/").unwrap_or(path))
}

/// Makes every mount below `site` read-only, but /proc.
fn make_read_only(site: &Path) -> mydocker_kernel::Result<()> {
    for mount in MountTable::read()?.below(site) {
        if mount.mount_point == site || mount.fs_type == "proc" {
            continue;
        }
        let mut flags = MsFlags::MS_REMOUNT | MsFlags::MS_BIND | MsFlags::MS_RDONLY;
        for option in mount.options.split(',') {
            flags |= match option {
                "nosuid" => MsFlags::MS_NOSUID,
                "nodev" => MsFlags::MS_NODEV,
                "noexec" => MsFlags::MS_NOEXEC,
                _ => MsFlags::empty(),
            };
        }
        match sys::mount("", &mount.mount_point, "", flags, "") {
            Ok(()) => {}
            // Nobody can reach it: it is covered, or below a closed directory.
            Err(error) if matches!(error.errno(), Some(Errno::EACCES | Errno::ENOENT)) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Gives all of a tree to one owner.
fn give_to(folder: &Path, owner: u32) -> io::Result<()> {
    let mut paths = Vec::new();
    crate::describe::walk(folder, &mut |path, _| paths.push(path.to_owned()))?;
    paths.iter().try_for_each(|path| lchown(path, Some(owner), Some(owner)))
}

/// How many processes of one user there are.
fn processes_of(uid: u32) -> usize {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let is_pid = |name: &std::ffi::OsStr| name.as_encoded_bytes()[0].is_ascii_digit();
    let theirs = entries.filter(|entry| is_pid(&entry.file_name()));
    theirs.filter(|entry| entry.metadata().is_ok_and(|data| data.uid() == uid)).count()
}

/// Maps ids into the user namespace of a process. See user_namespaces(7).
fn map_ids(process: &str, uids: &str, gids: &str) -> mydocker_kernel::Result<()> {
    let write = |file: &str, content: &str| {
        let path = format!("/proc/{process}/{file}");
        fs::write(&path, content).map_err(|error| {
            let errno = Errno::from_raw(error.raw_os_error().unwrap_or_default());
            mydocker_kernel::Error::call(format_args!("write({path:?}, {content:?})"), errno)
        })
    };
    // Without it a user may not map groups; root need not, and may not twice.
    if !Privileges::current().eq(&Privileges::Root) {
        let _ = write("setgroups", "deny");
    }
    write("gid_map", gids)?;
    write("uid_map", uids)
}

fn not_gradable(error: mydocker_kernel::Error) -> mydocker_kernel::Result<Verdict> {
    let errno = error.errno().ok_or(error)? as i32;
    Ok(Verdict::NotGradable(Lacking::UserNamespaces { errno }))
}

fn send_go(pipe: &OwnedFd) -> mydocker_kernel::Result<()> {
    nix::unistd::write(pipe.as_fd(), b"g")
        .map(drop)
        .map_err(|errno| mydocker_kernel::Error::call("write(pipe)", errno))
}

fn send(mut pipe: &fs::File, verdict: &Result<Verdict, String>) -> io::Result<()> {
    pipe.write_all(&serde_json::to_vec(verdict)?)
}

fn receive(pipe: OwnedFd) -> io::Result<Result<Verdict, String>> {
    let mut message = Vec::new();
    std::fs::File::from(pipe).read_to_end(&mut message)?;
    Ok(serde_json::from_slice(&message)?)
}
