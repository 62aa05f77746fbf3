//! start_limited.

use std::cell::RefCell;
use std::fs;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::Instant;

use labkit::answering::Answering;
use labkit::call::Call;
use labkit::describe::result;
use labkit::frame::{Facts, Returned, Rule, Rules, Words, error_of, rule};
use labkit::host::Host;
use labkit::limits::{TIME, slowness};
use labkit::verdict::{Evidence, Finding};
use nix::poll::{PollFd, PollFlags, poll};
use nix::unistd::{Pid, pipe, read};

use crate::LAB;
use crate::acts::{Limits, START_LIMITED};
use crate::contents::{Contents, text};
use crate::group::Group;
use crate::joining::{self, Members};
use crate::kernel;
use crate::limits::{self, MEMORY, PIDS};
use crate::model::{Lacks, Model, PROCS, Version, close};
use crate::values::Kind;

const FUNCTION: &str = START_LIMITED.function;

/// How often it is looked whether the process is told to begin, in milliseconds.
const LOOK_EVERY: u8 = 1;

/// Makes the call, and looks when the process is told to begin, if it is; `end` is done
/// in any case. Returns what was seen then, and the process of the answer.
fn make<T>(
    call: Call<'_, (Limits, u32, bool), Returned>,
    look: impl FnOnce() -> T,
    end: impl FnOnce(),
) -> Result<(Returned, Option<T>, Pid), Finding> {
    let (listen, say) = pipe().expect("a pipe");
    let (hold, let_go) = pipe().expect("a pipe");
    let at_begin = RefCell::new(None);
    let (seen, caller) = call.giving(vec![say, hold]).make_meanwhile(
        |_, answering| {
            if is_told(&listen, answering) {
                at_begin.replace(Some(look()));
            }
            drop(let_go);
        },
        |place, _| {
            end();
            place.pid
        },
    )?;
    Ok((seen.returned, at_begin.into_inner(), caller))
}

/// Waits until the process is told to begin, or cannot be any more.
fn is_told(listen: &OwnedFd, answering: &mut Answering) -> bool {
    let deadline = Instant::now() + TIME * slowness();
    while Instant::now() < deadline {
        let mut watched = [PollFd::new(listen.as_fd(), PollFlags::POLLIN)];
        if poll(&mut watched, LOOK_EVERY).is_ok_and(|ready| ready > 0) {
            return read(listen, &mut [0]) == Ok(1);
        }
        if answering.outcome().is_some() {
            break;
        }
    }
    false
}

/// All that is known of one call on a model.
struct Started {
    version: Version,
    group: Group,
    before: Contents,
    returned: Returned,
    /// The group's files when the process was told to begin, if it was.
    at_begin: Option<Members>,
    after: Members,
    /// Whether a limit could be set, or the group be joined.
    limits_fail: bool,
    joining_fails: bool,
}

impl Facts for Started {
    fn words(&self) -> Words {
        let mut words = error_of(&self.returned);
        let old = self.old_limits(&self.after.contents);
        words.extend(old.first().map(|(name, limit)| ("limit", format!("{name}: {limit}"))));
        words
    }
}

/// The limits are there, and the process may join.
const READY: &[Rule<Started>] = &[
    rule("answer/returned-error", |it| it.at_begin.is_none() && it.returned.is_err()),
    rule("never-begun", |it| it.at_begin.is_none()),
    // What was done only afterwards.
    rule("begun-first", |it| {
        it.at_begin.as_ref().is_some_and(|at_begin| it.written(at_begin) != it.written(&it.after))
    }),
    rule("wrong-process", |it| !it.after.has_joined() && it.after.has_caller()),
    rule("one-thread-only", |it| !it.after.has_joined() && it.after.has_thread()),
    rule("one-hierarchy-only", |it| !it.after.has_joined() && it.after.has_joined_in_part()),
    rule("never-joined", |it| !it.after.has_joined()),
    rule("old-limits-stay", |it| !it.old_limits(&it.after.contents).is_empty()),
];

static IN_ORDER: Rules<Started> = Rules { lab: LAB, function: FUNCTION, tables: &[READY] };

static REFUSED: Rules<Started> = Rules {
    lab: LAB,
    function: FUNCTION,
    tables: &[&[
        rule("begun-without-limits", |it| it.at_begin.is_some() && it.limits_fail),
        rule("begun-outside", |it| it.at_begin.is_some() && it.joining_fails),
        rule("never-begun", |it| it.returned.is_ok()),
    ]],
};

fn start(model: &Model, group: Group, is_there: bool) -> Result<Started, Finding> {
    let limits = Limits { group, memory: Some(MEMORY), pids: Some(PIDS) };
    start_with(model, limits, kernel::start_process(), is_there)
}

