//! Every kernel call by which a container is made, one thin function each.
//!
//! Each is named after the call, is written into the trace, and on failure
//! returns the call with its arguments, the errno and the likely cause.
//! This is the only file with `unsafe` in it.

#![allow(unsafe_code)]

use std::convert::Infallible;
use std::ffi::{CStr, CString, OsStr, c_int, c_uint, c_ulong};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::panic::{self, AssertUnwindSafe};
use std::path::Path;

use nix::NixPath;
use nix::errno::Errno;
use nix::fcntl::{OFlag, OpenHow, ResolveFlag, openat2};
use nix::mount::{MntFlags, MsFlags};
use nix::sched::CloneFlags;
use nix::sys::signal::{SigSet, Signal};
use nix::sys::stat::{Mode, SFlag};
use nix::unistd::Pid;

use crate::error::{Error, FAILED, Result};
use crate::explain::{self, Cause};
use crate::trace;

/// What every function here ends with: the call goes into the trace, and an
/// errno becomes an [`Error`] that names the call and its cause.
fn finish<T>(
    result: nix::Result<T>,
    call: impl Fn() -> String,
    cause: impl FnOnce(Errno) -> Option<Cause>,
) -> Result<T> {
    trace::call(&call, result.as_ref().err().copied());
    result.map_err(|errno| Error::call(call(), errno).explained(cause(errno)))
}

/// The names of the flags that are set, as in C: `MS_BIND|MS_REC`.
fn names<'a>(flags: impl Iterator<Item = (&'a str, impl Sized)>) -> String {
    let names: Vec<&str> = flags.map(|(name, _)| name).collect();
    if names.is_empty() { "0".into() } else { names.join("|") }
}

/// Starts a child in new namespaces, like a fork: the child has a copy of all
/// memory, runs `child` and exits with the code that it returns.
///
/// The caller must be single-threaded: of all threads, only the calling one
/// lives on in the child. See clone(2).
///
/// # Errors
/// EPERM, ENOSPC (a limit on namespaces), EAGAIN, ENOMEM.
pub fn clone(flags: CloneFlags, child: impl FnOnce() -> c_int) -> Result<Pid> {
    let all = flags.bits() as c_ulong | libc::SIGCHLD as c_ulong;
    // SAFETY: a null stack makes the child run on a copy of ours, as fork
    // does, and no CLONE_VM shares memory with it. The child ends in _exit.
    let result = unsafe { libc::syscall(libc::SYS_clone, all, 0, 0, 0, 0) };
    if result == 0 {
        // A panic must not unwind into what the parent's stack would clean up.
        let code = panic::catch_unwind(AssertUnwindSafe(child)).unwrap_or(FAILED.into());
        // SAFETY: no destructor or exit handler of the parent's may run twice.
        unsafe { libc::_exit(code) }
    }
    finish(
        Errno::result(result).map(|pid| Pid::from_raw(pid as i32)),
        || format!("clone({}|SIGCHLD)", names(flags.iter_names())),
        |errno| explain::clone(errno, flags),
    )
}

/// Mounts a file system, or with flags changes or binds one; what is empty
/// is not given to the kernel. See mount(2).
///
/// # Errors
/// As mount(2); the cause is looked up in the mount table and the options.
pub fn mount(
    source: impl AsRef<OsStr>,
    target: &Path,
    kind: &str,
    flags: MsFlags,
    data: impl AsRef<OsStr>,
) -> Result<()> {
    fn given(text: &OsStr) -> Option<&OsStr> {
        (!text.is_empty()).then_some(text)
    }
    let (source, data) = (source.as_ref(), data.as_ref());
    finish(
        nix::mount::mount(given(source), target, given(kind.as_ref()), flags, given(data)),
        || {
            let flags = names(flags.iter_names());
            format!("mount({source:?}, {target:?}, {kind:?}, {flags}, {data:?})")
        },
        |errno| explain::mount(errno, source, target, kind, flags, data),
    )
}

/// Gives the calling thread namespaces or attributes of its own. See unshare(2).
///
/// # Errors
/// EPERM, ENOSPC (a limit on namespaces), EINVAL.
pub fn unshare(flags: CloneFlags) -> Result<()> {
    finish(
        nix::sched::unshare(flags),
        || format!("unshare({})", names(flags.iter_names())),
        |errno| explain::clone(errno, flags),
    )
}

/// Removes the topmost mount at `target`. See umount(2).
///
/// # Errors
/// EBUSY while it is in use, EINVAL where nothing is mounted.
pub fn umount2(target: &Path, flags: MntFlags) -> Result<()> {
    finish(
        nix::mount::umount2(target, flags),
        || format!("umount2({target:?}, {})", names(flags.iter_names())),
        |errno| explain::umount(errno, target),
    )
}

