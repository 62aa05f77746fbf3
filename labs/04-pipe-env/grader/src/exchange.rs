//! Commands on their way: send_command and receive_command, each in a process of
//! its own, with a pipe between them; or one of them, and the grader at the other
//! end.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::ffi::OsStrExt;

use labkit::answering::Answering;
use labkit::call::output;
use labkit::calls::WRITE;
use labkit::describe::Failure;
use labkit::failing::Failed;
use labkit::frame::Returned;
use labkit::host::Host;
use labkit::inside::Place;
use labkit::process::Process;
use labkit::verdict::{Evidence, Finding, HUNG};
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::signal::{Signal, kill};

use crate::acts::{
    Command, RECEIVE_COMMAND, RECEIVE_EACH, Received, SEND_COMMAND, SEND_EACH, SEND_TO_NOBODY,
};
use crate::pipe::{Ends, Pipe};
use crate::probes;

/// What an act returned, or why it did not.
pub type Ended<T> = Result<T, Finding>;

/// How much of an argument is shown.
const BYTES_SHOWN: usize = 60;

/// One command on its way.
#[derive(Debug, Clone)]
pub struct Exchange {
    pub command: Vec<OsString>,
    pub sent: Ended<Returned>,
    pub received: Ended<Received>,
    pub sender_ends: Ends,
    pub receiver_ends: Ends,
}

/// What is known of one call of send_command.
#[derive(Debug, Clone)]
pub struct Sent {
    pub ended: Ended<Returned>,
    /// What of the pipe its process has open afterwards.
    pub ends: Ends,
    /// Whether its process ignores SIGPIPE afterwards.
    pub ignores_sigpipe: bool,
    /// Whether the reader came to the end.
    pub end_was_seen: bool,
    /// What was read.
    pub message: Vec<u8>,
}

/// Sends a command and receives it.
pub fn exchange(host: &Host, command: Vec<OsString>) -> Exchange {
    let pipe = Pipe::new();
    let name = pipe.name();
    let mut sender = host.act(&SEND_COMMAND, Command(command.clone())).giving(pipe.ends()).start();
    let mut receiver = host.act(&RECEIVE_COMMAND, ()).giving(pipe.ends()).start();
    drop(pipe);
    let [sent, received] = host.wait_for([&mut sender, &mut receiver], || ());
    let sender_ends = Ends::held_at(&host.place(&sender), &name);
    let receiver_ends = Ends::held_at(&host.place(&receiver), &name);
    host.end_all([sender, receiver]);
    Exchange {
        command,
        sent: output(sent, SEND_COMMAND.function),
        received: output(received, RECEIVE_COMMAND.function),
        sender_ends,
        receiver_ends,
    }
}

/// Sends a command to a reader that reads all of it, but not before `attend` has
/// returned.
pub fn send(host: &Host, command: Vec<OsString>, attend: impl FnOnce(&mut Answering)) -> Sent {
    let pipe = Pipe::new();
    let name = pipe.name();
    let mut sender = host.act(&SEND_COMMAND, Command(command)).giving(pipe.ends()).start();
    let Pipe { read_end, write_end } = pipe;
    drop(write_end);
    attend(&mut sender);

    // An answer that leaves the write end open must not make the grader wait.
    fcntl(&read_end, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).expect("a pipe can do that");
    let mut reader = File::from(read_end);
    let mut message = Vec::new();
    let mut end_was_seen = false;
    let mut read = || end_was_seen = reader.read_to_end(&mut message).is_ok();
    let [sent] = host.wait_for([&mut sender], &mut read);
    read();
    let place = host.place(&sender);
    let (ends, ignores_sigpipe) = (Ends::held_at(&place, &name), ignores_sigpipe(&place));
    host.end_all([sender]);
    let ended = output(sent, SEND_COMMAND.function);
    Sent { ended, ends, ignores_sigpipe, end_was_seen, message }
}

/// Sends a command where nobody else has the read end open.
pub fn send_to_nobody(host: &Host, command: Vec<OsString>) -> Sent {
    let pipe = Pipe::new();
    let name = pipe.name();
    let mut sender = host.act(&SEND_COMMAND, Command(command)).giving(pipe.ends()).start();
    drop(pipe);
    let [sent] = host.wait_for([&mut sender], || ());
    let place = host.place(&sender);
    let (ends, ignores_sigpipe) = (Ends::held_at(&place, &name), ignores_sigpipe(&place));
    host.end_all([sender]);
    let ended = output(sent, SEND_COMMAND.function);
    Sent { ended, ends, ignores_sigpipe, end_was_seen: false, message: Vec::new() }
}

