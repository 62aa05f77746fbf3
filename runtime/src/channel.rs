//! What parent and container say to each other before the command starts.
//!
//! A socket pair that keeps the borders of messages. The container's end is
//! closed by execve: its end without an error means that the command runs.

use std::io::{IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};

use nix::errno::Errno;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socketpair};
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};

use mydocker_kernel::{Error, Result};

/// The longest message: an error that quotes a page of mount options.
const LONGEST: usize = 16 * 1024;

// ANCHOR: message
/// What is said.
#[derive(Debug)]
pub enum Message {
    /// Keeper to parent: the container is there, and this stands for it.
    Born(OwnedFd),
    /// Parent to container: the ID maps and limits are in force, go on.
    Go,
    /// Container to parent: the master end of the container's terminal.
    Terminal(OwnedFd),
    /// Container to parent: the start has failed.
    Failed(Error),
    /// Supervisor of a container in the background to who started it: the command runs
    /// in the container of this name.
    Runs(String),
}
// ANCHOR_END: message

/// One end of the socket pair.
#[derive(Debug)]
pub struct Channel(OwnedFd);

impl Channel {
    /// The parent's end and the container's.
    ///
    /// # Errors
    /// EMFILE and the like. See socketpair(2).
    pub fn pair() -> Result<(Channel, Channel)> {
        let (unix, kind) = (AddressFamily::Unix, SockType::SeqPacket);
        socketpair(unix, kind, None, SockFlag::SOCK_CLOEXEC)
            .map(|(ours, theirs)| (Channel(ours), Channel(theirs)))
            .map_err(|errno| Error::call("socketpair(AF_UNIX, SOCK_SEQPACKET)", errno))
    }

    /// Sends a message.
    ///
    /// # Errors
    /// EPIPE when the other side has ended.
    pub fn send(&self, message: &Message) -> Result<()> {
        let json;
        let (bytes, descriptor): (&[u8], Option<&OwnedFd>) = match message {
            Message::Go => (b"go", None),
            Message::Runs(name) => {
                json = format!("runs {name}").into_bytes();
                (&json, None)
            }
            Message::Born(process) => (b"born", Some(process)),
            Message::Terminal(master) => (b"terminal", Some(master)),
            Message::Failed(error) => {
                json = serde_json::to_vec(error).expect("strings and numbers");
                (&json[..json.len().min(LONGEST)], None)
            }
        };
        let descriptors: Vec<BorrowedFd> = descriptor.iter().map(|fd| fd.as_fd()).collect();
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        if !descriptors.is_empty() {
            control.push(SendAncillaryMessage::ScmRights(&descriptors));
        }
        loop {
            let part = [IoSlice::new(bytes)];
            match sendmsg(&self.0, &part, &mut control, SendFlags::NOSIGNAL) {
                Err(rustix::io::Errno::INTR) => {}
                other => {
                    let errno = |it: rustix::io::Errno| Errno::from_raw(it.raw_os_error());
                    return other.map(drop).map_err(|it| Error::call("sendmsg()", errno(it)));
                }
            }
        }
    }

    /// Receives a message; `None` when the other side has closed its end.
    ///
    /// # Errors
    /// As recvmsg(2), or a message that nobody of us sends.
    pub fn receive(&self) -> Result<Option<Message>> {
        let mut bytes = vec![0; LONGEST];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let mut parts = [IoSliceMut::new(&mut bytes)];
        let received = loop {
            match recvmsg(&self.0, &mut parts, &mut control, RecvFlags::CMSG_CLOEXEC) {
                Err(rustix::io::Errno::INTR) => continue,
                // The other side has ended without reading what we had sent. It
                // is told once, and before what that side had sent itself.
                Err(rustix::io::Errno::CONNRESET) => continue,
                other => break other,
            }
        };
        let length = received
            .map_err(|errno| Error::call("recvmsg()", Errno::from_raw(errno.raw_os_error())))?
            .bytes;
        let descriptor = control.drain().find_map(|message| match message {
            RecvAncillaryMessage::ScmRights(mut descriptors) => descriptors.next(),
            _ => None,
        });
        match (&bytes[..length], descriptor) {
            (b"", _) => Ok(None),
            (b"go", _) => Ok(Some(Message::Go)),
            (b"born", Some(process)) => Ok(Some(Message::Born(process))),
            (b"terminal", Some(master)) => Ok(Some(Message::Terminal(master))),
            (runs, _) if runs.starts_with(b"runs ") => {
                Ok(Some(Message::Runs(String::from_utf8_lossy(&runs[5..]).into_owned())))
            }
            (json, _) => serde_json::from_slice(json)
                .map(|error| Some(Message::Failed(error)))
                .map_err(|error| Error::new(format!("the container's message is cut: {error}"))),
        }
    }
}

impl AsFd for Channel {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl AsRawFd for Channel {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}
