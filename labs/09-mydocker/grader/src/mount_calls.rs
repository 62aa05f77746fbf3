//! The calls by which a program changes mounts. Each of them waits until the
//! grader has looked, so that nothing passes unseen however fast the program is.
//! See seccomp_unotify(2).

use std::fs::File;
use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::FileExt;

use labkit::proc::Proc;
use labkit::sys::{Waiting, ask_about};
use nix::errno::Errno;
use nix::fcntl::OFlag;
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketFlags, SocketType, recvmsg, sendmsg, socketpair,
};

/// The calls that wait.
const CALLS: [i64; 5] = [
    libc::SYS_mount,
    libc::SYS_fsopen,
    libc::SYS_move_mount,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
];

/// How many bytes of the name of a file system's type are read, with its end.
const LONGEST_TYPE: usize = 16;

/// The end of the program's process, before it executes the program.
#[derive(Debug)]
pub struct Announcer(OwnedFd);

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
    pub fn announce(&self) -> io::Result<()> {
        let listener = ask_about(&CALLS)?;
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        let descriptors = [listener.as_fd()];
        control.push(SendAncillaryMessage::ScmRights(&descriptors));
        sendmsg(&self.0, &[IoSlice::new(b".")], &mut control, SendFlags::empty())?;
        Ok(())
    }
}

/// Waits for the program's process to announce itself, and returns what its calls are
/// read from.
///
/// # Errors
/// It has ended before.
pub fn accept(near: &OwnedFd) -> io::Result<OwnedFd> {
    let mut byte = [0];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    recvmsg(near, &mut [IoSliceMut::new(&mut byte)], &mut control, RecvFlags::CMSG_CLOEXEC)?;
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(mut descriptors) = message {
            return descriptors.next().ok_or_else(|| Errno::EPROTO.into());
        }
    }
    Err(Errno::EPROTO.into())
}

/// The type of file system that a call asks for, as mount(2) and fsopen(2) do; none if
/// it asks for none, or the process's memory cannot be read.
pub fn file_system(call: &Waiting, proc: &Proc) -> Option<String> {
    let address = match call.number {
        libc::SYS_mount => call.arguments[2],
        libc::SYS_fsopen => call.arguments[0],
        _ => return None,
    };
    let memory = proc.open_file(&format!("{}/mem", call.pid), OFlag::O_RDONLY).ok()?;
    let mut name = [0; LONGEST_TYPE];
    let count = File::from(memory).read_at(&mut name, address).ok()?;
    let end = name[..count].iter().position(|byte| *byte == 0)?;
    String::from_utf8(name[..end].to_vec()).ok()
}
