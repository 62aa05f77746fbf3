//! close_descriptors.

use std::collections::BTreeMap;

use labkit::call::Seen;
use labkit::describe::result;
use labkit::frame::{Facts, Returned, Rules, Words, error_of, rule};
use labkit::host::Host;
use labkit::inside::Place;
use labkit::verdict::{Evidence, Finding, PANICKED};
use nix::errno::Errno;
use nix::sys::resource::{Resource, getrlimit};

use crate::LAB;
use crate::acts::{CLOSE_DESCRIPTORS, Opened};
use crate::pipe::open_flags;

const FUNCTION: &str = CLOSE_DESCRIPTORS.function;

/// What is open whatever is asked for: a directory, a file and a pipe.
const FIRST: [i32; 4] = [3, 4, 5, 6];
/// Further numbers of them, those that the machine allows. Many a loop ends at
/// 1024, the limit that a shell begins with.
const OF_DIRECTORY: [i32; 3] = [9, 200, 3000];
const OF_PIPE: [i32; 3] = [57, 900, 1500];
/// What leads to /proc, as the list of all of them does while it is read.
const OF_PROC: [(&str, i32); 2] = [("/proc/self/status", 30), ("/proc/self/fd", 1200)];
/// Those that are close-on-exec already.
const CLOSE_ON_EXEC: [i32; 3] = [40, 700, 2000];
/// So many that no list of them fits into one buffer of the usual sizes: in getdents64(2), each
/// takes 24 bytes, and the C library reads 32 KiB at a time. Between [`FIRST`] and these, all
/// numbers are free.
const MANY: std::ops::Range<i32> = 64..1664;
/// How many of those that are left are shown at most.
const SHOWN: usize = 20;
/// The first number that is free.
const GAP: i32 = 7;
/// What RLIMIT_NOFILE is by then: some of the numbers are above the soft limit only, others
/// above both. See getrlimit(2).
const LIMIT: u64 = 128;
const HARD_LIMIT: u64 = 512;

struct Closed {
    seen: Seen<Returned>,
    /// What was open before, above 2.
    opened: Vec<i32>,
    /// The descriptors that a program would get now, and where they lead.
    passed_on: BTreeMap<i32, String>,
    /// The call that has failed, if one has.
    refused: Option<&'static str>,
    /// Whether there were many of them.
    were_many: bool,
}

fn observe(host: &Host) -> Result<Closed, Finding> {
    observe_while(host, None)
}

/// A system call, and its number.
type Refused = (&'static str, i64);

/// What closes them all, and what tells which there are.
const REFUSED: [Refused; 2] =
    [("close_range", libc::SYS_close_range), ("getdents64", libc::SYS_getdents64)];

fn observe_while(host: &Host, refused: Option<Refused>) -> Result<Closed, Finding> {
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE).expect("a resource of every kernel");
    let is_allowed = |number: &i32| (*number as u64) < most;
    let allowed = |numbers: [i32; 3]| numbers.into_iter().filter(is_allowed).collect::<Vec<_>>();
    let of_proc = OF_PROC.into_iter().filter(|(_, number)| is_allowed(number));
    let opening = Opened {
        directory: host.precious().folder.clone(),
        file: host.precious().file(),
        of_directory: allowed(OF_DIRECTORY),
        of_pipe: allowed(OF_PIPE),
        others: of_proc.map(|(path, number)| (path.into(), number)).collect(),
        close_on_exec: allowed(CLOSE_ON_EXEC),
        limits: (LIMIT, HARD_LIMIT.min(most)),
    };
    observe_of(host, opening, refused)
}

/// The same, where very many are open.
fn observe_many(host: &Host) -> Result<Closed, Finding> {
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE).expect("a resource of every kernel");
    let opening = Opened {
        directory: host.precious().folder.clone(),
        file: host.precious().file(),
        of_directory: MANY.filter(|number| (*number as u64) < most).collect(),
        of_pipe: Vec::new(),
        others: Vec::new(),
        close_on_exec: Vec::new(),
        limits: (LIMIT, HARD_LIMIT.min(most)),
    };
    Ok(Closed { were_many: true, ..observe_of(host, opening, None)? })
}

fn observe_of(host: &Host, opening: Opened, refused: Option<Refused>) -> Result<Closed, Finding> {
    let mut opened = [&FIRST[..], &opening.of_directory, &opening.of_pipe].concat();
    opened.extend(opening.others.iter().map(|(_, number)| *number));
    opened.sort_unstable();
    let mut call = host.act(&CLOSE_DESCRIPTORS, opening);
    if let Some((_, number)) = refused {
        call = call.refusing(&[number], Errno::EPERM);
    }
    let (seen, passed_on) = call.make_and_look(|place, _| passed_on(place)).map_err(closed_list)?;
    let refused = refused.map(|(name, _)| name);
    Ok(Closed { seen, opened, passed_on, refused, were_many: false })
}

/// What is open in a process and is not close-on-exec.
fn passed_on(place: &Place) -> BTreeMap<i32, String> {
    let pid = place.pid.as_raw();
    let numbers = place.proc.descriptors(pid).into_iter();
    let passed_on = numbers.filter(|number| open_flags(place, *number) & libc::O_CLOEXEC == 0);
    passed_on
        .map(|number| {
            let link = place.proc.link(pid, &format!("fd/{number}")).unwrap_or_default();
            // Without the numbers in `pipe:[4711]` and `/proc/4712/fd`.
            let link = link.to_string_lossy().replace(&format!("/proc/{pid}/"), "/proc/PID/");
            (number, link.split(":[").next().unwrap_or_default().to_owned())
        })
        .collect()
}

