//! The keeper: a process between the parent and the container, so that no
//! container outlives its parent, not even a `kill -9`.
//!
//! PR_SET_PDEATHSIG on the container itself would not do: a change of IDs, as by
//! su(1), clears it, or the container does. But the container's PID namespace lies
//! in one whose PID 1 is the keeper. It changes nothing and executes nothing, so it
//! dies with the parent; and with PID 1 the kernel kills all in a namespace and in
//! those below. See pid_namespaces(7).

use std::io::{Write, stderr};
use std::os::fd::{OwnedFd, RawFd};

use mydocker_kernel::error::FAILED;
use mydocker_kernel::{Result, sys};
use nix::sched::CloneFlags;
use nix::unistd::Pid;

use crate::channel::{Channel, Message};
use crate::ended::wait;
use crate::trace;

/// The keeper's side, from its clone to its end. Starts the container in
/// `namespaces`, says so on `theirs`, waits for its end, and returns its exit code:
/// the command's own, or 128+n.
pub fn keep(
    namespaces: CloneFlags,
    theirs: &Channel,
    parents_end: RawFd,
    container: impl FnOnce() -> i32,
) -> i32 {
    trace::enter("keeper");
    let started = start(namespaces, parents_end, container);
    trace::finish();
    let said = match started {
        Ok((child, descriptor)) => theirs.send(&Message::Born(descriptor)).map(|()| child),
        Err(error) => {
            // If the parent has gone there is nobody to tell.
            let _ = theirs.send(&Message::Failed(error));
            return FAILED.into();
        }
    };
    // The channel is the container's now: its end tells that the command runs.
    let closed = said.and_then(|child| sys::close_all_but(&[]).map(|()| child));
    closed.and_then(wait).map(i32::from).unwrap_or_else(|error| {
        let _ = stderr().write_all(format!("mydocker: {error}\n").as_bytes());
        FAILED.into()
    })
}

fn start(
    namespaces: CloneFlags,
    parents_end: RawFd,
    container: impl FnOnce() -> i32,
) -> Result<(Pid, OwnedFd)> {
    sys::die_with_parent()?;
    let _ = nix::unistd::close(parents_end);
    // Ctrl-C is for the parent, who forwards it.
    let _ = nix::unistd::setsid();
    trace::step("clone the container's PID 1 into new namespaces");
    sys::clone_with_descriptor(namespaces, container)
}
