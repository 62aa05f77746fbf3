//! The calls by which a program changes mounts. Each of them waits until the
//! grader has looked, so that nothing passes unseen however fast the program is.
//! See seccomp_unotify(2).

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

use nix::errno::Errno;
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketFlags, SocketType, recvmsg, sendmsg, socketpair,
};

/// The calls that wait.
const CALLS: [libc::c_long; 4] =
    [libc::SYS_mount, libc::SYS_move_mount, libc::SYS_umount2, libc::SYS_pivot_root];

/// The end of the program's process, before it executes the program.
#[derive(Debug)]
pub struct Announcer(OwnedFd);

/// The grader's end.
#[derive(Debug)]
pub struct Listener(OwnedFd);

/// A call that is about to be made.
#[derive(Debug)]
pub struct Call {
    id: u64,
    number: i32,
}

/// Both ends. The grader's is complete when the program's process has announced
/// itself.
///
/// # Errors
/// EMFILE and the like.
pub fn pair() -> io::Result<(OwnedFd, Announcer)> {
    let (near, far) =
        socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
    Ok((near, Announcer(far)))
}

impl Announcer {
    /// From here on the calls of this process, and of all that it starts, wait.
    ///
    /// # Errors
    /// As seccomp(2).
    #[allow(unsafe_code)]
    pub fn announce(&self) -> io::Result<()> {
        let mut filter = filter();
        let program = libc::sock_fprog { len: filter.len() as u16, filter: filter.as_mut_ptr() };
        // SAFETY: `program` and the filter that it points to outlive the call,
        // which returns a new descriptor.
        let listener = unsafe {
            let listener = libc::syscall(
                libc::SYS_seccomp,
                libc::SECCOMP_SET_MODE_FILTER,
                libc::SECCOMP_FILTER_FLAG_NEW_LISTENER,
                &raw const program,
            );
            OwnedFd::from_raw_fd(Errno::result(listener)? as RawFd)
        };
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        let descriptors = [std::os::fd::AsFd::as_fd(&listener)];
        control.push(SendAncillaryMessage::ScmRights(&descriptors));
        sendmsg(&self.0, &[IoSlice::new(b".")], &mut control, SendFlags::empty())?;
        Ok(())
    }
}

/// The filter, in the language of bpf(4): whether the number of the call is one
/// of ours.
fn filter() -> Vec<libc::sock_filter> {
    let step = |code, k, jt, jf| libc::sock_filter { code, jt, jf, k };
    let load = (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16;
    let is_equal = (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16;
    let answer = (libc::BPF_RET | libc::BPF_K) as u16;
    // The number is the first word of struct seccomp_data.
    let mut filter = vec![step(load, 0, 0, 0)];
    for (index, number) in CALLS.iter().enumerate() {
        let to_the_end = (CALLS.len() - index) as u8;
        filter.push(step(is_equal, *number as u32, to_the_end, 0));
    }
    filter.push(step(answer, libc::SECCOMP_RET_ALLOW, 0, 0));
    filter.push(step(answer, libc::SECCOMP_RET_USER_NOTIF, 0, 0));
    filter
}

impl Listener {
    /// Waits for the program's process to announce itself.
    ///
    /// # Errors
    /// It has ended before.
    pub fn accept(near: &OwnedFd) -> io::Result<Listener> {
        let mut byte = [0];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        recvmsg(near, &mut [IoSliceMut::new(&mut byte)], &mut control, RecvFlags::CMSG_CLOEXEC)?;
        for message in control.drain() {
            if let RecvAncillaryMessage::ScmRights(mut descriptors) = message {
                return descriptors.next().map(Listener).ok_or_else(|| Errno::EPROTO.into());
            }
        }
        Err(Errno::EPROTO.into())
    }

    /// The call that waits, if there is one still.
    #[allow(unsafe_code)]
    pub fn receive(&self) -> Option<Call> {
        // SAFETY: zeroes are a valid value, and what the kernel asks for; it
        // writes to nothing else.
        let (result, call) = unsafe {
            let mut call: libc::seccomp_notif = std::mem::zeroed();
            let fd = self.0.as_raw_fd();
            (libc::ioctl(fd, libc::SECCOMP_IOCTL_NOTIF_RECV, &raw mut call), call)
        };
        (result == 0).then_some(Call { id: call.id, number: call.data.nr })
    }

    /// Lets a call be made.
    pub fn let_go(&self, call: &Call) {
        self.answer(call, 0, libc::SECCOMP_USER_NOTIF_FLAG_CONTINUE as u32);
    }

    /// Lets a call fail without being made.
    pub fn refuse(&self, call: &Call, errno: Errno) {
        self.answer(call, -(errno as i32), 0);
    }

    #[allow(unsafe_code)]
    fn answer(&self, call: &Call, error: i32, flags: u32) {
        let response = libc::seccomp_notif_resp { id: call.id, val: 0, error, flags };
        // SAFETY: the kernel only reads `response`. It fails if the process has
        // been killed meanwhile, and then nobody waits.
        unsafe {
            libc::ioctl(self.0.as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_SEND, &raw const response);
        }
    }
}

impl Call {
    /// Whether it is pivot_root(2).
    pub fn is_pivot_root(&self) -> bool {
        libc::c_long::from(self.number) == libc::SYS_pivot_root
    }
}

impl std::os::fd::AsFd for Listener {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.0.as_fd()
    }
}