fn start_with(
    model: &Model,
    limits: Limits,
    process: Pid,
    is_there: bool,
) -> Result<Started, Finding> {
    let group = limits.group.clone();
    let before = model.contents();
    let call = model.act(&START_LIMITED, (limits, process.as_raw() as u32, is_there));
    let end = || {
        kernel::end_process(process);
    };
    let (returned, at_begin, caller) = make(call, || model.contents(), end)?;
    let members = |contents: Contents| {
        let (group, before) = (group.clone(), before.clone());
        Members { group, before, contents, process, caller }
    };
    Ok(Started {
        version: model.version,
        returned,
        at_begin: at_begin.map(members),
        after: members(model.contents()),
        before,
        limits_fail: false,
        joining_fails: false,
        group,
    })
}

impl Started {
    fn written(&self, members: &Members) -> ([String; 2], Vec<bool>) {
        let limits = self.limits(&members.contents).map(|(_, limit)| limit.to_owned());
        (limits, members.has_anybody())
    }

    /// The limits as they are written in the group's files, with the files' names.
    fn limits<'a>(&self, contents: &'a Contents) -> [(&'static str, &'a str); 2] {
        let memory = (&self.group.memory, self.version.memory_file());
        let pids = (&self.group.pids, "pids.max");
        [memory, pids].map(|(folder, name)| (name, text(contents, &folder.join(name))))
    }

    /// The limits that the group had before and that are still there, by their files.
    fn old_limits<'a>(&self, contents: &'a Contents) -> Vec<(&'static str, &'a str)> {
        let both = self.limits(contents).into_iter().zip(self.limits(&self.before));
        let stay = both.filter(|(now, before)| !before.1.is_empty() && now == before);
        stay.map(|(now, _)| now).collect()
    }

    fn is_ready(&self, members: &Members) -> bool {
        let limits = self.limits(&members.contents).map(|(_, limit)| limit);
        limits == [MEMORY, PIDS].map(|limit| limit.to_string()) && members.has_joined()
    }

    fn evidence(&self, expected: &str) -> Vec<Evidence> {
        let begun = self.at_begin.is_some();
        let said = |begun| if begun { "begin()" } else { "-" };
        let mut evidence = vec![
            Evidence::differs(FUNCTION, expected, result(&self.returned)),
            Evidence::differs("process", said(expected == "Ok"), said(begun)),
        ];
        if let (Some(at_begin), "Ok") = (&self.at_begin, expected) {
            let or_dash =
                |text: &str| if text.is_empty() { "-".to_owned() } else { text.to_owned() };
            for ((name, seen), limit) in
                self.limits(&at_begin.contents).into_iter().zip([MEMORY, PIDS])
            {
                let what = format!("begin(): cat {name}");
                evidence.push(Evidence::differs(what, limit, or_dash(seen)));
            }
            evidence.extend(at_begin.evidence("begin(): cat"));
        }
        evidence
    }

    /// The promise is kept if the process does not begin, and that is told.
    fn require_refusal(&self) -> Result<(), Finding> {
        let kept = self.returned.is_err() && self.at_begin.is_none();
        REFUSED.judge(self, kept, || self.evidence("Err"))
    }
}

pub fn in_order(host: &Host) -> Result<(), Finding> {
    Version::BOTH.into_iter().try_for_each(|version| in_order_on(host, version))?;
    Version::BOTH.into_iter().try_for_each(|version| unlimited_on(host, version))
}

/// Without a limit it is in the group all the same, and the limits that the group had are
/// lifted.
fn unlimited_on(host: &Host, version: Version) -> Result<(), Finding> {
    let model = Model::new(host, version, Lacks::Nothing);
    let (group, process) = (model.make_limited_group("c1", OLD), kernel::start_process());
    // Its limits are for others, too.
    model.fill(&group, process);
    let started = start_with(&model, Limits { group, memory: None, pids: None }, process, true)?;
    let is_right = started.at_begin.as_ref().is_some_and(|at_begin| {
        at_begin.has_joined() && started.old_limits(&at_begin.contents).is_empty()
    });
    IN_ORDER.judge(&started, started.returned.is_ok() && is_right, || {
        let call = format!("{FUNCTION}(group, None, None, …)");
        let mut evidence = vec![Evidence::differs(call, "Ok", result(&started.returned))];
        if let Some(at_begin) = &started.at_begin {
            for (name, limit) in started.old_limits(&at_begin.contents) {
                let kind = if name == "pids.max" { Kind::Pids } else { Kind::Memory };
                let none = kind.no_limit(version);
                evidence.push(Evidence::differs(format!("begin(): cat {name}"), none, limit));
            }
            evidence.extend(at_begin.evidence("begin(): cat"));
        }
        evidence
    })
}

/// A limit that a group had, of bytes or of processes.
const OLD: u64 = 8192;

