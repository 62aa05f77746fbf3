//! Every kernel call by which a container is made, one thin function each.
//!
//! Each is named after the call, is written into the trace, and on failure
//! returns the call with its arguments, the errno and the likely cause.
//! This is the only file with `unsafe` in it.

#![allow(unsafe_code)]

use std::convert::Infallible;
use std::ffi::{CStr, CString, c_int, c_uint, c_ulong};
use std::io::{IoSlice, IoSliceMut};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixStream;
use std::path::Path;

use nix::NixPath;
use nix::errno::Errno;
use nix::fcntl::{OFlag, OpenHow, ResolveFlag, openat2};
use nix::mount::{MntFlags, MsFlags};
use nix::pty::{PtyMaster, Winsize};
use nix::sched::CloneFlags;
use nix::sys::signal::Signal;
use nix::sys::socket::{ControlMessage, ControlMessageOwned, MsgFlags, recvmsg, sendmsg};
use nix::sys::stat::{Mode, SFlag};
use nix::unistd::Pid;

use crate::error::{Error, Result};
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
        let code = child();
        // SAFETY: no destructor or exit handler of the parent's may run twice.
        unsafe { libc::_exit(code) }
    }
    finish(
        Errno::result(result).map(|pid| Pid::from_raw(pid as i32)),
        || format!("clone({}|SIGCHLD)", names(flags.iter_names())),
        |errno| explain::clone(errno, flags),
    )
}

