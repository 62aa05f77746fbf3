//! send_command, and the grader as the reader.

use labkit::describe::result;
use labkit::failing;
use labkit::frame::{Facts, Rule, Rules, Words, rule};
use labkit::host::Host;
use labkit::sys::can_decide_on_calls;
use labkit::verdict::{Evidence, Finding, HUNG};
use nix::errno::Errno;

use crate::LAB;
use crate::acts::SEND_COMMAND;
use crate::exchange::{
    Ended, Sent, in_words, interrupt, send, send_at_once_to_nobody, send_to_nobody,
    send_while_interrupted,
};
use crate::pipe::Ends;
use crate::probes;

const FUNCTION: &str = SEND_COMMAND.function;

/// What is known of send_command.
struct Sending {
    /// Nothing happens meanwhile.
    quiet: Sent,
    /// What the promise is about, where that is another call.
    disturbed: Option<Sent>,
}

impl Sending {
    /// A large command, sent to a reader that reads all of it.
    ///
    /// # Errors
    /// The function comes to no end even then.
    fn observe(host: &Host) -> Result<Sending, Finding> {
        let quiet = send(host, probes::large(), |_| ());
        match &quiet.ended {
            Err(finding) => Err(finding.clone()),
            Ok(_) => Ok(Sending { quiet, disturbed: None }),
        }
    }

    /// The call that the promise is about.
    fn own(&self) -> &Sent {
        self.disturbed.as_ref().unwrap_or(&self.quiet)
    }

    fn has_failed_with(&self, errno: Errno) -> bool {
        matches!(&self.own().ended, Ok(Err(failure)) if failure.errno == Some(errno as i32))
    }

    fn judge(
        &self,
        rules: &Rules<Sending>,
        kept: bool,
        evidence: Vec<Evidence>,
    ) -> Result<(), Finding> {
        match &self.own().ended {
            Err(death) if death.code != HUNG && !is_sigpipe(death) => {
                Err(death.clone().with(evidence))
            }
            _ => rules.judge(self, kept, || evidence),
        }
    }
}

/// Whether SIGPIPE ended it, which it had not ignored: nobody reads any more.
fn is_sigpipe(death: &Finding) -> bool {
    death.words.get("signal").is_some_and(|signal| signal == "SIGPIPE")
}

impl Facts for Sending {
    fn words(&self) -> Words {
        let mut words = vec![
            ("written", self.own().message.len().to_string()),
            ("whole", self.quiet.message.len().to_string()),
        ];
        match (&self.quiet.ended, &self.own().ended) {
            (Ok(Err(failure)), _) | (_, Ok(Err(failure))) => {
                words.push(("error", failure.to_string()));
            }
            (_, Err(death)) => {
                words.extend(death.words.get("seconds").map(|it| ("seconds", it.clone())));
            }
            _ => {}
        }
        words
    }
}

/// What is wrong already when nothing happens meanwhile.
const QUIET: &[Rule<Sending>] = &[
    rule("answer/returned-error", |it| matches!(it.quiet.ended, Ok(Err(_)))),
    rule("answer/did-nothing", |it| it.quiet.message.is_empty()),
];

const fn rules(tables: &'static [&'static [Rule<Sending>]]) -> Rules<Sending> {
    Rules { lab: LAB, function: FUNCTION, tables }
}

/// What is open afterwards.
static ENDS: Rules<Sending> = rules(&[
    QUIET,
    &[
        rule("write-end-open-in-parent", |it| it.quiet.ends.write),
        rule("read-end-open-in-parent", |it| it.quiet.ends.read),
        rule("left-open-by-an-error", |it| it.disturbed.is_some()),
    ],
]);

/// What the end of the reader does.
static ABANDONED: Rules<Sending> = rules(&[
    QUIET,
    &[
        rule("error-ignored", |it| matches!(it.own().ended, Ok(Ok(())))),
        rule("killed-by-sigpipe", |it| it.own().ended.as_ref().is_err_and(is_sigpipe)),
        rule("read-end-open-in-parent", |it| it.own().ended.is_err() && it.own().ends.read),
        rule(HUNG, |it| it.own().ended.is_err()),
    ],
]);

/// What the next pipe without a reader does.
static LATER: Rules<Sending> =
    rules(&[QUIET, &[rule("sigpipe-no-longer-ignored", |it| !it.own().ignores_sigpipe)]]);

/// What signals do.
static INTERRUPTED: Rules<Sending> = rules(&[
    QUIET,
    &[
        rule("interrupted-call", |it| it.has_failed_with(Errno::EINTR)),
        rule("answer/returned-error", |it| matches!(it.own().ended, Ok(Err(_)))),
        rule(HUNG, |it| it.own().ended.is_err()),
        rule("short-write", |it| it.own().message.len() < it.quiet.message.len()),
    ],
]);

