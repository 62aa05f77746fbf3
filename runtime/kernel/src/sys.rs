//! Every system call that makes a container, with one thin function per call.
//!
//! Each function is named after its call, and reports it to whatever follows the calls.
//! On failure, it returns the call with its arguments, the errno and the likely cause.
//! Only this file and the files below `sys` contain `unsafe`.

#![allow(unsafe_code)]

mod detached;
mod joining;
mod process;

use std::convert::Infallible;
use std::ffi::{CStr, CString, OsStr, c_int, c_uint, c_ulong};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::panic::{self, AssertUnwindSafe};
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{OFlag, OpenHow, ResolveFlag, openat2};
use nix::mount::{MntFlags, MsFlags};
use nix::sched::CloneFlags;
use nix::sys::resource::{Resource, getrlimit};
use nix::sys::stat::{Mode, SFlag};
use nix::unistd::Pid;

pub use detached::{mount_setattr, move_mount, new_mount, open_tree, open_tree_of};
pub use joining::{set_undumpable, setns, setresuid};
pub use process::{
    die_with_parent, ignore_signal, join_new_session_keyring, pidfd_open, pidfd_send_signal,
    refuse_call, reset_signals, set_default_action, set_no_new_privs, set_seccomp_filter,
    setgroups, setresgid,
};

use crate::calls;
use crate::cause::Cause;
use crate::error::{Error, FAILED, Result};
use crate::explain;
use crate::on_path;
use crate::without_openat2;

/// Every function here ends with this: it reports the call, and turns an errno into an
/// [`Error`] that names the call and its cause.
fn finish<T>(
    result: nix::Result<T>,
    call: impl Fn() -> String,
    cause: impl FnOnce(Errno) -> Option<Cause>,
) -> Result<T> {
    calls::tell(&call, result.as_ref().err().copied());
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
    clone_into(flags, std::ptr::null_mut(), child)
}

/// The same, with a descriptor that stands for the child, and for no other process
/// that gets its number later. See pidfd_open(2).
///
/// # Errors
/// As [`clone`]; EMFILE.
pub fn clone_with_descriptor(
    flags: CloneFlags,
    child: impl FnOnce() -> c_int,
) -> Result<(Pid, OwnedFd)> {
    let mut descriptor: c_int = -1;
    let pid = clone_into(flags, &raw mut descriptor, child)?;
    // SAFETY: the call has just made this descriptor, nobody else owns it.
    Ok((pid, unsafe { OwnedFd::from_raw_fd(descriptor) }))
}

/// clone(2). It makes a descriptor for the child if there is a place for it.
fn clone_into(
    flags: CloneFlags,
    descriptor: *mut c_int,
    child: impl FnOnce() -> c_int,
) -> Result<Pid> {
    let wanted = if descriptor.is_null() { 0 } else { libc::CLONE_PIDFD };
    let all = flags.bits() as c_ulong | libc::SIGCHLD as c_ulong | wanted as c_ulong;
    // SAFETY: a null stack makes the child run on a copy of ours, as fork
    // does, and no CLONE_VM shares memory with it. The child ends in _exit.
    let result = unsafe { libc::syscall(libc::SYS_clone, all, 0, descriptor, 0, 0) };
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

/// Mounts a file system or, with flags, changes or binds one. Empty arguments are not
/// passed to the kernel. See mount(2).
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

/// Gives the calling thread its own namespaces or attributes. See unshare(2).
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
/// EINVAL for half a dozen reasons. The state shows which one.
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
        |errno| on_path::cause(errno, path),
    )
}

/// Makes the directory that `directory` leads to the working directory; `name`
/// is for the reader. See fchdir(2).
///
/// # Errors
/// EACCES, ENOTDIR.
pub fn fchdir(directory: BorrowedFd, name: &Path) -> Result<()> {
    finish(
        nix::unistd::fchdir(directory),
        || format!("fchdir(<{}>)", name.display()),
        |errno| on_path::cause(errno, name),
    )
}