/// Mounts a file system, or with flags changes or binds one. See mount(2).
///
/// # Errors
/// As mount(2); the cause is looked up in the mount table and the options.
pub fn mount(source: &str, target: &Path, kind: &str, flags: MsFlags, data: &str) -> Result<()> {
    let none_if_empty = |text: &'_ str| (!text.is_empty()).then(|| text.to_owned());
    let result = nix::mount::mount(
        none_if_empty(source).as_deref(),
        target,
        none_if_empty(kind).as_deref(),
        flags,
        none_if_empty(data).as_deref(),
    );
    let flag_names = || names(flags.iter_names());
    finish(
        result,
        || format!("mount({source:?}, {target:?}, {kind:?}, {}, {data:?})", flag_names()),
        |errno| explain::mount(errno, source, target, kind, flags, data),
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

/// Makes a detached tree of mounts read-only, all of it. See mount_setattr(2).
///
/// # Errors
/// ENOSYS before Linux 5.12.
pub fn mount_setattr_read_only(tree: BorrowedFd) -> Result<()> {
    let attributes = libc::mount_attr {
        attr_set: libc::MOUNT_ATTR_RDONLY,
        attr_clr: 0,
        propagation: 0,
        userns_fd: 0,
    };
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
        || "mount_setattr(<tree>, AT_RECURSIVE, MOUNT_ATTR_RDONLY)".into(),
        |_| None,
    )
}

/// Opens `path` below `dir`, which is treated as the root directory: neither
/// `..` nor a symbolic link leads out of it. See openat2(2).
///
/// # Errors
/// As openat2(2).
pub fn open_in_root(dir: impl AsFd, path: &Path, flags: OFlag) -> nix::Result<OwnedFd> {
    let how = OpenHow::new()
        .flags(flags | OFlag::O_CLOEXEC)
        .resolve(ResolveFlag::RESOLVE_IN_ROOT | ResolveFlag::RESOLVE_NO_MAGICLINKS);
    openat2(dir, path, how)
}

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
            (errno == Errno::EINVAL).then(|| Cause::new("a host name has at most 64 bytes", ""))
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

/// Makes this process the leader of a new session and its terminal `slave`
/// the controlling one. See setsid(2), ioctl_tty(2).
///
/// # Errors
/// EPERM when the terminal belongs to another session.
pub fn set_controlling_terminal(slave: BorrowedFd) -> Result<()> {
    // SAFETY: TIOCSCTTY takes an integer, no pointer.
    let result = Errno::result(unsafe { libc::ioctl(slave.as_raw_fd(), libc::TIOCSCTTY, 0) });
    finish(result.map(drop), || "ioctl(TIOCSCTTY)".into(), |_| None)
}

/// The size of the terminal's window, if `terminal` is one. See ioctl_tty(2).
pub fn window_size(terminal: BorrowedFd) -> Option<Winsize> {
    let mut size = Winsize { ws_row: 0, ws_col: 0, ws_xpixel: 0, ws_ypixel: 0 };
    // SAFETY: the kernel fills the struct, which lives through the call.
    let result = unsafe { libc::ioctl(terminal.as_raw_fd(), libc::TIOCGWINSZ, &raw mut size) };
    (result == 0).then_some(size)
}

/// Sets the size of a pseudo-terminal's window; its foreground process group
/// gets SIGWINCH. See ioctl_tty(2).
pub fn set_window_size(master: &PtyMaster, size: Winsize) {
    // SAFETY: the struct lives through the call. A failure would only leave
    // the old size, so there is nobody to tell.
    unsafe { libc::ioctl(master.as_raw_fd(), libc::TIOCSWINSZ, &raw const size) };
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

/// Drops every capability whose bit is not in `keep`: bounding, ambient,
/// inheritable, permitted and effective. See capabilities(7).
///
/// # Errors
/// EPERM without CAP_SETPCAP.
pub fn keep_capabilities(keep: u64) -> Result<()> {
    #[repr(C)]
    struct Header {
        version: u32,
        pid: c_int,
    }
    const VERSION_3: u32 = 0x2008_0522;
    let drop_all = || {
        for capability in 0..u64::BITS {
            if keep & (1 << capability) != 0 {
                continue;
            }
            // SAFETY: this prctl takes integers, no pointer.
            let result =
                unsafe { libc::prctl(libc::PR_CAPBSET_DROP, capability as c_ulong, 0, 0, 0) };
            match Errno::result(result) {
                // The first number past the last capability this kernel has.
                Err(Errno::EINVAL) => break,
                other => other?,
            };
        }
        // SAFETY: integers again.
        Errno::result(unsafe {
            libc::prctl(libc::PR_CAP_AMBIENT, libc::PR_CAP_AMBIENT_CLEAR_ALL as c_ulong, 0, 0, 0)
        })?;
        let (low, high) = (keep as u32, (keep >> 32) as u32);
        let header = Header { version: VERSION_3, pid: 0 };
        // Effective, permitted and inheritable, for each half of the bits.
        let data = [[low, low, 0], [high, high, 0]];
        // SAFETY: version 3 takes a header and two data structs, as built here.
        Errno::result(unsafe {
            libc::syscall(libc::SYS_capset, &raw const header, &raw const data)
        })
    };
    finish(drop_all().map(drop), || format!("capset({keep:#x})"), |_| None)
}

/// Closes every descriptor above 2 but `keep`. See close_range(2).
///
/// # Errors
/// ENOSYS before Linux 5.9.
pub fn close_all_but(keep: RawFd) -> Result<()> {
    // SAFETY: whoever calls this is about to execve and uses no descriptor
    // but `keep` any more.
    let close = |first, last| Errno::result(unsafe { libc::close_range(first, last, 0) });
    let result = match keep as c_uint {
        3 => Ok(0),
        keep => close(3, keep - 1),
    };
    let result = result.and_then(|_| close(keep as c_uint + 1, c_uint::MAX));
    finish(result.map(drop), || format!("close_range(3, ~0, 0), but {keep}"), |_| None)
}

/// Sends `message` and a descriptor over a socket. See unix(7), SCM_RIGHTS.
///
/// # Errors
/// As sendmsg(2).
pub fn send_descriptor(socket: &UnixStream, message: &[u8], descriptor: BorrowedFd) -> Result<()> {
    let descriptors = [descriptor.as_raw_fd()];
    let control = [ControlMessage::ScmRights(&descriptors)];
    let parts = [IoSlice::new(message)];
    let result = sendmsg::<()>(socket.as_raw_fd(), &parts, &control, MsgFlags::empty(), None);
    finish(result.map(drop), || "sendmsg(SCM_RIGHTS)".into(), |_| None)
}

/// Receives up to `buffer.len()` bytes and a descriptor, if one came with
/// them. No bytes mean that the other side has closed. See unix(7).
///
/// # Errors
/// As recvmsg(2).
pub fn receive(socket: &UnixStream, buffer: &mut [u8]) -> Result<(usize, Option<OwnedFd>)> {
    let mut space = nix::cmsg_space!(RawFd);
    let mut parts = [IoSliceMut::new(buffer)];
    let flags = MsgFlags::MSG_CMSG_CLOEXEC;
    let result = recvmsg::<()>(socket.as_raw_fd(), &mut parts, Some(&mut space), flags);
    let received = result.and_then(|message| {
        let descriptor = message.cmsgs()?.find_map(|control| match control {
            // SAFETY: the kernel has just made this descriptor for us.
            ControlMessageOwned::ScmRights(fds) => {
                fds.first().map(|&fd| unsafe { OwnedFd::from_raw_fd(fd) })
            }
            _ => None,
        });
        Ok((message.bytes, descriptor))
    });
    finish(received, || "recvmsg()".into(), |_| None)
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
        |errno| explain::exec(errno, Path::new(std::ffi::OsStr::from_bytes(program.to_bytes()))),
    )
}
