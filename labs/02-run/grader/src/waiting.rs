//! wait.

use std::cell::Cell;
use std::fs::File;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use labkit::answering::Answering;
use labkit::describe::{Failure, result};
use labkit::frame::{Facts, Rule, Rules, Words, rule};
use labkit::host::Host;
use labkit::inside::Place;
use labkit::limits::slowness;
use labkit::verdict::{Evidence, Finding};
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, pipe};

use crate::LAB;
use crate::acts::{Ending, OTHERS_CODE, WAIT, WAIT_FOR_A_STRANGER};
use crate::child::{State, is_asleep, wait_until};
use crate::codes::{self, Codes, EXITS, Ended, SIGNALS};

/// The ways in which a child ends that is waited for.
const ENDINGS: [Ending; 4] = [
    Ending::Exited(7),
    Ending::Exited(200),
    Ending::Signaled(Signal::SIGTERM as i32),
    Ending::Signaled(Signal::SIGKILL as i32),
];

/// How often in a row it must be seen asleep before it counts as waiting.
const LOOKS: u32 = 3;

/// How long an answer may poll without ever being asleep; on a
/// slow machine longer.
const AWAKE: Duration = Duration::from_millis(50);

/// What is seen of one call.
struct Waited {
    ending: Ending,
    returned: Result<i32, Failure>,
    /// Whether wait had returned while the child was held.
    early: Option<Early>,
    /// What has become of the child when wait has returned.
    child: State,
    /// What has become of another one that had ended before.
    other: State,
}

/// A call for a child in each of the ways.
struct Calls(Vec<Waited>);

fn observe(host: &Host) -> Result<Calls, Finding> {
    ENDINGS.into_iter().map(|ending| call(host, ending)).collect::<Result<_, _>>().map(Calls)
}

fn call(host: &Host, ending: Ending) -> Result<Waited, Finding> {
    let (listen, say) = pipe().expect("a pipe");
    let (hold, let_go) = pipe().expect("a pipe");
    let early = Cell::new(None);
    let call = host.act(&WAIT, ending).giving(vec![say, hold]);
    let (seen, (child, other)) = call.make_meanwhile(
        |place, answering| early.set(returns_too_early(place, answering, listen, let_go)),
        |place, waited| {
            let of = |pid| State::of(place.proc, pid, place.pid);
            let states = (of(waited.child), of(waited.other));
            let _ = kill(Pid::from_raw(waited.child), Signal::SIGKILL);
            states
        },
    )?;
    let returned = seen.returned.returned;
    Ok(Waited { ending, returned, early: early.get(), child, other })
}

/// When wait has returned too early.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Early {
    /// While the child ran.
    Running,
    /// While it was stopped.
    Stopped,
}

/// Holds the child until wait can be seen to wait for it: while it runs, and while it
/// is stopped, which is not its end. Then the child ends.
fn returns_too_early(
    place: &Place,
    answering: &mut Answering,
    listen: OwnedFd,
    let_go: OwnedFd,
) -> Option<Early> {
    let mut child = [0; 4];
    let _ = File::from(listen).read_exact(&mut child);
    let child = i32::from_ne_bytes(child);
    if !blocks(place, answering) {
        return Some(Early::Running);
    }
    let process = Pid::from_raw(child);
    let _ = kill(process, Signal::SIGSTOP);
    wait_until(|| place.proc.stat(child).is_none_or(|stat| stat.state == 'T'));
    let stopped = (!blocks(place, answering)).then_some(Early::Stopped);
    let _ = kill(process, Signal::SIGCONT);
    drop(let_go);
    stopped
}

/// Whether the function goes on: it is asleep, or had its time.
fn blocks(place: &Place, answering: &mut Answering) -> bool {
    let begun = Instant::now();
    let mut asleep = 0;
    wait_until(|| {
        asleep = if is_asleep(place) { asleep + 1 } else { 0 };
        let had_its_time = begun.elapsed() > AWAKE * slowness();
        answering.outcome().is_some() || asleep == LOOKS || had_its_time
    });
    answering.outcome().is_none()
}

/// The rules on wait with those of one of its promises.
const fn rules(tables: &'static [&'static [Rule<Calls>]]) -> Rules<Calls> {
    Rules { lab: LAB, function: WAIT.function, tables }
}

/// It was over before the child was.
const TOO_EARLY: &[Rule<Calls>] = &[
    rule("waits-for-any-child", |it| it.0.iter().any(|it| it.other == State::Reaped)),
    rule("wait-returns-at-once", |it| it.0.iter().any(|it| it.early == Some(Early::Running))),
    rule("stop-taken-for-the-end", |it| it.0.iter().any(|it| it.early == Some(Early::Stopped))),
];