/// Sends a short command while its `nth` write(2) is interrupted, which is returned if there
/// was one.
///
/// # Errors
/// The act did not come to its end.
pub fn send_while_interrupted(host: &Host, nth: usize) -> Result<(Option<Failed>, Sent), Finding> {
    let pipe = Pipe::new();
    let call = host.act(&SEND_COMMAND, Command(probes::text())).giving(pipe.ends());
    let Pipe { read_end, write_end } = pipe;
    drop(write_end);
    let seen = call.failing(nth, &[WRITE], Errno::EINTR).make()?;
    // It is short: the pipe holds it.
    fcntl(&read_end, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).expect("a pipe can do that");
    let mut message = Vec::new();
    let end_was_seen = File::from(read_end).read_to_end(&mut message).is_ok();
    let (ended, ends, ignores_sigpipe) = (Ok(seen.returned), Ends::NONE, true);
    Ok((seen.failed, Sent { ended, ends, ignores_sigpipe, end_was_seen, message }))
}

/// Whether a process ignores SIGPIPE, as far as it is still there.
fn ignores_sigpipe(place: &Place) -> bool {
    let process = Process::look(place.proc, place.pid.as_raw());
    process.is_none_or(|it| it.signals("SigIgn") & (1 << (Signal::SIGPIPE as u32 - 1)) != 0)
}

/// The same with a pipe that was never anybody else's: a short command is written
/// before the grader could have let go of it.
pub fn send_at_once_to_nobody(host: &Host, command: Vec<OsString>) -> Sent {
    let ended = host.act(&SEND_TO_NOBODY, Command(command)).make().map(|seen| seen.returned);
    let (ends, ignores_sigpipe) = (Ends::NONE, true);
    Sent { ended, ends, ignores_sigpipe, end_was_seen: false, message: Vec::new() }
}

/// Hands a message on in three pieces, each when the receiver waits for it, with
/// a signal before the second.
pub fn receive_in_pieces(host: &Host, command: Vec<OsString>, message: &[u8]) -> Exchange {
    let pipe = Pipe::new();
    let name = pipe.name();
    let mut receiver = host.act(&RECEIVE_COMMAND, ()).giving(pipe.ends()).start();
    let mut writer = File::from(pipe.write_end);
    let (first, rest) = message.split_at(message.len().min(1));
    let (second, third) = rest.split_at(rest.len() / 2);
    // A receiver that has ended reads no more, and need not.
    let _ = writer.write_all(first);
    interrupt(host, &mut receiver);
    let _ = writer.write_all(second);
    host.wait_until_asleep(&mut receiver);
    let _ = writer.write_all(third);
    drop(writer);
    let [received] = host.wait_for([&mut receiver], || ());
    let receiver_ends = Ends::held_at(&host.place(&receiver), &name);
    host.end_all([receiver]);
    Exchange {
        command,
        sent: Ok(Ok(())),
        received: output(received, RECEIVE_COMMAND.function),
        sender_ends: Ends::NONE,
        receiver_ends,
    }
}

/// Hands on a message and its end.
pub fn receive_to_the_end(host: &Host, command: Vec<OsString>, message: &[u8]) -> Exchange {
    let pipe = Pipe::new();
    let name = pipe.name();
    let mut receiver = host.act(&RECEIVE_COMMAND, ()).giving(pipe.ends()).start();
    // A receiver that has ended reads no more, and need not.
    let _ = File::from(pipe.write_end).write_all(message);
    let [received] = host.wait_for([&mut receiver], || ());
    let receiver_ends = Ends::held_at(&host.place(&receiver), &name);
    host.end_all([receiver]);
    let received = output(received, RECEIVE_COMMAND.function);
    Exchange { command, sent: Ok(Ok(())), received, sender_ends: Ends::NONE, receiver_ends }
}

/// Waits until a process is asleep in a call, interrupts that, and waits until it
/// is asleep again: what the call waits for must not come at the same time.
pub fn interrupt(host: &Host, answering: &mut Answering) {
    host.wait_until_asleep(answering);
    let _ = kill(answering.pid, Signal::SIGWINCH);
    host.wait_until_asleep(answering);
}

/// A short command, its message, and what was made of some of its beginnings.
#[derive(Debug)]
pub struct Taken {
    pub command: Vec<OsString>,
    pub message: Vec<u8>,
    /// Lengths, and what was received of a message of so many bytes.
    pub received: Vec<(usize, Received)>,
}

/// Sends short commands, and receives the beginnings of their messages whose
/// `lengths` are asked for. Those that were not sent are left out.
///
/// # Errors
/// An act did not come to its end.
pub fn take(
    host: &Host,
    commands: &[Vec<OsString>],
    lengths: impl Fn(usize) -> Vec<usize>,
) -> Result<Vec<Taken>, Finding> {
    let asked = commands.iter().cloned().map(Command).collect();
    let messages = host.act(&SEND_EACH, asked).make()?.returned;
    let sent = commands.iter().zip(messages);
    let (commands, asked): (Vec<_>, Vec<_>) = sent
        .filter_map(|(command, message)| {
            let message = message.ok()?;
            let lengths = lengths(message.len());
            Some((command, (message, lengths)))
        })
        .unzip();
    let received = host.act(&RECEIVE_EACH, asked.clone()).make()?.returned;
    let all = commands.into_iter().zip(asked).zip(received);
    Ok(all
        .map(|((command, (message, lengths)), received)| Taken {
            command: command.clone(),
            message,
            received: lengths.into_iter().zip(received).collect(),
        })
        .collect())
}

