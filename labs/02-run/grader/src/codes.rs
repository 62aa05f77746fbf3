//! exit_code, and the same numbers where wait returns them.

use labkit::frame::{Facts, Rule, Rules, Words, rule};
use labkit::host::Host;
use labkit::verdict::{Evidence, Finding};
use nix::sys::signal::Signal;

use crate::LAB;
use crate::acts::{EXIT_CODES, EXIT_CODES_OF_THE_LIVING, Ending};

impl Ending {
    /// Its number in one.
    pub fn code(self) -> i32 {
        match self {
            Ending::Exited(code) => code,
            Ending::Signaled(number) => 128 + number,
        }
    }

    fn is_signal(self) -> bool {
        matches!(self, Ending::Signaled(_))
    }
}

/// Endings, each with the number that an answer has for it.
pub struct Codes(pub Vec<Ended>);

/// One ending.
#[derive(Clone, Copy)]
pub struct Ended {
    pub ending: Ending,
    /// Whether it has dumped core.
    pub dumped: bool,
    /// What the answer makes of it.
    pub seen: i32,
}

impl Ended {
    fn is_wrong(&self) -> bool {
        self.ending.code() != self.seen
    }
}

/// What has become of the numbers of exits.
pub const EXITS: &[Rule<Codes>] = &[
    rule("exit-status-lost", Codes::are_all_alike),
    rule("exit-code-truncated", |it| {
        it.all_wrong(false, |it| it.seen == i32::from(it.ending.code() as i8))
    }),
    rule("exit-code-above-127-lost", |it| it.all_wrong(false, |it| it.ending.code() > 127)),
];

/// What has become of the numbers of signals.
pub const SIGNALS: &[Rule<Codes>] = &[
    rule("exit-status-lost", Codes::are_all_alike),
    rule("signal-without-128", |it| it.all_wrong(true, |it| it.seen == it.ending.code() - 128)),
    rule("signal-is-negative", |it| {
        it.all_wrong(true, |it| it.seen < 0) && !it.signals_are_alike()
    }),
    rule("core-dump-counted", |it| {
        it.all_wrong(true, |it| it.dumped && it.seen == it.ending.code() + 128)
    }),
    rule("signal-is-success", |it| it.signals_are_alike() && it.wrong(true).all(|it| it.seen == 0)),
    rule("signal-number-lost", Codes::signals_are_alike),
];

impl Codes {
    /// Those of exits, or of signals.
    fn of(&self, signals: bool) -> impl Iterator<Item = &Ended> {
        self.0.iter().filter(move |it| it.ending.is_signal() == signals)
    }

    fn wrong(&self, signals: bool) -> impl Iterator<Item = &Ended> {
        self.of(signals).filter(|it| it.is_wrong())
    }

    /// Whether some are wrong, and this holds for all of them.
    fn all_wrong(&self, signals: bool, is_so: impl FnMut(&Ended) -> bool) -> bool {
        self.wrong(signals).next().is_some() && self.wrong(signals).all(is_so)
    }

    fn are_all_alike(&self) -> bool {
        self.0.iter().all(|it| it.seen == self.0[0].seen)
    }

    /// Whether all signals have the same number, and exits have their own.
    fn signals_are_alike(&self) -> bool {
        let mut seen = self.of(true).map(|it| it.seen);
        let first = seen.next();
        seen.all(|code| Some(code) == first) && self.wrong(false).next().is_none()
    }
}

impl Facts for Codes {
    fn words(&self) -> Words {
        let mut words = Words::new();
        if let Some(it) = self.wrong(true).next() {
            words.push(("seen", it.seen.to_string()));
        }
        if let Some(it) = self.wrong(false).next() {
            words.push(("code", it.ending.code().to_string()));
            words.push(("instead", it.seen.to_string()));
        }
        words
    }
}

/// Calls exit_code with every exit code, and with every signal that can end a
/// process.
fn observe(host: &Host) -> Result<Codes, Finding> {
    let stops = [Signal::SIGSTOP, Signal::SIGTSTP, Signal::SIGTTIN, Signal::SIGTTOU];
    let ignored = [Signal::SIGCHLD, Signal::SIGCONT, Signal::SIGURG, Signal::SIGWINCH];
    let deadly = Signal::iterator().filter(|it| !stops.contains(it) && !ignored.contains(it));
    let exits = (0..=255).map(|code| (Ending::Exited(code), false));
    let signals = deadly
        .flat_map(|signal| [false, true].map(|dumped| (Ending::Signaled(signal as i32), dumped)));
    let endings: Vec<(Ending, bool)> = exits.chain(signals).collect();
    let seen = host.act(&EXIT_CODES, endings.clone()).make()?.returned;
    let all = endings.into_iter().zip(seen);
    Ok(Codes(all.map(|((ending, dumped), seen)| Ended { ending, dumped, seen }).collect()))
}

/// The rules on a function that returns such numbers.
pub const fn rules(
    function: &'static str,
    tables: &'static [&'static [Rule<Codes>]],
) -> Rules<Codes> {
    Rules { lab: LAB, function, tables }
}

static NUMBERS_OF_EXITS: Rules<Codes> = rules(EXIT_CODES.function, &[EXITS]);
static NUMBERS_OF_SIGNALS: Rules<Codes> = rules(EXIT_CODES.function, &[SIGNALS]);

fn judge(codes: &Codes, signals: bool, rules: &Rules<Codes>) -> Result<(), Finding> {
    rules.judge(codes, codes.wrong(signals).next().is_none(), || {
        let line = |it: &Ended| {
            let dumped = if it.dumped { ", core dumped" } else { "" };
            let call = format!("exit_code({:?}{dumped})", it.ending);
            Evidence::differs(call, it.ending.code(), it.seen)
        };
        codes.wrong(signals).take(2).map(line).collect()
    })
}

pub fn exits(host: &Host) -> Result<(), Finding> {
    judge(&observe(host)?, false, &NUMBERS_OF_EXITS)
}

pub fn signals(host: &Host) -> Result<(), Finding> {
    judge(&observe(host)?, true, &NUMBERS_OF_SIGNALS)
}

/// Numbers for processes that have not ended; nothing where the function panicked.
struct Living(Vec<Option<i32>>);

impl Facts for Living {
    fn words(&self) -> Words {
        Words::new()
    }
}

pub fn living(host: &Host) -> Result<(), Finding> {
    static RULES: Rules<Living> = Rules {
        lab: LAB,
        function: EXIT_CODES.function,
        tables: &[&[rule("exit-code-of-the-living", |it| it.0.iter().any(Option::is_some))]],
    };
    // A function that is not written panics too.
    let codes = observe(host)?;
    let living = Living(host.act(&EXIT_CODES_OF_THE_LIVING, ()).make()?.returned);
    // The branch for everything else may be for signals, too.
    let signals: Vec<_> = codes.wrong(true).map(|it| Some(it.seen)).collect();
    if living.0.iter().all(|seen| signals.contains(seen)) {
        return judge(&codes, true, &NUMBERS_OF_SIGNALS);
    }
    RULES.judge(&living, living.0.iter().all(Option::is_none), || {
        let statuses = ["Stopped(SIGSTOP)", "Continued", "StillAlive"].into_iter();
        let line = |(status, seen): (&str, &Option<i32>)| {
            let seen = seen.map_or("a panic".to_owned(), |code| code.to_string());
            Evidence::differs(format!("exit_code({status})"), "a panic", seen)
        };
        statuses.zip(&living.0).map(line).collect()
    })
}
