//! Holds a child at its birth.
//!
//! strace counts calls for each process on its own, so under `strace -f` the
//! third openat of parent and child both fail. To hit the child alone, it is
//! stopped before its first instruction, for a strace of its own to take over.

use std::process::{Child, Command};

use nix::libc;
use nix::sys::ptrace::{self, Options};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

/// Starts a command, and returns it with the first child that it makes, or with more
/// `generations` the first child of that: below the keeper is the container's PID 1. It
/// is stopped as by SIGSTOP, and nobody traces it any more.
///
/// # Errors
/// It ends without a child.
pub fn start_and_stop_child(command: &Command, generations: usize) -> Result<(Child, Pid), String> {
    let mut shell = Command::new("sh");
    // It stops itself, so that it can be seized before it does anything.
    shell.args(["-c", r#"kill -STOP $$; exec "$@""#, "sh"]);
    shell.arg(command.get_program()).args(command.get_args());
    shell.env_clear().envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    shell.stdin(std::process::Stdio::null());
    shell.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
    let mut started = shell.spawn().expect("sh starts");
    let parent = Pid::from_raw(started.id() as i32);
    match descendant_of(parent, generations) {
        Ok(child) => Ok((started, child)),
        Err(error) => {
            let _ = started.kill();
            let output = started.wait_with_output();
            Err(format!("no child to be traced: {error}\n{output:?}"))
        }
    }
}

fn descendant_of(mut process: Pid, generations: usize) -> Result<Pid, String> {
    let text = |errno: nix::Error| errno.to_string();
    waitpid(process, Some(WaitPidFlag::WUNTRACED)).map_err(text)?;
    // A clone that sends SIGCHLD at the end counts as a fork.
    ptrace::seize(process, Options::PTRACE_O_TRACEFORK).map_err(text)?;
    kill(process, Signal::SIGCONT).map_err(text)?;
    for generation in 0..generations {
        if generation > 0 {
            ptrace::cont(process, None).map_err(text)?;
        }
        let child = next_fork_of(process)?;
        // It is seized too, and stops before its first instruction.
        waitpid(child, Some(WaitPidFlag::__WALL)).map_err(text)?;
        if generation + 1 == generations {
            // Let go with a SIGSTOP waiting for it, it stays there.
            kill(child, Signal::SIGSTOP).map_err(text)?;
            ptrace::detach(child, None).map_err(text)?;
        }
        ptrace::detach(process, None).map_err(text)?;
        process = child;
    }
    Ok(process)
}

/// Waits for the next child that a traced process makes.
fn next_fork_of(process: Pid) -> Result<Pid, String> {
    let text = |errno: nix::Error| errno.to_string();
    loop {
        match waitpid(process, Some(WaitPidFlag::__WALL)).map_err(text)? {
            WaitStatus::PtraceEvent(_, _, libc::PTRACE_EVENT_FORK) => {
                return Ok(Pid::from_raw(ptrace::getevent(process).map_err(text)? as i32));
            }
            WaitStatus::PtraceEvent(..) => ptrace::cont(process, None).map_err(text)?,
            WaitStatus::Stopped(_, signal) => ptrace::cont(process, signal).map_err(text)?,
            other => return Err(format!("{other:?}")),
        }
    }
}
