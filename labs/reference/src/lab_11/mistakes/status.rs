//! enter: the number that it returns.

use std::cell::Cell;
use std::ffi::{CStr, CString, OsStr};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use lab_02_process::clone;
use lab_11_grader::Answers;
use nix::errno::Errno;
use nix::sched::CloneFlags;
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid, waitpid};

use crate::catalogue::Mistake;
use crate::lab_11::solution;
use crate::lab_11::steps::{
    MISSING, become_it, enter_executing, enter_waiting, entering, failure, join_and_start, look_up,
    look_up_so, start_joiner, wait, wait_so,
};

/// The child in the middle says that all is well, whatever its own child says.
pub const JOINER_RETURNS_0: Mistake<Answers> =
    entering("joiner_returns_0", "exec/status-lost", |pid, command, environment| {
        let wait_for = |child| wait(child).map(|_| 0);
        enter_waiting(pid, command, environment, wait_for)
    });

/// The signal's number alone.
pub const SIGNAL_WITHOUT_128: Mistake<Answers> =
    entering("signal_without_128", "exec/signal-without-128", |pid, command, environment| {
        let wait_for = |child| wait_so(child, |signal| signal as i32);
        enter_waiting(pid, command, environment, wait_for)
    });

/// "The command did not exit": an error.
pub const SIGNAL_IS_AN_ERROR: Mistake<Answers> =
    entering("signal_is_an_error", "exec/ending-is-an-error", |pid, command, environment| {
        let wait_for = |child| match waitpid(child, None)? {
            WaitStatus::Exited(_, code) => Ok(code),
            other => Err(io::Error::other(format!("{other:?}"))),
        };
        enter_waiting(pid, command, environment, wait_for)
    });

/// What a program returns that has failed.
pub const ALWAYS_1: Mistake<Answers> =
    entering("always_1", "exec/wrong-failure-code", |pid, command, environment| {
        let execute = || {
            eprintln!("{}", look_up(command, environment));
            1
        };
        enter_executing(pid, execute)
    });

/// What cannot be executed is not there.
pub const ALWAYS_127: Mistake<Answers> =
    entering("always_127", "exec/wrong-failure-code", |pid, command, environment| {
        let execute = || {
            eprintln!("{}", look_up(command, environment));
            127
        };
        enter_executing(pid, execute)
    });

/// Says why there is no command. Only one error becomes 127.
fn only_enoent_is_127(command: &[CString], errno: Errno) -> i32 {
    eprintln!("{:?}: {errno}", command[0]);
    if errno == Errno::ENOENT { 127 } else { 126 }
}

/// A file in PATH counts as a command that cannot be executed.
pub const FILE_IN_PATH: Mistake<Answers> =
    entering("file_in_path", "exec/wrong-failure-code", |pid, command, environment| {
        let become_it = |program: &CStr| become_it(program, command, environment);
        enter_executing(pid, || {
            let errno = look_up_so(&[Errno::ENOENT], command, environment, become_it);
            only_enoent_is_127(command, errno)
        })
    });

/// In PATH, what is below a file is passed over. As a path, it "cannot be executed".
pub const BELOW_A_FILE_IS_126: Mistake<Answers> =
    entering("below_a_file_is_126", "exec/wrong-failure-code", |pid, command, environment| {
        let execute = || only_enoent_is_127(command, look_up(command, environment));
        enter_executing(pid, execute)
    });

/// What is no directory is an error like any other, and errors end a look-up.
pub const LOOK_UP_ENDS_AT_A_FILE: Mistake<Answers> =
    entering("look_up_ends_at_a_file", "exec/look-up-ends-early", |pid, command, environment| {
        let stopped = Cell::new(None);
        let become_it = |program: &CStr| {
            stopped.get().unwrap_or_else(|| {
                let errno = become_it(program, command, environment);
                if errno == Errno::ENOTDIR {
                    stopped.set(Some(errno));
                }
                errno
            })
        };
        enter_executing(pid, || {
            failure(command, look_up_so(MISSING, command, environment, become_it))
        })
    });

/// Afterwards it looks whether the file exists. A script without its interpreter does.
pub const THERE_IS_A_FILE: Mistake<Answers> =
    entering("there_is_a_file", "exec/wrong-failure-code", |pid, command, environment| {
        let execute = || {
            let code = failure(command, look_up(command, environment));
            let is_there = Path::new(OsStr::from_bytes(command[0].to_bytes())).exists();
            if is_there { 126 } else { code }
        };
        enter_executing(pid, execute)
    });

/// Everybody has seen "Permission denied". All other errors become 127.
pub const ONLY_EACCES_IS_126: Mistake<Answers> =
    entering("only_eacces_is_126", "exec/wrong-failure-code", |pid, command, environment| {
        let execute = || {
            let errno = look_up(command, environment);
            eprintln!("{:?}: {errno}", command[0]);
            if errno == Errno::EACCES { 126 } else { 127 }
        };
        enter_executing(pid, execute)
    });

/// wait(2) takes whoever ends first: here, the caller has no other child.
pub const WAIT_FOR_ANY_CHILD: Mistake<Answers> =
    entering("wait_for_any_child", "exec/waits-for-any-child", |pid, command, environment| {
        let namespaces = solution::open_namespaces(pid)?;
        start_joiner(|| join_and_start(namespaces, command, environment))?;
        match nix::sys::wait::wait()? {
            WaitStatus::Exited(_, code) => Ok(code),
            WaitStatus::Signaled(_, signal, _) => Ok(128 + signal as i32),
            other => panic!("{other:?} is no end"),
        }
    });

/// Who has joined starts the command, and goes.
pub const NOT_WAITED_FOR: Mistake<Answers> =
    entering("not_waited_for", "exec/command-not-waited-for", |pid, command, environment| {
        enter_waiting(pid, command, environment, |_| Ok(0))
    });

/// Looked at, but never waited for: each exec leaves a zombie.
pub const ZOMBIE_LEFT: Mistake<Answers> =
    entering("zombie_left", "exec/zombie-left", |pid, command, environment| {
        let namespaces = solution::open_namespaces(pid)?;
        let joiner = start_joiner(|| join_and_start(namespaces, command, environment))?;
        match waitid(Id::Pid(joiner), WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT)? {
            WaitStatus::Exited(_, code) => Ok(code),
            other => panic!("{other:?} is no end"),
        }
    });

/// 127, and not a word of what was not found.
pub const NOTHING_SAID: Mistake<Answers> =
    entering("nothing_said", "exec/failure-not-told", |pid, command, environment| {
        let execute = || match look_up(command, environment) {
            Errno::ENOENT | Errno::ENOTDIR => 127,
            _ => 126,
        };
        enter_executing(pid, execute)
    });

/// 125, and not a word of what could not be joined.
pub const JOINER_SAYS_NOTHING: Mistake<Answers> =
    entering("joiner_says_nothing", "exec/failure-not-told", |pid, command, environment| {
        let namespaces = solution::open_namespaces(pid)?;
        let joined = || join_and_start(namespaces, command, environment).unwrap_or(125);
        wait(clone(CloneFlags::empty(), joined)?)
    });