pub fn pipe_is_closed(host: &Host) -> Result<(), Finding> {
    let facts = Sending::observe(host)?;
    let Sent { ended, ends, end_was_seen, message, .. } = &facts.quiet;
    let kept = *ended == Ok(Ok(())) && *ends == Ends::NONE && *end_was_seen && !message.is_empty();
    let mut evidence = Vec::new();
    if message.is_empty() {
        evidence.push(Evidence::differs("bytes that the reader got", "some", 0));
    }
    let what = "/proc/PID/fd after send_command, of the pipe";
    evidence.push(Evidence::differs(what, Ends::NONE, ends));
    facts.judge(&ENDS, kept, evidence)?;
    // An error leaves nothing open, either.
    let abandoned = send_to_nobody(host, probes::large());
    if abandoned.ends == Ends::NONE || !matches!(abandoned.ended, Ok(Err(_))) {
        return Ok(());
    }
    let what = "/proc/PID/fd after send_command, when the reader has ended, of the pipe";
    let evidence = vec![Evidence::differs(what, Ends::NONE, abandoned.ends)];
    Sending { disturbed: Some(abandoned), ..facts }.judge(&ENDS, false, evidence)
}

pub fn dead_reader(host: &Host) -> Result<(), Finding> {
    let large = send_to_nobody(host, probes::large());
    // A short one may wait in a buffer until the end.
    let short = send_at_once_to_nobody(host, probes::text());
    for abandoned in [&large, &short] {
        if matches!(abandoned.ended, Ok(Err(_))) {
            continue;
        }
        let facts = Sending { disturbed: Some(abandoned.clone()), ..Sending::observe(host)? };
        let Sent { ended, ends, .. } = facts.own();
        let what = "send_command, when the reader has ended";
        let mut evidence =
            vec![Evidence::differs(what, "EPIPE (Broken pipe)", returned_in_words(ended))];
        if ended.is_err() {
            let what = "/proc/PID/fd of the sender, of the pipe";
            evidence.push(Evidence::differs(what, Ends::WRITE, ends));
        }
        facts.judge(&ABANDONED, false, evidence)?;
    }
    let sent = send(host, probes::text(), |_| ());
    let Some(changed) = [large, sent].into_iter().find(|it| !it.ignores_sigpipe) else {
        return Ok(());
    };
    let facts = Sending { disturbed: Some(changed), ..Sending::observe(host)? };
    let evidence = Evidence::differs("SIGPIPE after send_command", "ignored", "not ignored");
    facts.judge(&LATER, false, vec![evidence])
}

pub fn signal(host: &Host) -> Result<(), Finding> {
    // A write that has written something returns how much; the next one, which has
    // not, returns EINTR.
    let interrupted = send(host, probes::large(), |sender| {
        interrupt(host, sender);
        interrupt(host, sender);
    });
    let facts = Sending { disturbed: Some(interrupted), ..Sending::observe(host)? };
    let (whole, written) = (facts.quiet.message.len(), facts.own().message.len());
    let kept = facts.own().ended == Ok(Ok(())) && whole == written && whole > 0;
    let what = "bytes written by send_command, interrupted by two signals";
    facts.judge(&INTERRUPTED, kept, vec![Evidence::differs(what, whole, written)])?;
    each_write_interrupted(host)
}

/// A signal may come at any moment: each write(2) in turn is interrupted before it has written
/// anything.
fn each_write_interrupted(host: &Host) -> Result<(), Finding> {
    // Otherwise every write(2) would be interrupted, for ever.
    if !can_decide_on_calls() {
        return Ok(());
    }
    let quiet = send(host, probes::text(), |_| ());
    let whole = quiet.message.len();
    failing::each(|nth| {
        let (failed, sent) = send_while_interrupted(host, nth)?;
        let Some(failed) = failed else { return Ok(false) };
        let written = sent.message.len();
        let kept = sent.ended == Ok(Ok(())) && whole == written;
        let what = format!("bytes written by send_command while {failed} fails with EINTR");
        let facts = Sending { quiet: quiet.clone(), disturbed: Some(sent) };
        facts.judge(&INTERRUPTED, kept, vec![Evidence::differs(what, whole, written)])?;
        Ok(true)
    })
}

fn returned_in_words(ended: &Ended<labkit::frame::Returned>) -> String {
    match ended {
        Ok(returned) => result(returned),
        Err(finding) => in_words(finding).to_owned(),
    }
}