/// Makes the mount at `new_root` the root of this mount namespace and moves
/// the old root to `put_old`. See pivot_root(2).
///
/// # Errors
/// EINVAL for half a dozen reasons; the state tells which.
pub fn pivot_root(new_root: &Path, put_old: &Path) -> Result<()> {
    finish(
        nix::unistd::pivot_root(new_root, put_old),
        || format!("pivot_root({new_root:?}, {put_old:?})"),
        |errno| explain::pivot_root(errno, new_root, put_old),
    )
}

/// Changes the working directory. See chdir(2).
///
/// # Errors
/// As chdir(2).
pub fn chdir(path: &Path) -> Result<()> {
    finish(
        nix::unistd::chdir(path),
        || format!("chdir({path:?})"),
        |errno| explain::path(errno, path),
    )
}

/// Whether the working directory can be reached from the root. See getcwd(3).
///
/// # Errors
/// ENOENT where it cannot: it lies outside of the root.
pub fn require_cwd_inside() -> Result<()> {
    finish(nix::unistd::getcwd().map(drop), || "getcwd()".into(), |_| None)
}

/// A detached copy of the mount at `path`, with all mounts below it, that
/// stays reachable after the root has changed. See open_tree(2).
///
/// # Errors
/// EPERM without CAP_SYS_ADMIN over the mount namespace; as open(2).
pub fn open_tree(path: &Path) -> Result<OwnedFd> {
    let flags =
        libc::OPEN_TREE_CLONE | libc::OPEN_TREE_CLOEXEC as c_uint | libc::AT_RECURSIVE as c_uint;
    let result = path.with_nix_path(|path| {
        // SAFETY: path is a C string that lives through the call.
        let fd =
            unsafe { libc::syscall(libc::SYS_open_tree, libc::AT_FDCWD, path.as_ptr(), flags) };
        // SAFETY: the call has just made this descriptor, nobody else owns it.
        Errno::result(fd).map(|fd| unsafe { OwnedFd::from_raw_fd(fd as RawFd) })
    });
    finish(
        result.and_then(|inner| inner),
        || format!("open_tree({path:?}, OPEN_TREE_CLONE|AT_RECURSIVE)"),
        |errno| explain::path(errno, path),
    )
}

/// Attaches a detached mount at `target`. See move_mount(2).
///
/// # Errors
/// ENOTDIR and EINVAL when one is a directory and the other is not.
pub fn move_mount(tree: BorrowedFd, target: &Path) -> Result<()> {
    let result = target.with_nix_path(|target| {
        // SAFETY: both strings are C strings that live through the call.
        let result = unsafe {
            libc::syscall(
                libc::SYS_move_mount,
                tree.as_raw_fd(),
                c"".as_ptr(),
                libc::AT_FDCWD,
                target.as_ptr(),
                libc::MOVE_MOUNT_F_EMPTY_PATH,
            )
        };
        Errno::result(result).map(drop)
    });
    finish(
        result.and_then(|inner| inner),
        || format!("move_mount(<tree>, {target:?})"),
        |errno| explain::path(errno, target),
    )
}

/// Sets flags on a detached tree of mounts, on all of it: MS_RDONLY, MS_NOSUID,
/// MS_NODEV, MS_NOEXEC. See mount_setattr(2).
///
/// # Errors
/// ENOSYS before Linux 5.12.
pub fn mount_setattr(tree: BorrowedFd, flags: MsFlags) -> Result<()> {
    // MOUNT_ATTR_RDONLY and the three others have the numbers of the old flags.
    let attributes =
        libc::mount_attr { attr_set: flags.bits(), attr_clr: 0, propagation: 0, userns_fd: 0 };
    // SAFETY: the struct lives through the call and its size is given.
    let result = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            tree.as_raw_fd(),
            c"".as_ptr(),
            libc::AT_EMPTY_PATH | libc::AT_RECURSIVE,
            &raw const attributes,
            size_of_val(&attributes),
        )
    };
    finish(
        Errno::result(result).map(drop),
        || format!("mount_setattr(<tree>, AT_RECURSIVE, {})", names(flags.iter_names())),
        |_| None,
    )
}

/// Opens `path` below `dir`, which is treated as the root directory: neither
/// `..` nor a symbolic link leads out of it. See openat2(2).
///
/// # Errors
/// As openat2(2).
// ANCHOR: open_in_root
pub fn open_in_root(dir: impl AsFd, path: &Path, flags: OFlag) -> nix::Result<OwnedFd> {
    let how = OpenHow::new()
        .flags(flags | OFlag::O_CLOEXEC)
        .resolve(ResolveFlag::RESOLVE_IN_ROOT | ResolveFlag::RESOLVE_NO_MAGICLINKS);
    openat2(dir, path, how)
}
// ANCHOR_END: open_in_root