fn in_order_on(host: &Host, version: Version) -> Result<(), Finding> {
    let model = Model::new(host, version, Lacks::Nothing);
    let started = start(&model, model.make_group("c1"), true)?;
    let is_ready = started.at_begin.as_ref().is_some_and(|at_begin| started.is_ready(at_begin));
    let kept = started.returned.is_ok() && is_ready;
    if !kept && IN_ORDER.diagnose(&started).is_none() {
        // What is wrong with the limits themselves, set_limits alone shows too.
        limits::plain_on(host, version)
            .map_err(|found| Finding { evidence: Vec::new(), ..found })?;
    }
    IN_ORDER.judge(&started, kept, || started.evidence("Ok"))
}

pub fn without_limits(host: &Host) -> Result<(), Finding> {
    /// The files that may refuse a write, each by itself.
    const FILES: [fn(&Group, Version) -> PathBuf; 2] = [
        |group, version| group.memory.join(version.memory_file()),
        |group, _| group.pids.join("pids.max"),
    ];
    let harder = |version| {
        let model = Model::new(host, version, Lacks::Memory);
        let started = start(&model, model.make_group("c1"), true)?;
        Started { limits_fail: true, ..started }.require_refusal()?;
        FILES.into_iter().try_for_each(|file| {
            let model = Model::new(host, version, Lacks::Nothing);
            let group = model.make_group("c1");
            close(&file(&group, version));
            let started = start(&model, group, true)?;
            Started { limits_fail: true, ..started }.require_refusal()
        })
    };
    Version::try_in_both(|version| in_order_on(host, version), harder)
}

pub fn outside(host: &Host) -> Result<(), Finding> {
    let harder = |version| {
        let closed: [fn(&Group) -> &Path; 2] = [|group| &group.pids, |group| &group.memory];
        closed.into_iter().try_for_each(|closed| {
            let model = Model::new(host, version, Lacks::Nothing);
            let group = model.make_group("c1");
            close(&closed(&group).join(PROCS));
            let started = start(&model, group, true)?;
            Started { joining_fails: true, ..started }.require_refusal()
        })
    };
    Version::try_in_both(|version| in_order_on(host, version), harder)
}

pub fn gone(host: &Host) -> Result<(), Finding> {
    static RULES: Rules<Started> = Rules {
        lab: LAB,
        function: FUNCTION,
        tables: &[&[
            rule("never-begun", |it| it.at_begin.is_none()),
            rule("failed-begin-ignored", |it| it.returned.is_ok()),
        ]],
    };
    let harder = |version| {
        let model = Model::new(host, version, Lacks::Nothing);
        let started = start(&model, model.make_group("c1"), false)?;
        RULES.judge(&started, started.returned.is_err(), || {
            let what = format!("{FUNCTION}, begin() says ESRCH");
            vec![Evidence::differs(what, "ESRCH (No such process)", result(&started.returned))]
        })
    };
    Version::try_in_both(|version| in_order_on(host, version), harder)
}

/// What the kernel shows of a process that was to begin.
struct Begun {
    returned: Returned,
    /// The names of its groups when it was told to begin, if it was, and the limits
    /// of memory and processes.
    found: Option<String>,
}

impl Facts for Begun {
    fn words(&self) -> Words {
        error_of(&self.returned)
    }
}

pub fn by_the_kernel(host: &Host) -> Result<(), Finding> {
    static RULES: Rules<Begun> = Rules {
        lab: LAB,
        function: FUNCTION,
        tables: &[&[rule("answer/returned-error", |it| it.returned.is_err())]],
    };
    without_limits(host)?;
    let group = kernel::make_group("c1");
    let process = kernel::start_process();
    let limits = Limits { group: group.clone(), memory: Some(MEMORY), pids: Some(PIDS) };
    let call = host.act(&START_LIMITED, (limits, process.as_raw() as u32, true));
    let end = || {
        kernel::end_process(process);
    };
    let (returned, found, _) = make(call, || what_holds_of(process, &group), end)?;
    let begun = Begun { returned, found };
    let promised = format!("c1 {MEMORY} {PIDS}");
    let kept = begun.returned.is_ok() && begun.found.as_deref() == Some(&promised);
    if begun.returned.is_err() {
        // Of the kernel's refusal the models know more.
        limits::plain(host).map_err(|found| Finding { evidence: Vec::new(), ..found })?;
        joining::written(host).map_err(|found| Finding { evidence: Vec::new(), ..found })?;
    }
    RULES.judge(&begun, kept, || {
        let found = begun.found.as_deref().unwrap_or("-");
        vec![
            Evidence::differs(FUNCTION, "Ok", result(&begun.returned)),
            Evidence::differs("begin(): /proc/PID/cgroup, memory, pids", &promised, found),
        ]
    })
}

fn what_holds_of(process: Pid, group: &Group) -> String {
    let mut groups = kernel::groups_of(process);
    groups.dedup();
    let limit = |file| fs::read_to_string(file).unwrap_or_default().trim().to_owned();
    let memory = limit(kernel::memory_file(group));
    format!("{} {memory} {}", groups.join(" "), limit(group.pids.join("pids.max")))
}
