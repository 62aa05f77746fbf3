//! remove, on groups of the machine and with processes in them.

use std::thread::sleep;
use std::time::Duration;

use labkit::describe::{Failure, result};
use labkit::host::Host;
use labkit::verdict::{Evidence, Finding, require};
use mydocker::sys;
use nix::errno::Errno;
use nix::sched::CloneFlags;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{Pid, pipe, read, write};
use serde::{Deserialize, Serialize};

use crate::group::Group;
use crate::kernel;
use crate::removal::{FUNCTION, NAME, gone_on};
use crate::{Answers, UNFORESEEN, finding};

/// How long a process stays that ends.
const A_MOMENT: Duration = Duration::from_millis(40);
/// Longer than any answer may take.
const THROUGHOUT: Duration = Duration::from_secs(60);
/// What ends a process that stays. An answer that kills takes another one.
const OURS: Signal = Signal::SIGUSR2;

/// What the kernel shows of a group that was to be removed.
#[derive(Serialize, Deserialize)]
struct Removed {
    returned: Result<(), Failure>,
    /// Whether a process was in it.
    was_busy: bool,
    /// Whether a folder of the group is still there.
    is_there: bool,
    /// Whether the answer has killed the process in it.
    killed: bool,
}

pub fn nobody(answers: &Answers, host: &Host) -> Result<(), Finding> {
    judge(&remove(answers, host, |_, look| look())?, "Ok")?;
    on_other_kernels(answers, host)
}

pub fn for_a_moment(answers: &Answers, host: &Host) -> Result<(), Finding> {
    let removed = remove(answers, host, |group, look| {
        let process = start_in(group, A_MOMENT);
        let removed = look();
        let ended = waitpid(process, None).expect("a child");
        Removed { was_busy: true, killed: matches!(ended, WaitStatus::Signaled(..)), ..removed }
    })?;
    judge(&removed, "Ok")?;
    on_other_kernels(answers, host)
}

pub fn throughout(answers: &Answers, host: &Host) -> Result<(), Finding> {
    let removed = remove(answers, host, |group, look| {
        let process = start_in(group, THROUGHOUT);
        let removed = look();
        // Of two signals the first one counts.
        let ended = kill(process, OURS).and_then(|()| waitpid(process, None)).expect("a child");
        let killed = !matches!(ended, WaitStatus::Signaled(_, OURS, _));
        Removed { was_busy: true, killed, ..removed }
    })?;
    judge(&removed, "Err")?;
    on_other_kernels(answers, host)
}

/// Another machine's kernel may be of the other version.
fn on_other_kernels(answers: &Answers, host: &Host) -> Result<(), Finding> {
    gone_on(answers, host, kernel::version().other())
}

/// Makes a group of the machine and has the answer remove it when `around` calls
/// what it is given.
fn remove(
    answers: &Answers,
    host: &Host,
    around: impl FnOnce(&Group, &dyn Fn() -> Removed) -> Removed,
) -> Result<Removed, Finding> {
    gone_on(answers, host, kernel::version())?;
    let group = kernel::make_group(NAME);
    let look = || Removed {
        returned: (answers.remove)(&group).map_err(Failure::from),
        was_busy: false,
        is_there: group.folders().iter().any(|folder| folder.exists()),
        killed: false,
    };
    Ok(host.call(FUNCTION, CloneFlags::empty(), || around(&group, &look))?.returned)
}

/// Starts a process in the group; it is there when this returns.
fn start_in(group: &Group, stays: Duration) -> Pid {
    let (told, tell) = pipe().expect("a pipe");
    let process = sys::clone(CloneFlags::empty(), || {
        if kernel::enter(group).is_ok() {
            let _ = write(&tell, b".");
        }
        sleep(stays);
        0
    });
    drop(tell);
    assert_eq!(read(&told, &mut [0]), Ok(1), "a process may enter a group of its own");
    process.expect("a process")
}

fn judge(removed: &Removed, expected: &str) -> Result<(), Finding> {
    let stays = expected == "Err";
    let kept = removed.returned.is_err() == stays && removed.is_there == stays && !removed.killed;
    let evidence = || {
        let there = |is_there| if is_there { "Ok" } else { "ENOENT" };
        let signal = if removed.killed { "SIGKILL" } else { "-" };
        vec![
            Evidence::differs(FUNCTION, expected, result(&removed.returned)),
            Evidence::differs("ls -d GROUP", there(stays), there(removed.is_there)),
            Evidence::differs("the process in the group", "-", signal),
        ]
    };
    require(kept, evidence, || diagnose(removed), UNFORESEEN)
}

fn diagnose(removed: &Removed) -> Option<Finding> {
    let files_refused = [Errno::EPERM, Errno::EACCES].map(|errno| Some(errno as i32));
    Some(match &removed.returned {
        _ if removed.killed => finding("process-killed"),
        Err(failure) if files_refused.contains(&failure.errno) => finding("files-deleted-singly"),
        Err(_) if removed.was_busy && removed.is_there => finding("busy-not-retried"),
        Err(failure) => {
            Finding::new("answer/returned-error").word("function", FUNCTION).word("error", failure)
        }
        Ok(()) if removed.is_there => finding("failed-removal-ignored"),
        Ok(()) => return None,
    })
}
