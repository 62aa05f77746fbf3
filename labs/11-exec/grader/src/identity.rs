//! open_namespaces, where no process has the PID, the process ends, or suddenly another
//! one has its PID.

use std::cell::Cell;
use std::collections::BTreeSet;

use labkit::call::Seen;
use labkit::describe::{Failure, result};
use labkit::failing;
use labkit::frame::{Facts, Rules, Words, error_of, rule};
use labkit::host::Host;
use labkit::inside::Place;
use labkit::proc::Proc;
use labkit::verdict::{Evidence, Finding};
use nix::errno::Errno;
use nix::sched::CloneFlags;

use crate::LAB;
use crate::acts::{OPEN_NAMESPACES, Told};
use crate::container::{Container, Namespaces, namespaces};
use crate::opened::OPENING;

const FUNCTION: &str = OPEN_NAMESPACES.function;

/// The own namespaces of the processes that get the same PID, one after the other.
const KINDS: CloneFlags = CloneFlags::CLONE_NEWNS
    .union(CloneFlags::CLONE_NEWUTS)
    .union(CloneFlags::CLONE_NEWIPC)
    .union(CloneFlags::CLONE_NEWCGROUP);

/// A PID that no process has: so many are never started in the sandbox.
const NOBODY: i32 = 30_000;

/// A call for a process that ends. Another one may get its PID.
struct Replaced {
    seen: Seen<Result<Vec<Told>, Failure>>,
    /// What was opened, as the kernel shows it.
    found: BTreeSet<String>,
    first: Namespaces,
    second: Namespaces,
    /// What the caller has itself.
    own: Namespaces,
}

impl Facts for Replaced {
    fn words(&self) -> Words {
        error_of(&self.seen.returned)
    }
}

static NUMBER: Rules<Replaced> = Rules {
    lab: LAB,
    function: FUNCTION,
    tables: &[&[
        rule("number-trusted-twice", |it| it.of(&it.first) > 0 && it.of(&it.second) > 0),
        rule("failed-open-ignored", |it| it.seen.returned.is_ok()),
    ]],
};

/// The same where the process is a zombie.
static ENDED: Rules<Replaced> = Rules {
    lab: LAB,
    function: FUNCTION,
    tables: &[&[rule("failed-open-ignored", |it| it.seen.returned.is_ok())]],
};

/// The same where nobody has its PID any more.
static GONE: Rules<Replaced> = Rules {
    lab: LAB,
    function: FUNCTION,
    tables: &[&[
        rule("no-such-process-is-success", |it| it.seen.returned.as_ref().is_ok_and(Vec::is_empty)),
        rule("failed-open-ignored", |it| it.seen.returned.is_ok()),
    ]],
};

impl Replaced {
    /// How many of what was opened belong to a process, and not to the caller as well.
    fn of(&self, namespaces: &Namespaces) -> usize {
        let theirs: BTreeSet<&String> = namespaces
            .iter()
            .filter(|(kind, it)| self.own.get(*kind) != Some(*it))
            .map(|it| it.1)
            .collect();
        self.found.iter().filter(|it| theirs.contains(it)).count()
    }
}

/// How many it opens where nothing happens: what it leaves out then is another promise's.
fn usual_count(host: &Host) -> Result<usize, Finding> {
    let proc = Proc::open().expect("the witness has one");
    let container = Container::bare(&proc, KINDS);
    let call = host.act(&OPEN_NAMESPACES, container.pid.as_raw());
    let (seen, ()) = call.make_and_look(|_, _| container.end())?;
    // Its own ones are not wanted, and not counted.
    Ok(seen.returned.map_or(0, |told| told.len().min(KINDS.iter().count())))
}

/// What was opened, and what the caller has itself.
fn look(place: &Place, told: &Result<Vec<Told>, Failure>) -> (BTreeSet<String>, Namespaces) {
    let told: &[Told] = told.as_deref().unwrap_or_default();
    let link = |(_, number): &Told| {
        let link = place.proc.link(place.pid.as_raw(), &format!("fd/{number}"));
        link.unwrap_or_default().display().to_string()
    };
    (told.iter().map(link).collect(), namespaces(place.proc, place.pid))
}

/// What is left of a process that has ended.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Left {
    /// Nobody has waited for it: it has a directory in /proc, and few of its namespaces.
    Zombie,
    Nothing,
}

impl Left {
    /// Whether an error was returned, or the namespaces of the process are complete.
    fn judge(self, facts: &Replaced, whole: usize) -> Result<(), Finding> {
        let (rules, case) = match self {
            Left::Zombie => (&ENDED, "the process is a zombie"),
            Left::Nothing => (&GONE, "the process ends meanwhile"),
        };
        let kept = facts.seen.returned.is_err() || facts.of(&facts.first) == whole;
        rules.judge(facts, kept, || {
            let what = format!("{FUNCTION}(PID), where {case}");
            vec![Evidence::differs(what, "Err", result(&facts.seen.returned))]
        })
    }
}