// ANCHOR: open_in_root
/// How often openat2(2) is asked again while the machine mounts and renames.
const ATTEMPTS: usize = 100;

/// Opens `path` below `dir`, which is treated as the root directory: neither
/// `..` nor a symbolic link leads out of it. See openat2(2).
///
/// # Errors
/// As openat2(2), but for EAGAIN.
pub fn open_in_root(dir: impl AsFd, path: &Path, flags: OFlag) -> nix::Result<OwnedFd> {
    let how = OpenHow::new()
        .flags(flags | OFlag::O_CLOEXEC)
        .resolve(ResolveFlag::RESOLVE_IN_ROOT | ResolveFlag::RESOLVE_NO_MAGICLINKS);
    for _ in 0..ATTEMPTS {
        match openat2(&dir, path, how) {
            // Somebody on this machine mounted or renamed something while the
            // kernel followed a `..`: it cannot tell whether the path leads out.
            Err(Errno::EAGAIN) => {}
            Err(Errno::ENOSYS) => break,
            other => return other,
        }
    }
    without_openat2::open_in_root(dir.as_fd(), path, flags)
}
// ANCHOR_END: open_in_root

/// Makes a device node in `directory`; the umask must be 0 for `mode` to count
/// in full. See mknodat(2).
///
/// # Errors
/// EPERM without CAP_MKNOD in the initial user namespace.
pub fn mknodat(directory: BorrowedFd, name: &str, mode: u32, number: (u64, u64)) -> Result<()> {
    let (major, minor) = number;
    let device = nix::sys::stat::makedev(major, minor);
    let mode_bits = Mode::from_bits_truncate(mode);
    finish(
        nix::sys::stat::mknodat(directory, name, SFlag::S_IFCHR, mode_bits, device),
        || format!("mknodat(</dev>, {name:?}, S_IFCHR|{mode:#o}, {major}:{minor})"),
        |errno| explain::capability(errno, "CAP_MKNOD"),
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
            (errno == Errno::EINVAL && name.len() > 64).then(|| {
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

/// Closes every descriptor above 2 but those to `keep`. See close_range(2); before
/// Linux 5.9, which has none, one after the other as /proc lists them.
///
/// # Errors
/// /proc is needed but missing.
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
    let result = match result.and_then(|()| close(first, c_uint::MAX)) {
        Err(Errno::ENOSYS) => match close_as_listed(keep) {
            // Who has joined a container is not in its /proc.
            Err(Errno::ENOENT) => close_each(keep),
            other => other,
        },
        other => other,
    };
    finish(result, || format!("close_range(3, ~0, 0), but {keep:?}"), |_| None)
}

fn close_as_listed(keep: &[RawFd]) -> nix::Result<()> {
    let listed = std::fs::read_dir("/proc/self/fd").and_then(|names| {
        let number = |name: &OsStr| name.to_str()?.parse::<RawFd>().ok();
        names.map(|entry| Ok(number(&entry?.file_name()))).collect::<io::Result<Vec<_>>>()
    });
    let listed =
        listed.map_err(|error| Errno::from_raw(error.raw_os_error().unwrap_or(libc::EIO)))?;
    for number in listed.into_iter().flatten().filter(|number| *number > 2) {
        if !keep.contains(&number) {
            // SAFETY: as in close_all_but. That of the list itself is closed already.
            unsafe { libc::close(number) };
        }
    }
    Ok(())
}

fn close_each(keep: &[RawFd]) -> nix::Result<()> {
    // More the kernel does not give, as /proc/sys/fs/nr_open has it by default.
    const MOST: libc::rlim_t = 1 << 20;
    let (soft, _) = getrlimit(Resource::RLIMIT_NOFILE)?;
    for number in (3..soft.min(MOST) as RawFd).filter(|number| !keep.contains(number)) {
        // SAFETY: as in close_all_but.
        unsafe { libc::close(number) };
    }
    Ok(())
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
