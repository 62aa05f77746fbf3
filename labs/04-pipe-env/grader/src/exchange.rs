//! send_command and receive_command, each in a process of its own, with a pipe
//! between them.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

use labkit::describe::Failure;
use labkit::host::Host;
use labkit::verdict::{Evidence, Finding};
use nix::errno::Errno;
use serde::{Deserialize, Serialize};

use crate::peer::{Ended, Peer, wait_for};
use crate::pipe::{Ends, Pipe};
use crate::{Answers, found, sending};

pub const FUNCTION: &str = "receive_command";

/// How many arguments of an arrived command are kept, and how much of each.
const ARGUMENTS_KEPT: usize = 300;
const BYTES_KEPT: usize = 60;

/// What receive_command has made of a command.
#[derive(Debug, Serialize, Deserialize)]
pub struct Arrived {
    /// How many arguments were sent, and how many have arrived.
    counts: (usize, usize),
    /// The first of them, if they are long only their beginnings.
    pub arguments: Vec<OsString>,
    /// The first that is not as it was sent: its place, what was sent, what has
    /// arrived.
    difference: Option<(usize, String, String)>,
}

impl Arrived {
    pub fn new(arguments: &[OsString], sent: &[OsString]) -> Arrived {
        let all = 0..sent.len().max(arguments.len());
        let differing = all.into_iter().find(|&index| sent.get(index) != arguments.get(index));
        Arrived {
            counts: (sent.len(), arguments.len()),
            arguments: arguments.iter().take(ARGUMENTS_KEPT).map(beginning).collect(),
            difference: differing
                .map(|index| (index, show(sent.get(index)), show(arguments.get(index)))),
        }
    }

    /// Whether it is what was sent, and an empty argument behind it.
    pub fn has_one_empty_more(&self) -> bool {
        let (sent, seen) = self.counts;
        let is_last = |(index, _, last): &(usize, String, String)| *index == sent && last == "\"\"";
        seen == sent + 1 && self.difference.as_ref().is_some_and(is_last)
    }

    /// Whether it is the command that was sent.
    pub fn is_exact(&self) -> bool {
        self.difference.is_none()
    }
}

/// The first bytes of an argument.
fn beginning(argument: &OsString) -> OsString {
    let bytes = argument.as_bytes();
    OsStr::from_bytes(&bytes[..bytes.len().min(BYTES_KEPT)]).to_owned()
}

fn show(argument: Option<&OsString>) -> String {
    match argument {
        None => "-".into(),
        Some(argument) if argument.len() > BYTES_KEPT => {
            format!("{:?}…, {} bytes", beginning(argument), argument.len())
        }
        Some(argument) => format!("{argument:?}"),
    }
}

/// One command on its way.
#[derive(Serialize, Deserialize)]
pub struct Exchange {
    pub sent: Ended<Result<(), Failure>>,
    pub received: Ended<Result<Arrived, Failure>>,
    sender_ends: Ends,
    pub receiver_ends: Ends,
}

impl Exchange {
    /// Sends a command and receives it.
    pub fn of(answers: &Answers, host: &Host, command: &[OsString]) -> Exchange {
        let mut pipe = Pipe::new();
        let id = pipe.id();
        let mut sender = Peer::start(host.path("sender"), || {
            let (read_end, write_end) = pipe.take();
            (answers.send_command)(read_end, write_end, command).map_err(Failure::from)
        });
        let mut receiver = Peer::start(host.path("receiver"), || {
            let (read_end, write_end) = pipe.take();
            let arrived = (answers.receive_command)(read_end, write_end)?;
            Ok::<_, Failure>(Arrived::new(&arrived, command))
        });
        drop(pipe);
        wait_for(&mut [&mut sender, &mut receiver], || ());
        Exchange {
            sent: sender.ended(),
            received: receiver.ended(),
            sender_ends: Ends::held_by(sender.pid, id),
            receiver_ends: Ends::held_by(receiver.pid, id),
        }
    }

    /// Whether the command has arrived as it was sent.
    pub fn is_exact(&self) -> bool {
        matches!(&self.received, Ended::Returned(Ok(arrived)) if arrived.is_exact())
            && matches!(self.sent, Ended::Returned(Ok(())))
    }

    /// What has arrived, if something has.
    pub fn arrived(&self) -> Option<&Arrived> {
        match &self.received {
            Ended::Returned(Ok(arrived)) => Some(arrived),
            _ => None,
        }
    }

    /// An error where there was no reason for one. That nobody reads any more is
    /// the reader's doing.
    pub fn failure(&self) -> Option<(&'static str, &Failure)> {
        match (&self.sent, &self.received) {
            (Ended::Returned(Err(failure)), _) if failure.errno != Some(Errno::EPIPE as i32) => {
                Some((sending::FUNCTION, failure))
            }
            (_, Ended::Returned(Err(failure))) => Some((FUNCTION, failure)),
            _ => None,
        }
    }

    /// Why it has not come to its end, or has left the pipe open.
    pub fn stuck(&self) -> Option<Finding> {
        let open = |code: &str, whose: &str, useful: Ends, ends: Ends| {
            let what = format!("/proc/PID/fd of the {whose}, of the pipe");
            Some(found(code).with([Evidence::differs(what, useful, ends)]))
        };
        let sent = self.sent.returned(sending::FUNCTION).err();
        let received = self.received.returned(FUNCTION).err();
        let is_asleep = matches!(self.sent, Ended::Asleep);
        if received.is_some() && !matches!(self.received, Ended::Asleep) {
            return received;
        }
        if sent.is_some() && !is_asleep {
            return sent;
        }
        if self.sender_ends.write && !is_asleep {
            return open("write-end-open-in-parent", "sender", Ends::NONE, self.sender_ends);
        }
        if self.receiver_ends.write {
            let code = "write-end-open-in-container";
            return open(code, "receiver", Ends::READ, self.receiver_ends);
        }
        if self.sender_ends.read {
            return open("read-end-open-in-parent", "sender", Ends::WRITE, self.sender_ends);
        }
        received.or(sent)
    }

    /// What is not as it was sent.
    pub fn evidence(&self) -> Vec<Evidence> {
        for (function, ended) in
            [(FUNCTION, self.received.in_words()), (sending::FUNCTION, self.sent.in_words())]
        {
            if let Some(words) = ended {
                return vec![Evidence::differs(function, "Ok", words)];
            }
        }
        if let Some((function, failure)) = self.failure() {
            return vec![Evidence::differs(function, "Ok", failure)];
        }
        let Some(arrived) = self.arrived() else { return Vec::new() };
        let mut evidence = Vec::new();
        let (sent, seen) = arrived.counts;
        if sent != seen {
            evidence.push(Evidence::differs("number of arguments", sent, seen));
        }
        if let Some((index, expected, seen)) = &arrived.difference {
            evidence.push(Evidence::differs(format!("argument {index}"), expected, seen));
        }
        evidence
    }
}
