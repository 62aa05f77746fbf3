//! receive_command: what arrives of a command, and what of half a command.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::Write;
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use arbitrary::Unstructured;
use labkit::calls::Calls;
use labkit::describe::result;
use labkit::failing::{self, Failed};
use labkit::frame::{Facts, Rule, Rules, Words, rule};
use labkit::generated::{self, list, text as text_of};
use labkit::host::Host;
use labkit::sys::can_decide_on_calls;
use labkit::verdict::{Evidence, Finding, HUNG};
use nix::errno::Errno;

use crate::LAB;
use crate::acts::{Command, RECEIVE_COMMAND, SEND_COMMAND};
use crate::exchange::{
    Exchange, Taken, exchange, in_words, receive_in_pieces, receive_to_the_end, send, take,
};
use crate::pipe::{Ends, Pipe};
use crate::probes;

const FUNCTION: &str = RECEIVE_COMMAND.function;

/// All that is known of how commands arrive.
struct Arriving {
    /// What the promise is about.
    own: Exchange,
    /// How many bytes of the message lay in the pipe, where that is it.
    cut_at: Option<usize>,
    /// How the simplest command arrives, and how long its message is.
    text: Exchange,
    whole: usize,
    /// How others arrive, where the reason for a broken promise is looked for.
    bytes: Option<Exchange>,
    long: Option<Exchange>,
    many: Option<Exchange>,
    pieces: Option<Exchange>,
    in_total: Option<Exchange>,
    parts: Option<Exchange>,
    /// Whether read(2) has failed.
    read_failed: bool,
}

impl Arriving {
    /// What there is to know of `own`, which is not as it was promised.
    fn diagnose(host: &Host, own: Exchange) -> Arriving {
        let text = exchange(host, probes::text());
        let message = send(host, probes::text(), |_| ()).message;
        // An answer that hangs does so with all of them.
        let more = text.asleep().is_none();
        let try_one = |command: fn() -> Vec<OsString>| more.then(|| exchange(host, command()));
        Arriving {
            own,
            cut_at: None,
            whole: message.len(),
            bytes: try_one(probes::bytes),
            long: try_one(probes::long),
            many: try_one(probes::many),
            in_total: try_one(probes::in_total),
            parts: try_one(probes::parts_of_it),
            read_failed: false,
            pieces: more.then(|| receive_in_pieces(host, probes::text(), &message)),
            text,
        }
    }

    /// Whether what has arrived is this.
    fn is(&self, arguments: &[OsString]) -> bool {
        arguments != self.own.command && self.own.arrived() == Some(arguments)
    }

    fn as_text(&self) -> Vec<OsString> {
        self.own.command.iter().map(|it| it.to_string_lossy().into_owned().into()).collect()
    }

    fn without_empty(&self) -> Vec<OsString> {
        self.own.command.iter().filter(|argument| !argument.is_empty()).cloned().collect()
    }

    fn has_arrived(&self) -> bool {
        self.own.arrived().is_some()
    }

    fn is_empty(&self) -> bool {
        self.own.arrived().is_some_and(<[_]>::is_empty) && !self.own.command.is_empty()
    }

    fn has_failed(&self) -> bool {
        self.own.failure().is_some()
    }

    /// The byte at which the arguments of the simpler commands were split again, if
    /// they were.
    fn separator(&self) -> Option<u8> {
        let simpler = [Some(&self.text), self.bytes.as_ref()];
        simpler.into_iter().flatten().find_map(|exchange| {
            let arrived = exchange.arrived().filter(|_| !exchange.is_exact())?;
            let space_first = [b' '].into_iter().chain(1..=u8::MAX);
            space_first.into_iter().find(|byte| is_split_at(*byte, arrived, &exchange.command))
        })
    }

    /// Whether the promise's own arguments were split there.
    fn split_at(&self) -> Option<u8> {
        let arrived = self.own.arrived().filter(|arrived| *arrived != self.own.command)?;
        self.separator().filter(|byte| is_split_at(*byte, arrived, &self.own.command))
    }

