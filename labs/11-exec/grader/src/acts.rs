//! What the student writes, and how it is called. Only this file runs in the
//! process of an answer.

use std::ffi::CString;
use std::io;
use std::os::fd::{IntoRawFd, OwnedFd};

use labkit::act::{Act, Performable, given};
use labkit::describe::Failure;
use labkit::frame::Returned;
use mydocker_kernel::sys::clone;
use nix::fcntl::{FcntlArg, OFlag, fcntl, open};
use nix::sched::CloneFlags;
use nix::sys::resource::{Resource, getrlimit};
use nix::sys::stat::Mode;
use nix::sys::wait::{Id, WaitPidFlag, waitid};
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};

/// A namespace: its kind, and a descriptor of it.
pub type Namespace = (CloneFlags, OwnedFd);

/// The functions that the student writes. A mistake is the solution with one of
/// them replaced.
pub struct Answers {
    /// See labs/11-exec/src/lib.rs, as for the others.
    pub open_namespaces: fn(Pid) -> io::Result<Vec<Namespace>>,
    /// Joins what the first has opened.
    pub join: fn(&[Namespace]) -> io::Result<()>,
    /// A command in a container.
    pub enter: fn(Pid, &[CString], &[CString]) -> io::Result<i32>,
}

/// All that an answer can be asked to do.
pub static ACTS: &[&dyn Performable<Answers>] =
    &[&OPEN_NAMESPACES, &JOIN, &ENTER, &ENTER_AS_A_PARENT];

/// A namespace as an answer tells of it: its kind as a number, and the number of the
/// descriptor, which stays open.
pub type Told = (i32, i32);

/// Opens the namespaces of the process that it is given; of its own process if that is 0.
pub static OPEN_NAMESPACES: Act<Answers, i32, Result<Vec<Told>, Failure>> = Act {
    name: "open_namespaces",
    function: "open_namespaces",
    perform: |answers, pid| {
        let pid = if pid == 0 { Pid::this() } else { Pid::from_raw(pid) };
        let told = |(kind, descriptor): Namespace| (kind.bits(), descriptor.into_raw_fd());
        let opened = (answers.open_namespaces)(pid).map_err(Failure::from)?;
        Ok(opened.into_iter().map(told).collect())
    },
};

/// Joins the namespaces of these kinds; it is given a descriptor of each.
pub static JOIN: Act<Answers, Vec<i32>, Returned> = Act {
    name: "join",
    function: "join",
    perform: |answers, kinds| {
        let kinds = kinds.into_iter().map(CloneFlags::from_bits_retain);
        let namespaces: Vec<Namespace> =
            kinds.enumerate().map(|(nth, kind)| (kind, given(nth))).collect();
        (answers.join)(&namespaces).map_err(Failure::from)
    },
};

/// What enter is given.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Order {
    /// A process of the container.
    pub pid: i32,
    /// The command and its arguments.
    pub command: Vec<CString>,
    /// Its variables.
    pub environment: Vec<CString>,
}

/// Where more files may be open than that, the kernel would need much memory to number
/// them all.
const HIGHEST: u64 = 4096;

/// Runs a command in a container. A directory is open with the lowest number that there
/// is, and with the highest.
pub static ENTER: Act<Answers, Order, Result<i32, Failure>> = Act {
    name: "enter",
    function: "enter",
    perform: |answers, order| {
        let pid = Pid::from_raw(order.pid);
        let directory = open(".", OFlag::O_RDONLY, Mode::empty()).expect("it can be read");
        let (most, _) = getrlimit(Resource::RLIMIT_NOFILE).expect("its own limits");
        let highest = most.min(HIGHEST) as i32 - 1;
        fcntl(&directory, FcntlArg::F_DUPFD(highest)).expect("it is allowed");
        let _ = directory.into_raw_fd();
        (answers.enter)(pid, &order.command, &order.environment).map_err(Failure::from)
    },
};

/// The exit code of the other child.
pub const OTHERS_CODE: i32 = 9;

/// Runs a command in a container. Another child of this process has ended before, and
/// nobody has waited for it yet.
pub static ENTER_AS_A_PARENT: Act<Answers, Order, Result<i32, Failure>> = Act {
    name: "enter_as_a_parent",
    function: "enter",
    perform: |answers, order| {
        let other = clone(CloneFlags::empty(), || OTHERS_CODE).expect("the sandbox allows it");
        let is_over = WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT;
        waitid(Id::Pid(other), is_over).expect("it ends at once");
        let pid = Pid::from_raw(order.pid);
        (answers.enter)(pid, &order.command, &order.environment).map_err(Failure::from)
    },
};