/// Makes a device node; the umask must be 0 for `mode` to count in full.
/// See mknod(2).
///
/// # Errors
/// EPERM without CAP_MKNOD in the initial user namespace.
pub fn mknod(path: &Path, mode: u32, major: u64, minor: u64) -> Result<()> {
    let device = nix::sys::stat::makedev(major, minor);
    finish(
        nix::sys::stat::mknod(path, SFlag::S_IFCHR, Mode::from_bits_truncate(mode), device),
        || format!("mknod({path:?}, S_IFCHR|{mode:#o}, {major}:{minor})"),
        |errno| explain::path(errno, path),
    )
}

/// Sets the host name of this UTS namespace. See sethostname(2).
///
/// # Errors
/// EINVAL above 64 bytes, EPERM without CAP_SYS_ADMIN.
pub fn sethostname(name: &str) -> Result<()> {
    finish(
        nix::unistd::sethostname(name),
        || format!("sethostname({name:?})"),
        |errno| {
            (errno == Errno::EINVAL).then(|| {
                Cause::new("a host name has at most 64 bytes", "give a shorter one with --hostname")
            })
        },
    )
}

/// Brings the loopback interface of this network namespace up.
/// See netdevice(7).
///
/// # Errors
/// EPERM without CAP_NET_ADMIN.
pub fn bring_up_loopback() -> Result<()> {
    let result = nix::sys::socket::socket(
        nix::sys::socket::AddressFamily::Inet,
        nix::sys::socket::SockType::Datagram,
        nix::sys::socket::SockFlag::SOCK_CLOEXEC,
        None,
    )
    .and_then(|socket| {
        // SAFETY: all zeroes is a valid ifreq; it lives through the call.
        unsafe {
            let mut request: libc::ifreq = std::mem::zeroed();
            request.ifr_name[..2].copy_from_slice(&[b'l' as _, b'o' as _]);
            request.ifr_ifru.ifru_flags = (libc::IFF_UP | libc::IFF_RUNNING) as _;
            Errno::result(libc::ioctl(socket.as_raw_fd(), libc::SIOCSIFFLAGS, &request)).map(drop)
        }
    });
    finish(result, || "ioctl(SIOCSIFFLAGS, \"lo\", IFF_UP)".into(), |_| None)
}

/// Asks for SIGKILL when the parent's thread ends. See PR_SET_PDEATHSIG(2const).
///
/// # Errors
/// None that a valid signal can give.
pub fn die_with_parent() -> Result<()> {
    finish(
        nix::sys::prctl::set_pdeathsig(Signal::SIGKILL),
        || "prctl(PR_SET_PDEATHSIG, SIGKILL)".into(),
        |_| None,
    )
}

/// No execve from here on can gain privileges. See PR_SET_NO_NEW_PRIVS(2const).
///
/// # Errors
/// None that Linux 3.5 and later give.
pub fn set_no_new_privs() -> Result<()> {
    finish(nix::sys::prctl::set_no_new_privs(), || "prctl(PR_SET_NO_NEW_PRIVS, 1)".into(), |_| None)
}

/// Gives a signal its default action, whatever this process or its parents
/// set. See signal(7).
pub fn set_default_action(signal: c_int) {
    // SAFETY: the default action runs no code of ours. SIGKILL and SIGSTOP
    // answer EINVAL: they cannot be ignored in the first place.
    unsafe { libc::signal(signal, libc::SIG_DFL) };
}

/// Undoes what this process and its parents set: no signal is blocked, none
/// ignored. See signal(7).
pub fn reset_signals() {
    // The real-time signals too, for which nix has no names.
    (1..=libc::SIGRTMAX()).for_each(set_default_action);
    SigSet::empty().thread_set_mask().expect("a valid set");
}

/// Closes every descriptor above 2 but those to `keep`. See close_range(2).
///
/// # Errors
/// ENOSYS before Linux 5.9.
pub fn close_all_but(keep: &[RawFd]) -> Result<()> {
    let mut sorted: Vec<c_uint> = keep.iter().map(|&fd| fd as c_uint).collect();
    sorted.sort_unstable();
    let mut first = 3;
    let close = |first, last| {
        // SAFETY: whoever calls this is a process made for one thing, and uses
        // no descriptor but those to keep any more.
        Errno::result(unsafe { libc::close_range(first, last, 0) }).map(drop)
    };
    let mut result = Ok(());
    for kept in sorted.into_iter().filter(|&kept| kept > 2) {
        if kept > first {
            result = result.and_then(|()| close(first, kept - 1));
        }
        first = kept + 1;
    }
    let result = result.and_then(|()| close(first, c_uint::MAX));
    finish(result, || format!("close_range(3, ~0, 0), but {keep:?}"), |_| None)
}

/// Replaces this process's program. Returns only on failure. See execve(2).
///
/// # Errors
/// As execve(2).
pub fn execve(
    program: &CStr,
    arguments: &[CString],
    environment: &[CString],
) -> Result<Infallible> {
    finish(
        nix::unistd::execve(program, arguments, environment),
        || format!("execve({program:?}, {} arguments)", arguments.len()),
        |errno| explain::exec(errno, Path::new(OsStr::from_bytes(program.to_bytes()))),
    )
}
