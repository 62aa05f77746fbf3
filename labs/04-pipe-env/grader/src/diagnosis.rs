//! From how commands arrive to what was done with them.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

use labkit::describe::Failure;
use labkit::verdict::Finding;
use nix::errno::Errno;

use crate::exchange::{Exchange, FUNCTION};
use crate::peer::Ended;
use crate::receiving::Facts;
use crate::{found, probes, sending};

/// The first rule that fits: what comes early would make the later ones fit too.
pub fn diagnose(facts: &Facts) -> Option<Finding> {
    let did_nothing = |name: &str| Finding::new("answer/did-nothing").word("function", name);
    let exchanges = [&facts.text, &facts.bytes, &facts.empty_arguments, &facts.long, &facts.many];

    // 1. What does not come to its end.
    if let Some(finding) = exchanges.iter().find_map(|exchange| exchange.stuck()) {
        return Some(finding);
    }
    let unfinished = facts.pieces.returned(FUNCTION).err();
    if let Some(finding) = unfinished.or(facts.cut_off.returned(FUNCTION).err()) {
        return Some(finding);
    }
    // 2. What does not even work with simple commands.
    if facts.message == 0 {
        return Some(did_nothing(sending::FUNCTION));
    }
    if facts.text.arrived().is_some_and(|arrived| arrived.arguments.is_empty()) {
        return Some(did_nothing(FUNCTION));
    }
    // 3. How the arguments are kept apart.
    if let Some(separator) = separator(facts) {
        return Some(match separator {
            b' ' => found("joined-with-blanks"),
            other => found("joined-with-a-character").word("character", other.escape_ascii()),
        });
    }
    if let Some((name, failure)) = facts.text.failure() {
        return Some(returned_error(name, failure));
    }
    // 4. What an argument may be.
    let mut with_another = probes::text();
    with_another.push(OsString::new());
    if facts.text.arrived().is_some_and(|arrived| arrived.arguments == with_another) {
        return Some(found("empty-argument-added"));
    }
    let lossy = |argument: &OsString| OsString::from(argument.to_string_lossy().into_owned());
    let all_lossy: Vec<OsString> = probes::bytes().iter().map(lossy).collect();
    if facts.bytes.arrived().is_some_and(|arrived| arrived.arguments == all_lossy) {
        return Some(found("lossy-utf8").word("function", FUNCTION));
    }
    if facts.text.is_exact() && facts.bytes.arrived().is_none() {
        return Some(found("only-utf8"));
    }
    let mut without_empty = probes::empty_arguments();
    without_empty.retain(|argument| !argument.is_empty());
    if facts.empty_arguments.arrived().is_some_and(|it| it.arguments == without_empty) {
        return Some(found("empty-argument-dropped"));
    }
    // 5. How much there may be, and when; if that is all that is wrong.
    if ![&facts.text, &facts.bytes, &facts.empty_arguments].iter().all(|it| it.is_exact()) {
        return None;
    }
    match &facts.pieces {
        Ended::Returned(Ok(arrived)) if arrived.is_exact() => {}
        Ended::Returned(Err(failure)) if failure.errno == Some(Errno::EINTR as i32) => {
            return Some(found("interrupted-call").word("function", FUNCTION));
        }
        Ended::Returned(Err(failure)) if failure.errno.is_some() => {
            return Some(returned_error(FUNCTION, failure));
        }
        _ => return Some(found("read-once")),
    }
    let failures = [&facts.long, &facts.many].into_iter().filter_map(Exchange::failure);
    if let Some((name, failure)) = failures.into_iter().find(|(_, it)| it.errno.is_some()) {
        return Some(returned_error(name, failure));
    }
    match (facts.long.is_exact(), facts.many.is_exact()) {
        (true, true) => {}
        (false, false) => return Some(found("fixed-size-buffer")),
        _ => return Some(found("length-too-small")),
    }
    // 6. What is no command.
    if let Some((length, _)) = facts.accepted(|length| length > 0) {
        let finding = found("half-command-accepted");
        return Some(finding.word("length", length).word("whole", facts.message));
    }
    facts.accepted(|length| length == 0).map(|_| found("empty-pipe-accepted"))
}

/// The byte at which the arguments were split again, if they were.
fn separator(facts: &Facts) -> Option<u8> {
    let probes = [(&facts.text, probes::text()), (&facts.bytes, probes::bytes())];
    probes.iter().find_map(|(exchange, sent)| {
        let arrived = exchange.arrived().filter(|arrived| !arrived.is_exact())?;
        let seen: Vec<&[u8]> = arrived.arguments.iter().map(|it| it.as_bytes()).collect();
        let joined = sent.join(OsStr::new(" "));
        let words = joined.as_bytes().split(u8::is_ascii_whitespace);
        if seen == words.filter(|word| !word.is_empty()).collect::<Vec<_>>() {
            return Some(b' ');
        }
        (1..=u8::MAX).find(|byte| {
            let joined = sent.join(OsStr::from_bytes(&[*byte]));
            seen == joined.as_bytes().split(|it| it == byte).collect::<Vec<_>>()
        })
    })
}

fn returned_error(function: &str, failure: &Failure) -> Finding {
    Finding::new("answer/returned-error").word("function", function).word("error", failure)
}
