//! The parent while the container lives: forwards signals, carries the
//! terminal's bytes, waits for the end.

use std::io::{Write, stderr, stdin};
use std::os::fd::AsFd;
use std::path::Path;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal, kill};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use crate::channel::{Channel, Message};
use crate::error::{Error, OnPath, Result};
use crate::sys;
use crate::terminal::Relay;

/// The signals that the container gets in our place.
const FORWARDED: [Signal; 4] = [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP, Signal::SIGQUIT];

/// Lets signals wait in a descriptor from here on, so that none can end this
/// process before it has cleaned up. See signalfd(2).
///
/// # Errors
/// EMFILE and the like.
pub fn hold_signals() -> Result<SignalFd> {
    // While it is ignored, the kernel tells of no child's end. See wait(2).
    sys::set_default_action(libc::SIGCHLD);
    let mut set = SigSet::from_iter(FORWARDED);
    set.add(Signal::SIGCHLD);
    set.add(Signal::SIGWINCH);
    let flags = SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK;
    set.thread_block()
        .and_then(|()| SignalFd::with_flags(&set, flags))
        .map_err(|errno| Error::call("signalfd()", errno))
}

/// Waits until the container whose PID 1 is `child` has ended, and returns its
/// exit code: the command's own, or 128+n when signal n ended it.
///
/// # Errors
/// What the container reports when its start fails.
pub fn supervise(
    child: Pid,
    channel: Channel,
    signals: &SignalFd,
    interactive: bool,
) -> Result<u8> {
    // Open as long as the command has not started.
    let mut channel = Some(channel);
    let mut relay: Option<Relay> = None;
    let mut failure = None;
    let mut told = SigSet::empty();
    loop {
        // 1. Sleep until something happens.
        let ready = wait(signals, channel.as_ref(), relay.as_ref())?;
        // 2. What the container says about its start: all of it before the
        //    signals, for one of those may already be meant for the command.
        if let Some(open) = channel.as_ref().filter(|_| ready.channel) {
            match open.receive()? {
                Some(Message::Terminal(master)) => relay = Some(Relay::begin(master, interactive)?),
                Some(Message::Failed(error)) => failure = Some(error),
                Some(Message::Go) | None => channel = None,
            }
            continue;
        }
        let ended = match ready.signals {
            true => handle_signals(child, signals, channel.is_none(), relay.as_ref(), &mut told)?,
            false => None,
        };
        // 3. What is typed and what is written.
        if let Some(relay) = &mut relay {
            if ready.output {
                relay.show_output();
            }
            if ready.room {
                relay.write_typed();
            }
            if ready.input {
                relay.read_stdin();
            }
            while ended.is_some() && relay.show_output() {}
        }
        // Our terminal has gone, and nobody can end the command any more. The
        // container's goes too; a command that does not handle that is killed.
        if relay.as_ref().is_some_and(|relay| relay.hung_up) {
            relay = None;
            told.add(Signal::SIGHUP);
            forward(child, Signal::SIGHUP, &mut told);
        }
        // 4. The end.
        match (ended, failure.take()) {
            (Some(_), Some(error)) => return Err(error),
            (Some(code), None) => {
                return match relay.and_then(|relay| relay.failure) {
                    Some(error) => Err(error.after(format!("the command ended with {code}, but "))),
                    None => Ok(code),
                };
            }
            (None, still) => failure = still,
        }
    }
}

/// What there is to do.
#[derive(Default)]
struct Ready {
    signals: bool,
    channel: bool,
    /// The container has written something, or closed its terminal.
    output: bool,
    /// The container takes more of what was typed.
    room: bool,
    /// Something was typed.
    input: bool,
}

fn wait(signals: &SignalFd, channel: Option<&Channel>, relay: Option<&Relay>) -> Result<Ready> {
    let keyboard = stdin();
    let none = PollFlags::empty();
    let relay = relay.filter(|relay| relay.open);
    let room = if relay.is_some_and(Relay::has_typed) { PollFlags::POLLOUT } else { none };
    let input = relay.filter(|relay| relay.wants_input()).map(|_| keyboard.as_fd());
    let all = [
        Some((signals.as_fd(), PollFlags::POLLIN)),
        channel.map(|channel| (channel.as_fd(), PollFlags::POLLIN)),
        relay.map(|relay| (relay.master(), PollFlags::POLLIN | room)),
        input.map(|keyboard| (keyboard, PollFlags::POLLIN)),
    ];
    let mut watched: Vec<PollFd> =
        all.iter().flatten().map(|(fd, flags)| PollFd::new(*fd, *flags)).collect();
    match poll(&mut watched, PollTimeout::NONE) {
        Ok(_) => {}
        Err(Errno::EINTR) => return Ok(Ready::default()),
        Err(errno) => return Err(Error::call("poll()", errno)),
    }
    let mut results = watched.iter().map(|watched| watched.revents().unwrap_or(none));
    let [signals, channel, terminal, input] =
        all.map(|source| source.and_then(|_| results.next()).unwrap_or(none));
    Ok(Ready {
        signals: !signals.is_empty(),
        channel: !channel.is_empty(),
        output: terminal.intersects(PollFlags::POLLIN | PollFlags::POLLHUP | PollFlags::POLLERR),
        room: terminal.contains(PollFlags::POLLOUT),
        input: !input.is_empty(),
    })
}

/// Takes all signals that wait. Returns the exit code if the container has ended.
fn handle_signals(
    child: Pid,
    signals: &SignalFd,
    started: bool,
    relay: Option<&Relay>,
    told: &mut SigSet,
) -> Result<Option<u8>> {
    while let Some(info) =
        signals.read_signal().map_err(|errno| Error::call("read(signalfd)", errno))?
    {
        match Signal::try_from(info.ssi_signo as i32) {
            Ok(Signal::SIGWINCH) => relay.into_iter().for_each(Relay::follow_window),
            // The command is not there yet that could handle it.
            Ok(signal) if FORWARDED.contains(&signal) && !started => {
                let _ = kill(child, Signal::SIGKILL);
            }
            Ok(signal) if FORWARDED.contains(&signal) => forward(child, signal, told),
            _ => {}
        }
    }
    let wait = || waitpid(child, Some(WaitPidFlag::WNOHANG));
    match wait().on("waitpid", Path::new(&format!("/proc/{child}")))? {
        WaitStatus::Exited(_, code) => Ok(Some(code as u8)),
        WaitStatus::Signaled(_, signal, _) => Ok(Some(128 + signal as u8)),
        _ => Ok(None),
    }
}

/// Passes a signal on. The kernel drops one that PID 1 of a PID namespace has
/// no handler for; then the user is told, and the second one kills.
/// See pid_namespaces(7).
fn forward(child: Pid, signal: Signal, told: &mut SigSet) {
    let status = std::fs::read_to_string(format!("/proc/{child}/status")).unwrap_or_default();
    let has = |set: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(set)).unwrap_or_default();
        let bits = u64::from_str_radix(line.trim(), 16).unwrap_or_default();
        bits & (1 << (signal as u64 - 1)) != 0
    };
    let signal = if has("SigCgt:") || has("SigIgn:") {
        signal
    } else if told.contains(signal) {
        Signal::SIGKILL
    } else {
        told.add(signal);
        let _ = write!(
            stderr(),
            "mydocker: the command is PID 1 and does not handle {signal}, so the kernel drops it; \
             once more, and it is killed\r\n"
        );
        signal
    };
    // ESRCH: it has just ended, and SIGCHLD is on its way.
    let _ = kill(child, signal);
}