const ERRORS: &[Rule<Calls>] = &[
    rule("signal-is-an-error", |it| {
        it.0.iter().all(|it| it.returned.is_err() == matches!(it.ending, Ending::Signaled(_)))
    }),
    rule("answer/returned-error", |it| it.0.iter().any(|it| it.returned.is_err())),
];

static TIME: Rules<Calls> = rules(&[TOO_EARLY]);
static OUTCOME: Rules<Calls> = rules(&[TOO_EARLY, ERRORS]);

impl Facts for Calls {
    fn words(&self) -> Words {
        let error = self.0.iter().find_map(|it| it.returned.as_ref().err());
        error.map(|error| ("error", error.to_string())).into_iter().collect()
    }
}

impl Waited {
    fn evidence(&self) -> Vec<Evidence> {
        let (ending, of_others) = (self.ending, State::Ended(OTHERS_CODE));
        let seen = self.returned.as_ref().map(|code| format!("Ok({code})"));
        let seen = seen.unwrap_or_else(Failure::to_string);
        let child = if self.early.is_some() { State::Running } else { self.child };
        vec![
            Evidence::differs(
                format!("wait(PID), {ending:?}"),
                format!("Ok({})", ending.code()),
                seen,
            ),
            Evidence::differs("waitid(PID) after it", State::Reaped, child),
            Evidence::differs("waitid(OTHER) after it", of_others, self.other),
        ]
    }
}

impl Calls {
    /// Those for exits, or for signals.
    fn of(&self, signals: bool) -> impl Iterator<Item = &Waited> {
        self.0.iter().filter(move |it| matches!(it.ending, Ending::Signaled(_)) == signals)
    }

    fn evidence(&self) -> Vec<Evidence> {
        self.0.iter().take(1).flat_map(Waited::evidence).collect()
    }

    /// Whether the numbers of exits, or of signals, are right; otherwise `codes` may know
    /// what is wrong with them.
    fn judge_numbers(&self, signals: bool, codes: &Rules<Codes>) -> Result<(), Finding> {
        let wrong: Vec<&Waited> =
            self.of(signals).filter(|it| it.returned != Ok(it.ending.code())).collect();
        let evidence = || wrong.iter().take(1).flat_map(|it| it.evidence()).collect();
        let kept = wrong.is_empty();
        if kept || OUTCOME.diagnose(self).is_some() {
            return OUTCOME.judge(self, kept, evidence);
        }
        let all = self.0.iter().filter_map(|it| {
            Some(Ended { ending: it.ending, dumped: false, seen: *it.returned.as_ref().ok()? })
        });
        codes.judge(&Codes(all.collect()), kept, evidence)
    }
}

pub fn until_the_end(host: &Host) -> Result<(), Finding> {
    let calls = observe(host)?;
    TIME.judge(&calls, calls.0.iter().all(|it| it.early.is_none()), || calls.evidence())
}

pub fn exit_code(host: &Host) -> Result<(), Finding> {
    static CODES: Rules<Codes> = codes::rules(WAIT.function, &[EXITS]);
    observe(host)?.judge_numbers(false, &CODES)
}

pub fn signal(host: &Host) -> Result<(), Finding> {
    static CODES: Rules<Codes> = codes::rules(WAIT.function, &[SIGNALS]);
    observe(host)?.judge_numbers(true, &CODES)
}

pub fn nothing_left(host: &Host) -> Result<(), Finding> {
    static RULES: Rules<Calls> = rules(&[
        TOO_EARLY,
        &[rule("zombie-left", |it| {
            it.0.iter().any(|it| it.returned.is_ok() && matches!(it.child, State::Ended(_)))
        })],
        ERRORS,
    ]);
    let calls = observe(host)?;
    let kept = calls.0.iter().all(|it| it.child == State::Reaped);
    RULES.judge(&calls, kept, || calls.evidence())
}

pub fn others(host: &Host) -> Result<(), Finding> {
    let calls = observe(host)?;
    let kept = calls.0.iter().all(|it| it.other == State::Ended(OTHERS_CODE));
    TIME.judge(&calls, kept, || calls.evidence())
}

/// What wait returned for a process that is nobody's child.
struct Stranger(Result<i32, Failure>);

impl Facts for Stranger {
    fn words(&self) -> Words {
        Words::new()
    }
}

pub fn failure(host: &Host) -> Result<(), Finding> {
    static RULES: Rules<Stranger> = Rules {
        lab: LAB,
        function: WAIT.function,
        tables: &[&[rule("wait-error-ignored", |it| it.0.is_ok())]],
    };
    // The witness exists, and is not a child of the process that waits.
    let returned = host.act(&WAIT_FOR_A_STRANGER, 1).make()?.returned;
    let stranger = Stranger(returned);
    RULES.judge(&stranger, stranger.0.is_err(), || {
        let what = "wait(PID), where PID is not a child of the caller";
        vec![Evidence::differs(what, "ECHILD (No child processes)", result(&stranger.0))]
    })
}