impl Exchange {
    /// What came of a message that lay ready in the pipe.
    pub fn ready(command: Vec<OsString>, received: Received) -> Exchange {
        Exchange {
            command,
            sent: Ok(Ok(())),
            received: Ok(received),
            sender_ends: Ends::NONE,
            receiver_ends: Ends::NONE,
        }
    }

    /// Whether the command has arrived as it was sent.
    pub fn is_exact(&self) -> bool {
        self.arrived() == Some(&self.command) && matches!(self.sent, Ok(Ok(())))
    }

    /// What has arrived, if something has.
    pub fn arrived(&self) -> Option<&[OsString]> {
        match &self.received {
            Ok(Ok(Command(arguments))) => Some(arguments),
            _ => None,
        }
    }

    /// Whether it is what was sent, and an empty argument behind it.
    pub fn has_one_empty_more(&self) -> bool {
        let last = self.arrived().and_then(|arrived| arrived.split_last());
        last.is_some_and(|(last, rest)| last.is_empty() && rest == self.command)
    }

    /// An error where there was no reason for one. That nobody reads any more is
    /// the reader's doing.
    pub fn failure(&self) -> Option<(&'static str, &Failure)> {
        match (&self.sent, &self.received) {
            (Ok(Err(failure)), _) if failure.errno != Some(Errno::EPIPE as i32) => {
                Some((SEND_COMMAND.function, failure))
            }
            (_, Ok(Err(failure))) => Some((RECEIVE_COMMAND.function, failure)),
            _ => None,
        }
    }

    /// What ended one of the functions before it returned.
    pub fn death(&self) -> Option<&Finding> {
        let ended = [self.received.as_ref().err(), self.sent.as_ref().err()];
        ended.into_iter().flatten().find(|finding| finding.code != HUNG)
    }

    /// The function that waits for something that cannot come.
    pub fn asleep(&self) -> Option<&Finding> {
        self.received.as_ref().err().or(self.sent.as_ref().err())
    }

    /// What is not as it was sent.
    pub fn evidence(&self) -> Vec<Evidence> {
        let [received, sent] = [self.received.as_ref().err(), self.sent.as_ref().err()];
        let functions = [RECEIVE_COMMAND.function, SEND_COMMAND.function];
        for (function, finding) in functions.into_iter().zip([received, sent]) {
            if let Some(finding) = finding {
                return vec![Evidence::differs(function, "Ok", in_words(finding))];
            }
        }
        if let Some((function, failure)) = self.failure() {
            return vec![Evidence::differs(function, "Ok", failure)];
        }
        let (sent, seen) = (&self.command, self.arrived().unwrap_or_default());
        let mut all = vec![Evidence::differs("number of arguments", sent.len(), seen.len())];
        let differing = (0..sent.len().max(seen.len())).find(|at| sent.get(*at) != seen.get(*at));
        all.extend(differing.map(|at| {
            Evidence::differs(format!("argument {at}"), show(sent.get(at)), show(seen.get(at)))
        }));
        all
    }

    /// The ends that somebody should not have open.
    pub fn open_ends(&self) -> Vec<Evidence> {
        let open = |whose, expected, ends| {
            Evidence::differs(format!("/proc/PID/fd of the {whose}, of the pipe"), expected, ends)
        };
        let sender = if self.sent.is_err() { Ends::WRITE } else { Ends::NONE };
        let receiver = if self.received.is_err() { Ends::READ } else { Ends::NONE };
        vec![
            open("sender", sender, self.sender_ends),
            open("receiver", receiver, self.receiver_ends),
        ]
    }
}

/// How a function has ended that did not return.
pub fn in_words(finding: &Finding) -> &'static str {
    match finding.code.as_str() {
        HUNG => "does not return",
        "answer/exited" | "answer/killed-by-signal" => "its process ends",
        _ => "panic!",
    }
}

fn show(argument: Option<&OsString>) -> String {
    match argument {
        None => "-".into(),
        Some(argument) if argument.len() > BYTES_SHOWN => {
            let beginning = OsStr::from_bytes(&argument.as_bytes()[..BYTES_SHOWN]);
            format!("{beginning:?}…, {} bytes", argument.len())
        }
        Some(argument) => format!("{argument:?}"),
    }
}