    /// The byte that all arguments have in them that have arrived as others, and none of
    /// those that have arrived as they were; letters and digits last.
    fn changed_byte(&self) -> Option<u8> {
        let (sent, seen) = (&self.own.command, self.own.arrived()?);
        let pairs = || sent.iter().zip(seen);
        let differing: Vec<&[u8]> =
            pairs().filter(|(a, b)| a != b).map(|(sent, _)| sent.as_bytes()).collect();
        let exact = |byte: &u8| pairs().any(|(a, b)| a == b && a.as_bytes().contains(byte));
        let is_it = |byte: &u8| differing.iter().all(|it| it.contains(byte)) && !exact(byte);
        let is_changed = sent.len() == seen.len() && !differing.is_empty();
        let byte = (1..=u8::MAX).filter(is_it).min_by_key(u8::is_ascii_alphanumeric);
        byte.filter(|_| is_changed)
    }

    /// Whether a short command, too, is not read to its end.
    fn is_read_once(&self) -> bool {
        let pieces = self.pieces.as_ref().filter(|pieces| !pieces.is_exact());
        pieces.is_some_and(|pieces| match &pieces.received {
            Ok(Ok(Command(arrived))) => self.text.arrived() != Some(arrived),
            Ok(Err(failure)) => failure.errno.is_none() && self.text.is_exact(),
            Err(_) => false,
        })
    }

    /// What is wrong with short commands too is not their size.
    fn is_about_size(&self) -> bool {
        self.text.is_exact() || self.separator().is_some()
    }

    fn judge(self, rules: &Rules<Arriving>, evidence: Vec<Evidence>) -> Result<(), Finding> {
        if let Some(death) = self.own.death() {
            return Err(death.clone().with(evidence));
        }
        rules.judge(&self, false, || {
            let mut all = evidence;
            if self.own.asleep().is_some() {
                all.extend(self.own.open_ends());
            }
            all
        })
    }
}

/// Whether that is what comes of joining with this byte and splitting; at spaces
/// as a shell does, too.
fn is_split_at(separator: u8, seen: &[OsString], sent: &[OsString]) -> bool {
    let seen: Vec<&[u8]> = seen.iter().map(|it| it.as_bytes()).collect();
    let joined = sent.join(OsStr::from_bytes(&[separator]));
    let bytes = joined.as_bytes();
    let words = || bytes.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    seen == bytes.split(|it| *it == separator).collect::<Vec<_>>()
        || separator == b' ' && seen == words().collect::<Vec<_>>()
}

impl Facts for Arriving {
    fn words(&self) -> Words {
        let mut words = vec![("whole", self.whole.to_string())];
        words.extend(self.cut_at.map(|length| ("length", length.to_string())));
        words.extend(self.changed_byte().map(|byte| ("byte", byte.escape_ascii().to_string())));
        words.extend(self.separator().map(|byte| ("character", byte.escape_ascii().to_string())));
        if let Some((function, failure)) = self.own.failure() {
            words.extend([("function", function.to_owned()), ("error", failure.to_string())]);
        }
        if let Some(hung) = self.own.asleep() {
            let word = |name| hung.words.get(name).cloned().unwrap_or_default();
            words.extend([("function", word("function")), ("seconds", word("seconds"))]);
        }
        if self.whole == 0 {
            words.push(("function", SEND_COMMAND.function.to_owned()));
        }
        words
    }
}

/// What does not come to its end, and what does not even work with simple commands.
const GENERAL: &[Rule<Arriving>] = &[
    rule("write-end-open-in-parent", |it| it.own.sender_ends.write && it.own.sent.is_ok()),
    rule("write-end-open-in-container", |it| it.own.receiver_ends.write),
    rule("read-end-open-in-parent", |it| it.own.asleep().is_some() && it.own.sender_ends.read),
    rule(HUNG, |it| it.own.asleep().is_some()),
    rule("answer/did-nothing", |it| it.whole == 0),
];

/// What was done to the arguments of any command.
const ARGUMENTS: &[Rule<Arriving>] = &[
    rule("answer/did-nothing", Arriving::is_empty),
    rule("joined-with-blanks", |it| it.split_at() == Some(b' ')),
    rule("joined-with-a-character", |it| it.split_at().is_some()),
    rule("empty-argument-added", |it| it.own.has_one_empty_more()),
];

/// What an argument may be.
const BYTES: &[Rule<Arriving>] = &[
    rule("lossy-utf8", |it| it.is(&it.as_text())),
    rule("only-utf8", |it| {
        it.as_text() != it.own.command && it.text.is_exact() && !it.has_arrived()
    }),
    rule("empty-argument-dropped", |it| it.is(&it.without_empty())),
    rule("byte-with-a-meaning", |it| it.changed_byte().is_some()),
    rule("answer/returned-error", Arriving::has_failed),
];

