//! receive_command: what arrives of a command, and what of half a command.

use std::ffi::OsString;
use std::fs::File;
use std::io::Write;

use labkit::describe::{Failure, result};
use labkit::host::Host;
use labkit::verdict::{Evidence, Finding, require};
use nix::sched::CloneFlags;
use serde::{Deserialize, Serialize};

use crate::exchange::{Arrived, Exchange, FUNCTION};
use crate::peer::{Ended, Peer, call, wait_for};
use crate::pipe::{Ends, Pipe};
use crate::sending::{interrupt, listen_to_signals, send};
use crate::{Answers, UNFORESEEN, after, diagnosis, probes, sending};

/// All that is known of how commands arrive.
#[derive(Serialize, Deserialize)]
pub struct Facts {
    pub text: Exchange,
    /// How long the message is that the text was written down as.
    pub message: usize,
    pub bytes: Exchange,
    pub empty_arguments: Exchange,
    pub long: Exchange,
    pub many: Exchange,
    /// The text, when its message comes in three pieces, with a signal between.
    pub pieces: Ended<Result<Arrived, Failure>>,
    /// What was made of the first so many bytes of the text's message, where that
    /// was no error.
    cut_off: Ended<Vec<CutOff>>,
    #[serde(skip)]
    printed: String,
}

/// How long the message was, and how the function has ended.
type CutOff = (usize, Ended<Vec<OsString>>);

/// Sends all the probes; if the first does not get through, that is all.
fn observe(answers: &Answers, host: &Host) -> Result<Facts, Finding> {
    let exchange = |command: &[OsString]| Exchange::of(answers, host, command);
    let seen = host.call(FUNCTION, CloneFlags::empty(), || {
        let text = exchange(&probes::text());
        if let Some(finding) = text.stuck() {
            return Err(finding);
        }
        let message = send(answers, host, &probes::text(), |_| ()).message;
        Ok(Facts {
            text,
            message: message.len(),
            bytes: exchange(&probes::bytes()),
            empty_arguments: exchange(&probes::empty_arguments()),
            pieces: receive_in_pieces(answers, host, &message),
            cut_off: receive_cut_off(answers, host, &message),
            long: exchange(&probes::long()),
            many: exchange(&probes::many()),
            printed: String::new(),
        })
    })?;
    let facts = seen.returned.map_err(|finding| after(&seen.printed, finding))?;
    Ok(Facts { printed: seen.printed, ..facts })
}

/// Hands a message on in three pieces, each when the receiver waits for it, with
/// a signal before the second.
fn receive_in_pieces(
    answers: &Answers,
    host: &Host,
    message: &[u8],
) -> Ended<Result<Arrived, Failure>> {
    let mut pipe = Pipe::new();
    let mut receiver = Peer::start(host.path("receiver"), || {
        let (read_end, write_end) = pipe.take();
        listen_to_signals();
        let arrived = (answers.receive_command)(read_end, write_end)?;
        Ok::<_, Failure>(Arrived::new(&arrived, &probes::text()))
    });
    let (_, write_end) = pipe.take();
    let mut writer = File::from(write_end);
    let (first, rest) = message.split_at(message.len().min(1));
    let (second, third) = rest.split_at(rest.len() / 2);
    // A receiver that has ended reads no more: that is its own affair.
    let _ = writer.write_all(first);
    interrupt(&mut receiver);
    let _ = writer.write_all(second);
    receiver.wait_until_asleep();
    let _ = writer.write_all(third);
    drop(writer);
    wait_for(&mut [&mut receiver], || ());
    receiver.ended()
}

/// Hands on the beginnings of a message, as a sender leaves them who is killed.
fn receive_cut_off(answers: &Answers, host: &Host, message: &[u8]) -> Ended<Vec<CutOff>> {
    let mut receiver = Peer::start(host.path("receiver"), || {
        let mut accepted = Vec::new();
        for length in (0..message.len()).step_by(1 + message.len() / MOST_CUTS) {
            let (read_end, write_end) = Pipe::new().take();
            nix::unistd::write(&write_end, &message[..length]).expect("a pipe holds that much");
            match call(|| (answers.receive_command)(read_end, write_end)) {
                Ended::Returned(Err(_)) => {}
                Ended::Returned(Ok(command)) => accepted.push((length, Ended::Returned(command))),
                Ended::Panicked { words, place } => {
                    accepted.push((length, Ended::Panicked { words, place }));
                }
                Ended::Exited(_) | Ended::Signaled(_) | Ended::Asleep => {
                    unreachable!("then this process has ended, too")
                }
            }
        }
        accepted
    });
    wait_for(&mut [&mut receiver], || ());
    receiver.ended()
}

