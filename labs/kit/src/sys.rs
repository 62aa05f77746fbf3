//! The system calls of the kit for which no library has a safe function.

#![allow(unsafe_code)]

use std::io;
use std::num::NonZeroUsize;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::ptr::NonNull;
use std::slice;
use std::sync::atomic::{AtomicU64, Ordering};

use mydocker_kernel::sys::set_seccomp_filter;
use nix::errno::Errno;
use nix::sys::mman::{MapFlags, ProtFlags, mmap};

/// What is in front of the bytes in [`SharedMemory`]: their count, and a number.
pub const HEADER: usize = 2 * size_of::<u64>();

/// Memory that is a file's content, shared with all others that have the file.
#[derive(Debug)]
pub struct SharedMemory {
    start: NonNull<u8>,
    length: usize,
}

impl SharedMemory {
    /// Maps the first `length` bytes of a file. The mapping needs no descriptor
    /// afterwards, and lives as long as the process. See mmap(2).
    ///
    /// # Errors
    /// As mmap(2).
    pub fn map(file: impl AsFd, length: NonZeroUsize) -> io::Result<SharedMemory> {
        let protection = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
        // SAFETY: the address is the kernel's choice, so nothing else lies there.
        let start = unsafe { mmap(None, length, protection, MapFlags::MAP_SHARED, file, 0) }?;
        Ok(SharedMemory { start: start.cast(), length: length.get() })
    }