/// How large a command may be.
const SIZE: &[Rule<Arriving>] = &[
    rule("answer/returned-error", |it| {
        it.own.failure().is_some_and(|(_, failure)| failure.errno.is_some())
    }),
    rule("read-once", |it| it.is_about_size() && it.is_read_once()),
    rule("fixed-size-buffer", |it| {
        let both = [&it.long, &it.many];
        it.is_about_size() && both.into_iter().flatten().all(|exchange| !exchange.is_exact())
    }),
    // Neither the length of an argument nor their number is too much: all of it is.
    rule("fixed-size-buffer", |it| {
        let is = |exchange: &Option<Exchange>, exact| {
            exchange.as_ref().is_some_and(|it| it.is_exact() == exact)
        };
        it.is_about_size() && is(&it.parts, true) && is(&it.in_total, false)
    }),
    rule("length-too-small", Arriving::is_about_size),
];

/// Whether the rest is waited for.
const PIECES: &[Rule<Arriving>] = &[
    rule("read-once", Arriving::is_read_once),
    rule("interrupted-call", |it| {
        it.own.failure().is_some_and(|(_, failure)| failure.errno == Some(Errno::EINTR as i32))
    }),
    rule("answer/returned-error", Arriving::has_failed),
];

/// Whether something that is not a command is taken for one.
const CUT_OFF: &[Rule<Arriving>] = &[
    rule("answer/did-nothing", |it| it.text.arrived().is_some_and(<[_]>::is_empty)),
    rule("read-error-ignored", |it| it.read_failed),
    rule("empty-pipe-accepted", |it| it.cut_at == Some(0)),
    rule("half-command-accepted", |it| it.cut_at.is_some()),
];

/// What is open afterwards.
const ENDS: &[Rule<Arriving>] =
    &[rule("read-end-open-in-container", |it| it.own.receiver_ends.read)];

const fn rules(tables: &'static [&'static [Rule<Arriving>]]) -> Rules<Arriving> {
    Rules { lab: LAB, function: FUNCTION, tables }
}

static OF_ARGUMENTS: Rules<Arriving> = rules(&[GENERAL, ARGUMENTS, BYTES]);
static OF_LARGE: Rules<Arriving> = rules(&[GENERAL, ARGUMENTS, SIZE]);
static OF_PIECES: Rules<Arriving> = rules(&[GENERAL, PIECES, ARGUMENTS]);
static OF_CUT_OFF: Rules<Arriving> = rules(&[GENERAL, CUT_OFF]);
static OF_ENDS: Rules<Arriving> = rules(&[GENERAL, ENDS]);

/// The promise that a command arrives.
fn arrives(host: &Host, command: Vec<OsString>, rules: &Rules<Arriving>) -> Result<(), Finding> {
    let own = exchange(host, command);
    if own.is_exact() {
        return Ok(());
    }
    let evidence = own.evidence();
    Arriving::diagnose(host, own).judge(rules, evidence)
}

pub fn text(host: &Host) -> Result<(), Finding> {
    arrives(host, probes::text(), &OF_ARGUMENTS)
}

pub fn bytes(host: &Host) -> Result<(), Finding> {
    arrives(host, probes::bytes(), &OF_ARGUMENTS)
}

pub fn empty_arguments(host: &Host) -> Result<(), Finding> {
    arrives(host, probes::empty_arguments(), &OF_ARGUMENTS)
}

pub fn large(host: &Host) -> Result<(), Finding> {
    arrives(host, probes::long(), &OF_LARGE)?;
    arrives(host, probes::many(), &OF_LARGE)
}

/// Both processes are needed for that. A function that hangs does so with both.
pub fn pipe_is_closed(host: &Host) -> Result<(), Finding> {
    let whole = exchange(host, probes::text());
    let is_kept = whole.receiver_ends == Ends::NONE && whole.received.is_ok();
    closed(host, whole, is_kept, "receive_command")?;
    // Half a message is an error, which leaves nothing open either.
    let message = send(host, probes::text(), |_| ()).message;
    let half = &message[..message.len() / 2];
    let cut_off = receive_to_the_end(host, probes::text(), half);
    let is_kept = cut_off.receiver_ends == Ends::NONE;
    closed(host, cut_off, is_kept, "receive_command of half a message")
}

fn closed(host: &Host, own: Exchange, is_kept: bool, what: &str) -> Result<(), Finding> {
    if is_kept {
        return Ok(());
    }
    let what = format!("/proc/PID/fd after {what}, of the pipe");
    let evidence = vec![Evidence::differs(what, Ends::NONE, own.receiver_ends)];
    Arriving::diagnose(host, own).judge(&OF_ENDS, evidence)
}