/// The process has ended before the call.
fn ended_before(host: &Host, whole: usize) -> Result<(), Finding> {
    let proc = Proc::open().expect("the witness has one");
    let container = Container::bare(&proc, KINDS);
    let first = container.namespaces.clone();
    container.kill();
    let call = host.act(&OPEN_NAMESPACES, container.pid.as_raw());
    let (seen, (found, own)) = call.make_and_look(|place, told| {
        container.end();
        look(place, told)
    })?;
    Left::Zombie.judge(&Replaced { seen, found, first, second: Namespaces::new(), own }, whole)
}

/// The process ends before the `nth` of the calls that open something, and nobody gets its
/// number. Returns whether there was such a call.
fn ends_meanwhile(host: &Host, whole: usize, nth: usize, left: Left) -> Result<bool, Finding> {
    let proc = Proc::open().expect("the witness has one");
    let container = Container::bare(&proc, KINDS);
    let (pid, first) = (container.pid, container.namespaces.clone());
    let (container, has_ended) = (Cell::new(Some(container)), Cell::new(false));
    let call = host.act(&OPEN_NAMESPACES, pid.as_raw()).standing_still(nth, OPENING);
    let (seen, (found, own)) = call.make_meanwhile(
        |_, answering| {
            if host.wait_until_it_stands_still(answering).is_some() {
                let ending = container.take().expect("it runs until now");
                ending.kill();
                match left {
                    Left::Zombie => container.set(Some(ending)),
                    Left::Nothing => ending.end(),
                }
                has_ended.set(true);
                answering.go_on();
            }
        },
        |place, told| {
            if let Some(container) = container.take() {
                container.end();
            }
            look(place, told)
        },
    )?;
    if has_ended.get() {
        left.judge(&Replaced { seen, found, first, second: Namespaces::new(), own }, whole)?;
    }
    Ok(has_ended.get())
}

pub fn a_number_given_away(host: &Host) -> Result<(), Finding> {
    let whole = usual_count(host)?;
    // 1. Nobody gets its number. What has ended before the first call has ended before all.
    ended_before(host, whole)?;
    for left in [Left::Zombie, Left::Nothing] {
        failing::each(|nth| ends_meanwhile(host, whole, nth + 1, left))?;
    }
    // 2. Another one does.
    failing::each(|nth| {
        let proc = Proc::open().expect("the witness has one");
        let container = Container::bare(&proc, KINDS);
        let (pid, first) = (container.pid, container.namespaces.clone());
        // As long as they are open, no others get their inode numbers.
        let _kept = first.keys().map(|kind| container.open(&proc, kind)).collect::<Vec<_>>();
        let (container, second) = (Cell::new(Some(container)), Cell::new(None));
        let call = host.act(&OPEN_NAMESPACES, pid.as_raw()).standing_still(nth, OPENING);
        let (seen, (found, own)) = call.make_meanwhile(
            |_, answering| {
                if host.wait_until_it_stands_still(answering).is_some() {
                    let other = container.take().map(|it| it.replace(&proc, KINDS));
                    second.set(other.as_ref().map(|it| it.namespaces.clone()));
                    container.set(other);
                    answering.go_on();
                }
            },
            |place, told| {
                if let Some(other) = container.take() {
                    other.end();
                }
                look(place, told)
            },
        )?;
        // It makes no more of these calls.
        let Some(second) = second.take() else { return Ok(false) };
        let facts = Replaced { seen, found, first, second, own };
        let is_one = [(&facts.first, &facts.second), (&facts.second, &facts.first)]
            .iter()
            .any(|(one, other)| facts.of(one) == whole && facts.of(other) == 0);
        NUMBER.judge(&facts, facts.seen.returned.is_err() || is_one, || {
            let what =
                format!("{FUNCTION}(PID), where the process ends and another one gets its PID");
            let count = format!(
                "{} of the first process, {} of the second",
                facts.of(&facts.first),
                facts.of(&facts.second)
            );
            vec![Evidence::differs(what, "Err", count)]
        })?;
        Ok(true)
    })
}

/// A call for a process that does not exist.
struct Missing {
    returned: Result<Vec<Told>, Failure>,
}

impl Facts for Missing {
    fn words(&self) -> Words {
        error_of(&self.returned)
    }
}

static MISSING: Rules<Missing> = Rules {
    lab: LAB,
    function: FUNCTION,
    tables: &[&[
        rule("no-such-process-is-success", |it| it.returned.is_ok()),
        rule("no-such-process-is-another-error", |it| it.returned.is_err()),
    ]],
};

pub fn nobody(host: &Host) -> Result<(), Finding> {
    let seen = host.act(&OPEN_NAMESPACES, NOBODY).make()?;
    let facts = Missing { returned: seen.returned };
    let esrch = Some(Errno::ESRCH as i32);
    let kept = facts.returned.as_ref().is_err_and(|failure| failure.errno == esrch);
    MISSING.judge(&facts, kept, || {
        let what = format!("{FUNCTION}(PID), where no process has this PID");
        vec![Evidence::differs(what, "ESRCH (No such process)", result(&facts.returned))]
    })
}
