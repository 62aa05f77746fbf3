//! The parent while the container lives: forwards signals, carries the bytes of its
//! streams, waits for the end.

use std::io::{Write, stderr, stdin};
use std::os::fd::AsFd;

use mydocker_kernel::{Error, Result, sys};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::unistd::Pid;

use crate::channel::{Channel, Message};
use crate::child::Child;
use crate::ended::has_ended;
use crate::proc_pid::minds;
use crate::streams::Streams;
use crate::terminal::Relay;

/// The signals that keep their meaning for us: those that stop us and let us go
/// on, and the one of a pipe without a reader, which is ignored here.
const OURS: [Signal; 5] =
    [Signal::SIGTSTP, Signal::SIGTTIN, Signal::SIGTTOU, Signal::SIGCONT, Signal::SIGPIPE];

/// Lets all others wait in a descriptor from here on, so that none can end this
/// process before it has cleaned up. See signalfd(2).
///
/// # Errors
/// EMFILE and the like.
pub fn hold_signals() -> Result<SignalFd> {
    // While it is ignored, the kernel tells of no child's end. See wait(2).
    sys::set_default_action(libc::SIGCHLD);
    let mut set = SigSet::all();
    OURS.into_iter().for_each(|signal| set.remove(signal));
    let flags = SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK;
    let signals = set.thread_block().and_then(|()| SignalFd::with_flags(&set, flags));
    // Ignored, it would not wait in the descriptor.
    sys::set_default_action(libc::SIGXFSZ);
    signals.map_err(|errno| Error::call("signalfd()", errno))
}