pub fn pieces(host: &Host) -> Result<(), Finding> {
    let message = send(host, probes::text(), |_| ()).message;
    let own = receive_in_pieces(host, probes::text(), &message);
    if own.is_exact() {
        return each_read_interrupted(host, &message);
    }
    let seen = match &own.received {
        Ok(Ok(Command(arguments))) => format!("{arguments:?}"),
        Ok(returned) => result(returned),
        Err(finding) => in_words(finding).to_owned(),
    };
    let what = format!("receive_command, 1 of {} bytes, then the others", message.len());
    let evidence = vec![Evidence::differs(what, format!("{:?}", own.command), seen)];
    Arriving::diagnose(host, own).judge(&OF_PIECES, evidence)
}

/// A signal may come at any moment: each read(2) in turn is interrupted before it has read
/// anything.
fn each_read_interrupted(host: &Host, message: &[u8]) -> Result<(), Finding> {
    // Otherwise every read(2) would be interrupted, for ever.
    if !can_decide_on_calls() {
        return Ok(());
    }
    failing::each(|nth| {
        let (failed, own) = receive_while_failing(host, message, nth, Errno::EINTR)?;
        let Some(failed) = failed.filter(|_| !own.is_exact()) else { return Ok(failed.is_some()) };
        let seen = match &own.received {
            Ok(returned) => result(returned),
            Err(finding) => in_words(finding).to_owned(),
        };
        let what = format!("{FUNCTION} while {failed} fails with EINTR");
        let evidence = vec![Evidence::differs(what, "Ok", seen)];
        Arriving::diagnose(host, own).judge(&OF_PIECES, evidence).map(|()| true)
    })
}

/// The promise that no beginning of a message, as long as `lengths` say, is taken
/// for a command.
fn refused(
    host: &Host,
    commands: &[Vec<OsString>],
    lengths: fn(usize) -> Vec<usize>,
) -> Result<(), Finding> {
    // If a whole command does not get through, half of one says nothing.
    let whole = exchange(host, probes::text());
    if !matches!((&whole.sent, &whole.received), (Ok(Ok(())), Ok(Ok(_)))) {
        let evidence = whole.evidence();
        return Arriving::diagnose(host, whole).judge(&OF_CUT_OFF, evidence);
    }
    let all = take(host, commands, lengths);
    if all.as_ref().is_err_and(|death| death.code == HUNG) {
        waits_for_itself(host, lengths)?;
    }
    for taken in all? {
        if taken.message.is_empty() {
            let evidence = vec![Evidence::differs("bytes that send_command writes", "some", 0)];
            return Arriving::diagnose(host, whole).judge(&OF_CUT_OFF, evidence);
        }
        if let Some(wrong) = taken.wrong() {
            return wrong.judge(host);
        }
    }
    Ok(())
}

/// An answer that waits for the end of a message that is cut off has the write end open
/// itself: nobody else has it.
fn waits_for_itself(host: &Host, lengths: fn(usize) -> Vec<usize>) -> Result<(), Finding> {
    let message = send(host, probes::text(), |_| ()).message;
    let lengths = lengths(message.len());
    let few = [lengths.first(), lengths.get(lengths.len() / 2), lengths.last()];
    for length in few.into_iter().flatten().copied() {
        let own = receive_to_the_end(host, probes::text(), &message[..length]);
        if own.asleep().is_some() {
            let what = format!("{FUNCTION}, after {length} of {} bytes", message.len());
            let evidence = vec![Evidence::differs(what, "Err", "does not return")];
            let facts = Arriving { cut_at: Some(length), ..Arriving::diagnose(host, own) };
            return facts.judge(&OF_CUT_OFF, evidence);
        }
    }
    Ok(())
}

/// A message that was not read as it must be.
struct Wrong {
    exchange: Exchange,
    whole: usize,
    /// How many bytes of it there were.
    length: usize,
}

impl Taken {
    /// The first that is wrong: the whole must be the command, and no part may be one.
    fn wrong(&self) -> Option<Wrong> {
        let whole = self.message.len();
        let (length, received) = self.received.iter().find(|(length, received)| {
            let arrived = received.as_ref().ok().map(|Command(arguments)| arguments);
            arrived != (*length == whole).then_some(&self.command)
        })?;
        let exchange = Exchange::ready(self.command.clone(), received.clone());
        Some(Wrong { exchange, whole, length: *length })
    }
}