    /// Writes `bytes` behind the header, and then their count into its first half:
    /// a reader of the count finds all bytes.
    ///
    /// # Errors
    /// There are more of them than the memory holds.
    pub fn publish(&self, bytes: &[u8]) -> io::Result<()> {
        let room = self.length - HEADER;
        if bytes.len() > room {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        // SAFETY: it lies in the mapping, which stays, and only this thread writes.
        let content =
            unsafe { slice::from_raw_parts_mut(self.start.as_ptr().add(HEADER), bytes.len()) };
        content.copy_from_slice(bytes);
        // SAFETY: a mapping begins at a page, so it is aligned.
        let count = unsafe { AtomicU64::from_ptr(self.start.as_ptr().cast()) };
        count.store(bytes.len() as u64, Ordering::Release);
        Ok(())
    }

    /// Writes a number into the header's second half.
    pub fn note(&self, number: u64) {
        // SAFETY: it lies in the mapping, and a mapping begins at a page.
        let noted = unsafe { AtomicU64::from_ptr(self.start.as_ptr().cast::<u64>().add(1)) };
        noted.store(number, Ordering::Release);
    }
}

/// Takes over a descriptor that this process was started with.
///
/// # Errors
/// It is not open.
pub fn take_descriptor(number: RawFd) -> io::Result<OwnedFd> {
    // SAFETY: F_GETFD only asks.
    Errno::result(unsafe { libc::fcntl(number, libc::F_GETFD) })?;
    // SAFETY: it is open, and the process that started this one gave it to us alone.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}

/// From here on no process that this one starts may set another one's limits: a
/// witness without descriptors could say nothing. See prlimit(2).
///
/// # Errors
/// This process may not have filters.
pub fn keep_from_limiting_others() -> mydocker_kernel::Result<()> {
    let forbidden = libc::SECCOMP_RET_ERRNO | libc::EPERM as u32;
    set_seccomp_filter(&[
        statement(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, NUMBER),
        jump_unless_equal(libc::SYS_prlimit64 as u32, 3),
        statement(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, FIRST_ARGUMENT),
        jump_unless_equal(0, 2),
        statement(libc::BPF_RET | libc::BPF_K, libc::SECCOMP_RET_ALLOW),
        statement(libc::BPF_RET | libc::BPF_K, libc::SECCOMP_RET_ALLOW),
        statement(libc::BPF_RET | libc::BPF_K, forbidden),
    ])
}

/// Where struct seccomp_data has the number of the call, and the lower half of its
/// first argument.
const NUMBER: u32 = 0;
const FIRST_ARGUMENT: u32 = 16;

fn statement(code: u32, k: u32) -> libc::sock_filter {
    libc::sock_filter { code: code as u16, jt: 0, jf: 0, k }
}

/// Passes over the next `count` statements if what was loaded is something else.
fn jump_unless_equal(k: u32, count: u8) -> libc::sock_filter {
    let code = libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K;
    libc::sock_filter { jf: count, ..statement(code, k) }
}

/// Makes `number` name the same open file as `descriptor`, from here on and in the
/// program that this process executes. See dup2(2).
///
/// # Errors
/// As dup2(2).
pub fn place_descriptor(descriptor: BorrowedFd, number: RawFd) -> io::Result<()> {
    // SAFETY: the process that calls this was made for one thing: what the number
    // named before is not used any more.
    Ok(Errno::result(unsafe { libc::dup2(descriptor.as_raw_fd(), number) }).map(drop)?)
}

/// From here on each of these calls of this process, and of all that it starts, waits
/// until the process that reads from the returned descriptor decides what comes of it.
/// See seccomp_unotify(2).
///
/// # Errors
/// This kernel has no such filters, or this process may not have them.
pub fn ask_about(calls: &[i64]) -> io::Result<OwnedFd> {
    const NEW_LISTENER: libc::c_ulong = libc::SECCOMP_FILTER_FLAG_NEW_LISTENER as libc::c_ulong;
    let mut statements = vec![statement(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, NUMBER)];
    for number in calls {
        statements.push(jump_unless_equal(*number as u32, 1));
        statements.push(statement(libc::BPF_RET | libc::BPF_K, libc::SECCOMP_RET_USER_NOTIF));
    }
    statements.push(statement(libc::BPF_RET | libc::BPF_K, libc::SECCOMP_RET_ALLOW));
    let program =
        libc::sock_fprog { len: statements.len() as u16, filter: statements.as_mut_ptr() };
    let mode = libc::c_ulong::from(libc::SECCOMP_SET_MODE_FILTER);
    // SAFETY: the program and its statements live through the call, which copies them; it
    // returns a new descriptor or an error.
    let result =
        unsafe { libc::syscall(libc::SYS_seccomp, mode, NEW_LISTENER, &raw const program) };
    let number = Errno::result(result)? as RawFd;
    // SAFETY: the kernel has just opened it for us.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}

/// Writes into a pipe by a call that nobody is asked about: write(2) may wait for a
/// decision by the process that waits for these bytes. See pwritev2(2).
///
/// # Errors
/// As pwritev2(2).
pub fn write_unasked(pipe: BorrowedFd, bytes: &[u8]) -> io::Result<()> {
    /// From where the file is.
    const HERE: libc::c_long = -1;
    let piece = libc::iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() };
    let number = libc::c_long::from(pipe.as_raw_fd());
    // SAFETY: the kernel only reads the bytes, which live through the call.
    let result = unsafe {
        libc::syscall(
            libc::SYS_pwritev2,
            number,
            &raw const piece,
            1 as libc::c_long,
            HERE,
            HERE,
            0,
        )
    };
    Errno::result(result).map(drop).map_err(io::Error::from)
}

/// Takes a copy of a descriptor that another process has. See pidfd_getfd(2).
///
/// # Errors
/// The kernel has no such call, or does not allow it.
pub fn descriptor_of(process: BorrowedFd, number: RawFd) -> io::Result<OwnedFd> {
    // SAFETY: it takes three numbers, and returns a new descriptor or an error.
    let result = unsafe { libc::syscall(libc::SYS_pidfd_getfd, process.as_raw_fd(), number, 0) };
    let number = Errno::result(result)? as RawFd;
    // SAFETY: the kernel has just opened it for us.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}

/// Whether the kernel has pidfd_getfd(2), and with it, since Linux 5.6, all that
/// deciding on another process's calls takes.
pub fn can_decide_on_calls() -> bool {
    // SAFETY: it takes three numbers; -1 names no process.
    let result = unsafe { libc::syscall(libc::SYS_pidfd_getfd, -1, -1, 0) };
    Errno::result(result) == Err(Errno::EBADF)
}

/// A call that waits to be decided on.
#[derive(Debug, Clone, Copy)]
pub struct Waiting {
    id: u64,
    /// The process that makes it.
    pub pid: i32,
    /// Its number: `libc::SYS_mount`.
    pub number: i64,
    /// What it is given: numbers and addresses.
    pub arguments: [u64; 6],
}

/// The next call that waits. See [`ask_about`].
///
/// # Errors
/// Its process has ended meanwhile.
pub fn next_call(listener: BorrowedFd) -> io::Result<Waiting> {
    // SAFETY: the kernel demands that all of it is zero, which it may be.
    let mut call: libc::seccomp_notif = unsafe { std::mem::zeroed() };
    let request = libc::SECCOMP_IOCTL_NOTIF_RECV;
    // SAFETY: `call` is what the kernel fills here.
    Errno::result(unsafe { libc::ioctl(listener.as_raw_fd(), request, &raw mut call) })?;
    let libc::seccomp_notif { id, pid, data, .. } = call;
    let number = i64::from(data.nr);
    Ok(Waiting { id, pid: pid as i32, number, arguments: data.args })
}

/// Lets a call be made, or fail.
///
/// # Errors
/// Its process has ended meanwhile.
pub fn decide(listener: BorrowedFd, call: Waiting, failure: Option<Errno>) -> io::Result<()> {
    let mut decision = libc::seccomp_notif_resp {
        id: call.id,
        val: 0,
        error: failure.map_or(0, |errno| -(errno as i32)),
        flags: match failure {
            None => libc::SECCOMP_USER_NOTIF_FLAG_CONTINUE as u32,
            Some(_) => 0,
        },
    };
    let request = libc::SECCOMP_IOCTL_NOTIF_SEND;
    // SAFETY: `decision` is what the kernel reads here.
    Errno::result(unsafe { libc::ioctl(listener.as_raw_fd(), request, &raw mut decision) })?;
    Ok(())
}