/// At how many places a message is cut off.
const MOST_CUTS: usize = 200;

impl Facts {
    fn require(
        &self,
        kept: bool,
        evidence: impl FnOnce() -> Vec<Evidence>,
        why: impl FnOnce() -> Option<Finding>,
    ) -> Result<(), Finding> {
        require(kept, evidence, why, UNFORESEEN).map_err(|finding| after(&self.printed, finding))
    }

    /// The promise that a command arrives.
    fn require_exact(&self, exchange: &Exchange, sent: &[OsString]) -> Result<(), Finding> {
        let why = || diagnosis::of_exchange(self, exchange, sent);
        self.require(exchange.is_exact(), || exchange.evidence(), why)
    }

    /// The promise that messages of these lengths are no command.
    fn require_refused(&self, is_asked: impl Fn(usize) -> bool) -> Result<(), Finding> {
        if self.message == 0 {
            return Err(diagnosis::did_nothing(sending::FUNCTION));
        }
        let what = |length| format!("{FUNCTION}, after {length} of {} bytes", self.message);
        let not_refused = match &self.cut_off {
            Ended::Returned(all) => all.iter().find(|(length, _)| is_asked(*length)),
            unfinished => {
                let what = format!("{FUNCTION}, after a part of {} bytes", self.message);
                let evidence = || {
                    let seen = unfinished.in_words().unwrap_or_default();
                    vec![Evidence::differs(what, "Err", seen)]
                };
                return self.require(false, evidence, || unfinished.returned(FUNCTION).err());
            }
        };
        let Some((length, ended)) = not_refused else { return Ok(()) };
        let evidence = || {
            let seen = match ended {
                Ended::Returned(command) => format!("Ok({command:?})"),
                unfinished => unfinished.in_words().unwrap_or_default().to_owned(),
            };
            vec![Evidence::differs(what(length), "Err", seen)]
        };
        self.require(false, evidence, || diagnosis::of_cut_off(self, *length, ended))
    }
}

pub fn text(answers: &Answers, host: &Host) -> Result<(), Finding> {
    let facts = observe(answers, host)?;
    facts.require_exact(&facts.text, &probes::text())
}

pub fn bytes(answers: &Answers, host: &Host) -> Result<(), Finding> {
    let facts = observe(answers, host)?;
    facts.require_exact(&facts.bytes, &probes::bytes())
}

pub fn empty_arguments(answers: &Answers, host: &Host) -> Result<(), Finding> {
    let facts = observe(answers, host)?;
    facts.require_exact(&facts.empty_arguments, &probes::empty_arguments())
}

pub fn large(answers: &Answers, host: &Host) -> Result<(), Finding> {
    let facts = observe(answers, host)?;
    for exchange in [&facts.long, &facts.many] {
        let evidence = || exchange.evidence();
        facts.require(exchange.is_exact(), evidence, || diagnosis::of_large(&facts))?;
    }
    Ok(())
}

pub fn pieces(answers: &Answers, host: &Host) -> Result<(), Finding> {
    let facts = observe(answers, host)?;
    let kept = matches!(&facts.pieces, Ended::Returned(Ok(arrived)) if arrived.is_exact());
    let evidence = || {
        let seen = match &facts.pieces {
            Ended::Returned(returned) => match returned {
                Ok(arrived) => format!("{:?}", arrived.arguments),
                Err(_) => result(returned),
            },
            unfinished => unfinished.in_words().unwrap_or_default().to_owned(),
        };
        let what = format!("receive_command, 1 of {} bytes, then the others", facts.message);
        vec![Evidence::differs(what, format!("{:?}", probes::text()), seen)]
    };
    let why = || match facts.message {
        0 => Some(diagnosis::did_nothing(sending::FUNCTION)),
        _ => diagnosis::of_pieces(&facts),
    };
    facts.require(kept, evidence, why)
}

pub fn pipe_is_closed(answers: &Answers, host: &Host) -> Result<(), Finding> {
    let facts = observe(answers, host)?;
    let ends = facts.text.receiver_ends;
    let evidence = || {
        let what = "/proc/PID/fd after receive_command, of the pipe";
        vec![Evidence::differs(what, Ends::NONE, ends)]
    };
    facts.require(ends == Ends::NONE, evidence, || facts.text.stuck())
}

pub fn half(answers: &Answers, host: &Host) -> Result<(), Finding> {
    observe(answers, host)?.require_refused(|length| length > 0)
}

pub fn nothing(answers: &Answers, host: &Host) -> Result<(), Finding> {
    observe(answers, host)?.require_refused(|length| length == 0)
}