impl Wrong {
    fn judge(self, host: &Host) -> Result<(), Finding> {
        let Wrong { exchange, whole, length } = self;
        if length == whole {
            let evidence = exchange.evidence();
            return Arriving::diagnose(host, exchange).judge(&OF_ARGUMENTS, evidence);
        }
        let what = format!("{FUNCTION}, after {length} of {whole} bytes");
        let seen = format!("Ok({:?})", exchange.arrived().unwrap_or_default());
        let facts = Arriving { cut_at: Some(length), whole, ..Arriving::diagnose(host, exchange) };
        facts.judge(&OF_CUT_OFF, vec![Evidence::differs(what, "Err", seen)])
    }
}

/// What is known by name is named.
pub fn any_command(host: &Host) -> Result<(), Finding> {
    text(host)?;
    bytes(host)?;
    empty_arguments(host)?;
    half(host)?;
    nothing(host)?;
    let found = generated::smallest(COMMANDS, generate, |commands| {
        let commands: Vec<Vec<OsString>> = commands.iter().map(|it| (*it).clone()).collect();
        let taken = take(host, &commands, |whole| (0..=whole).collect())?;
        let mut wrong = taken.iter().map(Taken::wrong).enumerate();
        Ok(wrong.find_map(|(nth, wrong)| Some((nth, wrong?))))
    })?;
    found.map_or(Ok(()), |found| found.wrong.judge(host))
}

/// How many commands are generated.
const COMMANDS: usize = 200;

/// Short commands: with what can be taken for something else.
fn generate(choices: &mut Unstructured) -> arbitrary::Result<Vec<OsString>> {
    const PIECES: [&[u8]; 18] = [
        b"a", b" ", b"1", b"2", b"\n", b"\"", b"\\", b":", b",", b"\x01", b"\x1f", b"\xc3",
        b"\xa9", b"\xff", b"\\n", b"\\0", b"%", b"%20",
    ];
    fn argument(choices: &mut Unstructured) -> arbitrary::Result<OsString> {
        Ok(OsString::from_vec(text_of(choices, &PIECES, 4)?))
    }
    let mut command = vec![argument(choices)?];
    command.extend(list(choices, 4, argument)?);
    Ok(command)
}

pub fn half(host: &Host) -> Result<(), Finding> {
    let short = [probes::text(), probes::empty_arguments()];
    refused(host, &short, |whole| (1..whole).collect())?;
    refused(host, &[probes::three_hundred()], |whole| (1..whole).collect())?;
    failing::each(|nth| read_fails(host, nth))
}

/// Those that read.
const READ: Calls = ("read", &[libc::SYS_read, libc::SYS_readv]);

/// The whole message is in the pipe, and the `nth` call that reads fails: nobody knows what
/// it would have said. Returns whether as many were made.
fn read_fails(host: &Host, nth: usize) -> Result<bool, Finding> {
    let message = send(host, probes::text(), |_| ()).message;
    let (failed, own) = receive_while_failing(host, &message, nth, Errno::EIO)?;
    let Some(failed) = failed else { return Ok(false) };
    if own.arrived().is_none() {
        return Ok(true);
    }
    let what = format!("{FUNCTION} while {failed} fails with {:?}", Errno::EIO);
    let seen = format!("Ok({:?})", own.arrived().unwrap_or_default());
    let facts = Arriving { read_failed: true, ..Arriving::diagnose(host, own) };
    facts.judge(&OF_CUT_OFF, vec![Evidence::differs(what, "Err", seen)])?;
    Ok(true)
}

/// The whole message of the simplest command is in the pipe, and the `nth` call that reads
/// fails.
fn receive_while_failing(
    host: &Host,
    message: &[u8],
    nth: usize,
    errno: Errno,
) -> Result<(Option<Failed>, Exchange), Finding> {
    let pipe = Pipe::new();
    let call = host.act(&RECEIVE_COMMAND, ()).giving(pipe.ends());
    // It is short: the pipe holds it.
    let _ = File::from(pipe.write_end).write_all(message);
    let seen = call.failing(nth, &[READ], errno).make()?;
    Ok((seen.failed, Exchange::ready(probes::text(), seen.returned)))
}

pub fn nothing(host: &Host) -> Result<(), Finding> {
    refused(host, &[probes::text(), probes::empty_arguments()], |_| vec![0])
}