/// std panics if the directory that it was reading has been closed already.
fn closed_list(finding: Finding) -> Finding {
    let words = finding.words.get("words").map(String::as_str).unwrap_or_default();
    if finding.code != PANICKED || !words.contains("during closedir") {
        return finding;
    }
    let what = "closedir(/proc/self/fd)";
    let evidence = Evidence::differs(what, "Ok", "EBADF (Bad file number)");
    Finding { code: format!("{LAB}/closed-what-it-reads"), ..finding.with([evidence]) }
}

impl Closed {
    /// Those that should not be there.
    fn left(&self) -> Vec<i32> {
        self.passed_on.keys().copied().filter(|number| *number > 2).collect()
    }

    /// The standard ones that are missing.
    fn missing(&self) -> Vec<i32> {
        (0..=2).filter(|number| !self.passed_on.contains_key(number)).collect()
    }

    /// Whether those from this number on are there, and no others.
    fn is_left_from(&self, first: i32) -> bool {
        let opened = self.opened.iter().copied();
        !self.left().is_empty()
            && self.left() == opened.filter(|number| *number >= first).collect::<Vec<_>>()
    }

    fn lowest(&self) -> i32 {
        self.left().first().copied().unwrap_or_default()
    }

    fn judge(&self, rules: &Rules<Closed>, kept: bool, evidence: Evidence) -> Result<(), Finding> {
        let returned = Evidence::differs("close_descriptors()", "Ok", result(&self.seen.returned));
        rules.judge(self, kept, || vec![evidence, returned])
    }
}

impl Facts for Closed {
    fn words(&self) -> Words {
        let mut words = error_of(&self.seen.returned);
        words.extend([
            ("call", self.refused.unwrap_or_default().to_owned()),
            ("gap", GAP.to_string()),
            ("limit", LIMIT.to_string()),
            ("hard", HARD_LIMIT.to_string()),
            ("lowest", self.lowest().to_string()),
            ("count", self.opened.len().to_string()),
            ("left", self.left().len().to_string()),
        ]);
        words
    }
}

/// Why others are open.
static OTHERS: Rules<Closed> = Rules {
    lab: LAB,
    function: FUNCTION,
    tables: &[&[
        rule("close-error-ignored", |it| it.refused.is_some()),
        rule("ebadf-taken-for-a-failure", |it| {
            let failure = it.seen.returned.as_ref().err();
            failure.is_some_and(|failure| failure.errno == Some(Errno::EBADF as i32))
        }),
        rule("answer/returned-error", |it| it.seen.returned.is_err()),
        // The same answer has closed the few that were open before.
        rule("too-many-to-list", |it| it.were_many && !it.left().is_empty()),
        rule("close-on-exec-taken-away", |it| {
            it.left().iter().any(|number| CLOSE_ON_EXEC.contains(number))
        }),
        rule("answer/did-nothing", |it| it.left() == it.opened),
        rule("stops-at-the-first-gap", |it| it.is_left_from(GAP)),
        rule("only-below-the-limit", |it| it.is_left_from(LIMIT as i32)),
        rule("only-below-the-hard-limit", |it| it.is_left_from(HARD_LIMIT as i32)),
        rule("highest-left", |it| it.opened.last().is_some_and(|last| it.is_left_from(*last))),
        rule("only-low-numbers", |it| it.is_left_from(it.lowest())),
        rule("taken-for-its-own-list", |it| {
            let mut left = it.left().into_iter().peekable();
            left.peek().is_some() && left.all(|number| it.passed_on[&number].starts_with("/proc"))
        }),
        rule("only-what-it-knows", |it| {
            let left = it.left();
            let between = it.lowest()..left.last().copied().unwrap_or_default();
            it.opened.iter().any(|number| between.contains(number) && !left.contains(number))
        }),
    ]],
};

static STANDARD: Rules<Closed> = Rules {
    lab: LAB,
    function: FUNCTION,
    tables: &[&[rule("standard-descriptors-closed", |it| !it.missing().is_empty())]],
};

pub fn others(host: &Host) -> Result<(), Finding> {
    observe(host)?.judge_others()?;
    observe_many(host)?.judge_others()?;
    // An answer that cannot close them must say so, or do it in another way.
    REFUSED.into_iter().try_for_each(|call| {
        let refused = observe_while(host, Some(call))?;
        if refused.seen.returned.is_err() { Ok(()) } else { refused.judge_others() }
    })
}

impl Closed {
    /// The promise that there are no others.
    fn judge_others(&self) -> Result<(), Finding> {
        let left = self.left();
        let few = left.iter().take(SHOWN);
        let mut shown: Vec<String> =
            few.map(|number| format!("{number} -> {}", self.passed_on[number])).collect();
        if left.len() > SHOWN {
            shown.push(format!("…, {} in all", left.len()));
        }
        let what = match self.refused {
            Some(call) => format!("/proc/PID/fd above 2, while {call}(2) fails with EPERM"),
            None if self.were_many => {
                format!("/proc/PID/fd above 2, without close-on-exec, of {}", self.opened.len())
            }
            None => "/proc/PID/fd above 2, without close-on-exec".to_owned(),
        };
        let kept = left.is_empty() && self.seen.returned.is_ok();
        self.judge(&OTHERS, kept, Evidence::differs(what, "-", shown.join(", ")))
    }
}

pub fn standard(host: &Host) -> Result<(), Finding> {
    let facts = observe(host)?;
    let shown: Vec<String> = facts.missing().iter().map(i32::to_string).collect();
    let what = "descriptors that are closed, of 0, 1 and 2";
    let evidence = Evidence::differs(what, "-", shown.join(", "));
    facts.judge(&STANDARD, facts.missing().is_empty(), evidence)
}