/// Waits until the container has ended, and returns its exit code: the command's
/// own, or 128+n when signal n ended it. Calls `started` once the command runs.
///
/// # Errors
/// What the container reports when its start fails.
pub fn supervise(
    child: &Child,
    channel: Channel,
    signals: &SignalFd,
    interactive: bool,
    mut streams: Streams,
    started: &dyn Fn(),
) -> Result<u8> {
    // Open as long as the command has not started.
    let mut channel = Some(channel);
    let mut relay: Option<Relay> = None;
    let mut failure = None;
    let mut told = 0;
    loop {
        // 1. Sleep until something happens.
        let ready = wait(signals, channel.as_ref(), relay.as_ref(), &streams)?;
        // 2. What the container says about its start: all of it before the
        //    signals, for one of those may already be meant for the command.
        if let Some(open) = channel.as_ref().filter(|_| ready.channel) {
            match open.receive()? {
                Some(Message::Terminal(master)) => {
                    relay = Some(Relay::begin(master, interactive, streams.terminal_log.take())?);
                }
                Some(Message::Failed(error)) => failure = Some(error),
                Some(Message::Go | Message::Born(_) | Message::Runs(_)) | None => {
                    channel = None;
                    if failure.is_none() {
                        started();
                    }
                }
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
        if ready.stream_input && streams.input.as_mut().is_some_and(|input| !input.carry()) {
            streams.input = None;
        }
        for output in &mut streams.outputs {
            // One by one while it lives, so that signals are not kept waiting.
            while output.carry() && ended.is_some() {}
        }
        // Our terminal has gone, and nobody can end the command any more. The
        // container's goes too; a command that does not handle that is killed.
        if relay.as_ref().is_some_and(|relay| relay.hung_up) {
            relay = None;
            told |= bit(libc::SIGHUP);
            forward(child, libc::SIGHUP, &mut told);
        }
        // 4. The end.
        match (ended, failure.take()) {
            (Some(_), Some(error)) => return Err(error),
            (Some(code), None) => {
                let of_streams = streams.outputs.into_iter().find_map(|output| output.failure);
                return match relay.and_then(|relay| relay.failure).or(of_streams) {
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
    /// There is something to read for a container without a terminal, or room for it.
    stream_input: bool,
}

fn wait(
    signals: &SignalFd,
    channel: Option<&Channel>,
    relay: Option<&Relay>,
    streams: &Streams,
) -> Result<Ready> {
    let keyboard = stdin();
    let none = PollFlags::empty();
    let relay = relay.filter(|relay| relay.open);
    let room = if relay.is_some_and(Relay::has_typed) { PollFlags::POLLOUT } else { none };
    let input = relay.filter(|relay| relay.wants_input()).map(|_| keyboard.as_fd());
    let stream_input = streams.input.as_ref().map(|input| match input.awaited() {
        Some(flags) => (input.end(), flags),
        None => (keyboard.as_fd(), PollFlags::POLLIN),
    });
    let mut all = vec![
        Some((signals.as_fd(), PollFlags::POLLIN)),
        channel.map(|channel| (channel.as_fd(), PollFlags::POLLIN)),
        relay.map(|relay| (relay.master(), PollFlags::POLLIN | room)),
        input.map(|keyboard| (keyboard, PollFlags::POLLIN)),
        stream_input,
    ];
    let outputs = streams.outputs.iter().map(|output| Some((output.end()?, PollFlags::POLLIN)));
    all.extend(outputs);
    let mut watched: Vec<PollFd> =
        all.iter().flatten().map(|(fd, flags)| PollFd::new(*fd, *flags)).collect();
    match poll(&mut watched, PollTimeout::NONE) {
        Ok(_) => {}
        Err(Errno::EINTR) => return Ok(Ready::default()),
        Err(errno) => return Err(Error::call("poll()", errno)),
    }
    let mut results = watched.iter().map(|watched| watched.revents().unwrap_or(none));
    let mut happened = all.iter().map(|source| match source {
        Some(_) => results.next().unwrap_or(none),
        None => none,
    });
    let mut next = || happened.next().unwrap_or(none);
    let (signals, channel, terminal, input, stream_input) =
        (next(), next(), next(), next(), next());
    Ok(Ready {
        signals: !signals.is_empty(),
        channel: !channel.is_empty(),
        output: terminal.intersects(PollFlags::POLLIN | PollFlags::POLLHUP | PollFlags::POLLERR),
        room: terminal.contains(PollFlags::POLLOUT),
        input: !input.is_empty(),
        stream_input: !stream_input.is_empty(),
    })
}

/// Takes all signals that wait. Returns the exit code if the container has ended.
fn handle_signals(
    child: &Child,
    signals: &SignalFd,
    started: bool,
    relay: Option<&Relay>,
    told: &mut u64,
) -> Result<Option<u8>> {
    while let Some(info) =
        signals.read_signal().map_err(|errno| Error::call("read(signalfd)", errno))?
    {
        match info.ssi_signo as i32 {
            libc::SIGCHLD | libc::SIGURG => {}
            libc::SIGWINCH => relay.into_iter().for_each(Relay::follow_window),
            // A limit of our own was reached; the container has one of its own.
            libc::SIGXFSZ | libc::SIGXCPU if info.ssi_code == libc::SI_KERNEL => {}
            // The command is not there yet that could handle it.
            _ if !started => child.kill(),
            signal => forward(child, signal, told),
        }
    }
    has_ended(child.keeper)
}

/// Passes a signal on. The kernel drops one that PID 1 of a PID namespace has
/// no handler for; then the user is told, and the second one kills.
/// See pid_namespaces(7).
fn forward(child: &Child, signal: i32, told: &mut u64) {
    let reaches = |pid: Pid| !child.is_init || minds(pid.as_raw(), signal).unwrap_or(false);
    let signal = if child.pid().is_some_and(reaches) {
        signal
    } else if *told & bit(signal) != 0 {
        libc::SIGKILL
    } else {
        *told |= bit(signal);
        let name = Signal::try_from(signal)
            .map_or_else(|_| format!("signal {signal}"), |known| known.to_string());
        let _ = write!(
            stderr(),
            "mydocker: the command is PID 1 and does not handle {name}, so the kernel drops it; \
             once more, and it is killed\r\n"
        );
        signal
    };
    child.signal(signal);
}

/// A signal in a set of signals, as /proc/PID/status shows one.
fn bit(signal: i32) -> u64 {
    1 << (signal - 1)
}
