//! From how commands arrive to what was done with them.
//!
//! A promise asks about its own facts: what breaks another one is no answer here,
//! unless it shows here too.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

use labkit::describe::Failure;
use labkit::verdict::Finding;
use nix::errno::Errno;

use crate::exchange::{Arrived, Exchange, FUNCTION};
use crate::peer::Ended;
use crate::receiving::Facts;
use crate::{found, probes, sending};

/// Why a command does not arrive as it was sent: the first rule that fits.
pub fn of_exchange(facts: &Facts, own: &Exchange, sent: &[OsString]) -> Option<Finding> {
    // 1. What does not come to its end.
    if let Some(finding) = own.stuck() {
        return Some(finding);
    }
    // 2. What does not even work with simple commands.
    if facts.message == 0 {
        return Some(did_nothing(sending::FUNCTION));
    }
    if let Some(finding) = own.arrived().and_then(|arrived| of_arguments(facts, arrived, sent)) {
        return Some(finding);
    }
    // 3. What an argument may be.
    let lossy = |argument: &OsString| OsString::from(argument.to_string_lossy().into_owned());
    let all_lossy: Vec<OsString> = sent.iter().map(lossy).collect();
    if all_lossy != sent && own.arrived().is_some_and(|it| it.arguments == all_lossy) {
        return Some(found("lossy-utf8").word("function", FUNCTION));
    }
    if all_lossy != sent && facts.text.is_exact() && own.arrived().is_none() {
        return Some(found("only-utf8"));
    }
    let mut without_empty = sent.to_vec();
    without_empty.retain(|argument| !argument.is_empty());
    if without_empty != sent && own.arrived().is_some_and(|it| it.arguments == without_empty) {
        return Some(found("empty-argument-dropped"));
    }
    own.failure().map(|(name, failure)| returned_error(name, failure))
}

/// What was done to the arguments of any command.
fn of_arguments(facts: &Facts, arrived: &Arrived, sent: &[OsString]) -> Option<Finding> {
    if arrived.arguments.is_empty() {
        return Some(did_nothing(FUNCTION));
    }
    if let Some(separator) = separator(facts)
        && arrived.arguments != sent
        && is_split_at(separator, &arrived.arguments, sent)
    {
        return Some(match separator {
            b' ' => found("joined-with-blanks"),
            other => found("joined-with-a-character").word("character", other.escape_ascii()),
        });
    }
    arrived.has_one_empty_more().then(|| found("empty-argument-added"))
}

/// Why large commands do not arrive.
pub fn of_large(facts: &Facts) -> Option<Finding> {
    if facts.message == 0 {
        return Some(did_nothing(sending::FUNCTION));
    }
    let own = [&facts.long, &facts.many];
    if let Some(finding) = own.iter().find_map(|exchange| exchange.stuck()) {
        return Some(finding);
    }
    let sent = [probes::long(), probes::many()];
    let arguments = own.iter().zip(&sent).find_map(|(exchange, sent)| {
        let arrived = exchange.arrived().filter(|arrived| !arrived.is_exact())?;
        of_arguments(facts, arrived, sent)
    });
    if arguments.is_some() {
        return arguments;
    }
    let mut failures = own.into_iter().filter_map(Exchange::failure);
    if let Some((name, failure)) = failures.find(|(_, failure)| failure.errno.is_some()) {
        return Some(returned_error(name, failure));
    }
    // What is wrong with short ones too is not their size.
    if !facts.text.is_exact() && separator(facts).is_none() {
        return None;
    }
    let reads_once = of_pieces(facts).filter(|finding| finding.code == "pipe-env/read-once");
    reads_once.or_else(|| {
        let both = own.iter().all(|exchange| !exchange.is_exact());
        Some(found(if both { "fixed-size-buffer" } else { "length-too-small" }))
    })
}

/// Why the rest of a message is not waited for.
pub fn of_pieces(facts: &Facts) -> Option<Finding> {
    match &facts.pieces {
        Ended::Returned(Ok(arrived)) if arrived.is_exact() => None,
        Ended::Returned(Ok(arrived)) => {
            let at_once = facts.text.arrived();
            if at_once.is_some_and(|it| it.arguments == arrived.arguments) {
                // It does not matter that it came in pieces.
                return of_arguments(facts, arrived, &probes::text());
            }
            Some(found("read-once"))
        }
        Ended::Returned(Err(failure)) if failure.errno == Some(Errno::EINTR as i32) => {
            Some(found("interrupted-call").word("function", FUNCTION))
        }
        Ended::Returned(Err(failure)) if failure.errno.is_some() || !facts.text.is_exact() => {
            Some(returned_error(FUNCTION, failure))
        }
        Ended::Returned(Err(_)) => Some(found("read-once")),
        unfinished => unfinished.returned(FUNCTION).err(),
    }
}

/// Why a message of this length, which is not whole, is taken for a command.
pub fn of_cut_off(facts: &Facts, length: usize, ended: &Ended<Vec<OsString>>) -> Option<Finding> {
    match ended {
        Ended::Returned(_) if facts.text.arrived().is_some_and(|it| it.arguments.is_empty()) => {
            Some(did_nothing(FUNCTION))
        }
        Ended::Returned(_) if length == 0 => Some(found("empty-pipe-accepted")),
        Ended::Returned(_) => {
            let finding = found("half-command-accepted");
            Some(finding.word("length", length).word("whole", facts.message))
        }
        unfinished => unfinished.returned(FUNCTION).err(),
    }
}

/// The byte at which the arguments of the simpler commands were split again, if
/// they were.
fn separator(facts: &Facts) -> Option<u8> {
    let probes = [(&facts.text, probes::text()), (&facts.bytes, probes::bytes())];
    probes.iter().find_map(|(exchange, sent)| {
        let arrived = exchange.arrived().filter(|arrived| !arrived.is_exact())?;
        let blank_first = [b' '].into_iter().chain(1..=u8::MAX);
        blank_first.into_iter().find(|byte| is_split_at(*byte, &arrived.arguments, sent))
    })
}

/// Whether that is what comes of joining with this byte and splitting; at blanks
/// as a shell does, too.
fn is_split_at(separator: u8, seen: &[OsString], sent: &[OsString]) -> bool {
    let seen: Vec<&[u8]> = seen.iter().map(|it| it.as_bytes()).collect();
    let joined = sent.join(OsStr::from_bytes(&[separator]));
    let bytes = joined.as_bytes();
    let words = || bytes.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    seen == bytes.split(|it| *it == separator).collect::<Vec<_>>()
        || separator == b' ' && seen == words().collect::<Vec<_>>()
}

pub fn did_nothing(function: &str) -> Finding {
    Finding::new("answer/did-nothing").word("function", function)
}

fn returned_error(function: &str, failure: &Failure) -> Finding {
    Finding::new("answer/returned-error").word("function", function).word("error", failure)
}
