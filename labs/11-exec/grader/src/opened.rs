//! open_namespaces: which it opens, and how.

use std::path::PathBuf;

use labkit::call::Seen;
use labkit::calls::{self, Calls};
use labkit::describe::{Failure, result, without_numbers};
use labkit::failing;
use labkit::frame::{Facts, Rules, Words, error_of, rule};
use labkit::host::Host;
use labkit::inside::Place;
use labkit::proc::Proc;
use labkit::verdict::{Evidence, Finding};
use mydocker_kernel::namespaces::NAMESPACES;
use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::libc;
use nix::sched::CloneFlags;

use crate::LAB;
use crate::acts::{OPEN_NAMESPACES, Told};
use crate::container::{ALL, BETWEEN, Container, FAST, Namespaces, namespaces};

const FUNCTION: &str = OPEN_NAMESPACES.function;

/// The namespaces of a container that shares a network with its host.
const SOME: CloneFlags =
    FAST.difference(CloneFlags::CLONE_NEWUTS.union(CloneFlags::CLONE_NEWCGROUP));

/// The calls by which a process or a file of it is opened.
pub const OPENING: &[Calls] = &[calls::OPEN, ("pidfd_open", &[libc::SYS_pidfd_open])];

/// A descriptor that was returned.
#[derive(Debug, Clone)]
struct Found {
    /// The kind that it is said to be, as /proc names it.
    kind: String,
    /// What it leads to.
    leads_to: String,
    is_close_on_exec: bool,
}

/// All that is known of one call.
pub struct Opened {
    seen: Seen<Result<Vec<Told>, Failure>>,
    found: Vec<Found>,
    /// Open, and not returned.
    others: Vec<PathBuf>,
    /// Those of the process that calls, and of the process that it asks for.
    own: Namespaces,
    theirs: Namespaces,
}

/// Has the namespaces of a container opened, of which these are its own.
fn observe(host: &Host, kinds: CloneFlags) -> Result<Opened, Finding> {
    let proc = Proc::open().expect("the witness has one");
    let container = Container::start(host, &proc, &host.path("busybox"), kinds);
    let theirs = container.namespaces.clone();
    let call = host.act(&OPEN_NAMESPACES, container.pid.as_raw());
    let (seen, (found, others, own)) = call.make_and_look(|place, told| {
        let looked = look(place, told);
        container.end();
        looked
    })?;
    Ok(Opened { seen, found, others, own, theirs })
}

/// What the process has open, as the kernel shows it.
fn look(
    place: &Place,
    told: &Result<Vec<Told>, Failure>,
) -> (Vec<Found>, Vec<PathBuf>, Namespaces) {
    let told: &[Told] = told.as_deref().unwrap_or_default();
    let pid = place.pid.as_raw();
    let link = |number: i32| place.proc.link(pid, &format!("fd/{number}")).unwrap_or_default();
    let found = told.iter().map(|(kind, number)| {
        let known = NAMESPACES.iter().find(|(_, flag)| flag.bits() == *kind);
        Found {
            kind: known.map_or_else(|| format!("{kind:#x}"), |(name, _)| (*name).to_owned()),
            leads_to: link(*number).display().to_string(),
            is_close_on_exec: is_close_on_exec(place.proc, pid, *number),
        }
    });
    let numbers = place.proc.descriptors(pid).into_iter();
    let others = numbers.filter(|number| *number > 2 && told.iter().all(|(_, it)| it != number));
    (found.collect(), others.map(link).collect(), namespaces(place.proc, place.pid))
}

/// See proc_pid_fdinfo(5).
fn is_close_on_exec(proc: &Proc, pid: i32, number: i32) -> bool {
    let info = proc.read(&format!("{pid}/fdinfo/{number}")).unwrap_or_default();
    let info = String::from_utf8_lossy(&info).into_owned();
    let flags = info.lines().find_map(|line| line.strip_prefix("flags:"));
    let flags = flags.and_then(|flags| i32::from_str_radix(flags.trim(), 8).ok());
    flags.is_some_and(|flags| flags & OFlag::O_CLOEXEC.bits() != 0)
}

impl Facts for Opened {
    fn words(&self) -> Words {
        let mut words = error_of(&self.seen.returned);
        words.push(("kinds", self.left_out().join(BETWEEN)));
        words
    }
}

/// From all that was seen to what was done, the worst first.
pub static OPEN: Rules<Opened> = Rules {
    lab: LAB,
    function: FUNCTION,
    tables: &[&[
        rule("answer/returned-error", |it| it.seen.returned.is_err()),
        rule("answer/did-nothing", |it| it.found.is_empty() && !it.expected().is_empty()),
        rule("wrong-kind", |it| {
            it.found.iter().any(|it| !it.leads_to.starts_with(&format!("{}:", it.kind)))
        }),
        rule("own-namespace-in-it", |it| {
            it.found.iter().any(|found| it.own.get(&found.kind) == Some(&found.leads_to))
        }),
        rule("namespace-left-out", |it| !it.left_out().is_empty()),
        rule("inherited-on-exec", |it| it.found.iter().any(|it| !it.is_close_on_exec)),
        rule("handle-left-open", |it| !it.others.is_empty()),
    ]],
};

impl Opened {
    /// What is to be found: the container's own namespaces.
    fn expected(&self) -> Vec<String> {
        let kinds = NAMESPACES.iter().map(|(name, _)| *name);
        let own = kinds.filter(|kind| self.own.get(*kind) != self.theirs.get(*kind));
        own.filter_map(|kind| self.theirs.get(kind).cloned()).collect()
    }

    /// The kinds that are missing.
    fn left_out(&self) -> Vec<String> {
        let is_found = |it: &String| self.found.iter().any(|found| found.leads_to == *it);
        let missing = self.expected().into_iter().filter(|it| !is_found(it));
        missing.filter_map(|it| Some(it.split_once(':')?.0.to_owned())).collect()
    }

    /// The kinds of what was found, sorted.
    fn kinds(&self) -> String {
        let mut kinds: Vec<&str> = self.found.iter().map(|it| it.kind.as_str()).collect();
        kinds.sort_unstable();
        kinds.join(BETWEEN)
    }

    fn judge(&self, kept: bool, evidence: impl FnOnce() -> Vec<Evidence>) -> Result<(), Finding> {
        OPEN.judge(self, kept && self.seen.returned.is_ok(), || match &self.seen.returned {
            Ok(_) => evidence(),
            Err(_) => {
                let call = format!("{FUNCTION}(PID)");
                vec![Evidence::differs(call, "Ok", result(&self.seen.returned))]
            }
        })
    }

    /// Whether all of them are opened, and each is what it is said to be.
    fn is_complete(&self) -> bool {
        self.left_out().is_empty()
            && self.found.iter().all(|it| it.leads_to.starts_with(&format!("{}:", it.kind)))
    }

    /// The kinds that are expected, sorted.
    fn expected_kinds(&self) -> String {
        let expected = self.expected();
        let mut kinds: Vec<&str> =
            expected.iter().filter_map(|it| Some(it.split_once(':')?.0)).collect();
        kinds.sort_unstable();
        kinds.join(BETWEEN)
    }
}

pub fn every_namespace(host: &Host) -> Result<(), Finding> {
    for kinds in [ALL, FAST | CloneFlags::CLONE_NEWUSER] {
        let facts = observe(host, kinds)?;
        facts.judge(facts.is_complete(), || {
            let what = format!("{FUNCTION}(PID), the kinds");
            let mut evidence = vec![Evidence::differs(what, facts.expected_kinds(), facts.kinds())];
            let wrong =
                facts.found.iter().filter(|it| !it.leads_to.starts_with(&format!("{}:", it.kind)));
            evidence.extend(wrong.map(|it| {
                let (seen, _) = it.leads_to.split_once(':').unwrap_or((&it.leads_to, ""));
                Evidence::differs(format!("/proc/PID/fd, {}", it.kind), &it.kind, seen)
            }));
            evidence
        })?;
    }
    Ok(())
}

pub fn own_ones(host: &Host) -> Result<(), Finding> {
    // 1. Of a container that shares some with its host.
    let facts = observe(host, SOME)?;
    let is_own = |found: &Found| facts.own.get(&found.kind) == Some(&found.leads_to);
    facts.judge(!facts.found.iter().any(is_own), || {
        let what = format!("{FUNCTION}(PID), the kinds");
        vec![Evidence::differs(what, facts.expected_kinds(), facts.kinds())]
    })?;
    // 2. Of the process itself.
    let call = host.act(&OPEN_NAMESPACES, 0);
    let (seen, (found, others, own)) = call.make_and_look(look)?;
    let facts = Opened { seen, found, others, theirs: own.clone(), own };
    facts.judge(facts.found.is_empty(), || {
        vec![Evidence::differs(format!("{FUNCTION}(getpid()), the kinds"), "-", facts.kinds())]
    })
}

pub fn close_on_exec(host: &Host) -> Result<(), Finding> {
    let facts = observe(host, FAST)?;
    let inherited: Vec<&str> =
        facts.found.iter().filter(|it| !it.is_close_on_exec).map(|it| it.kind.as_str()).collect();
    facts.judge(inherited.is_empty(), || {
        let what = "/proc/PID/fdinfo, descriptors without O_CLOEXEC";
        vec![Evidence::differs(what, "-", inherited.join(BETWEEN))]
    })
}

pub fn nothing_else(host: &Host) -> Result<(), Finding> {
    let facts = observe(host, FAST)?;
    facts.judge(facts.others.is_empty(), || {
        let shown = facts.others.iter().map(|path| without_numbers(&path.display().to_string()));
        let shown: Vec<String> = shown.collect();
        vec![Evidence::differs("/proc/PID/fd, what was not returned", "-", shown.join(", "))]
    })
}

pub fn failure(host: &Host) -> Result<(), Finding> {
    static REFUSED: Rules<Opened> = Rules {
        lab: LAB,
        function: FUNCTION,
        tables: &[&[
            rule("failed-open-ignored", |it| it.seen.returned.is_ok() && !it.is_complete()),
            rule("every-error-is-esrch", Opened::is_esrch),
            rule("handle-left-open", |it| !it.others.is_empty()),
        ]],
    };
    // An answer that is wrong all the same is not blamed for that here.
    let usual = observe(host, FAST)?;
    if usual.seen.returned.is_err() || !usual.is_complete() {
        return Ok(());
    }
    failing::each(|nth| {
        let proc = Proc::open().expect("the witness has one");
        let container = Container::bare(&proc, FAST.difference(CloneFlags::CLONE_NEWPID));
        let theirs = container.namespaces.clone();
        let call = host.act(&OPEN_NAMESPACES, container.pid.as_raw());
        let (seen, (found, others, own)) =
            call.failing(nth, OPENING, Errno::EMFILE).make_and_look(|place, told| {
                let looked = look(place, told);
                container.end();
                looked
            })?;
        let Some(failed) = seen.failed else { return Ok(false) };
        let facts = Opened { seen, found, others, own, theirs };
        let is_told = match facts.seen.returned {
            Ok(_) => facts.is_complete(),
            Err(_) => !facts.is_esrch(),
        };
        REFUSED.judge(&facts, is_told && facts.others.is_empty(), || {
            let call = format!("{FUNCTION}(PID) while {failed} fails with EMFILE");
            let expected = if facts.is_esrch() { "EMFILE" } else { "Err" };
            let mut evidence = Vec::new();
            if !is_told {
                evidence.push(Evidence::differs(call, expected, result(&facts.seen.returned)));
            }
            if !facts.others.is_empty() {
                let count = facts.others.len();
                evidence.push(Evidence::differs("/proc/PID/fd afterwards, new ones", 0, count));
            }
            evidence
        })?;
        Ok(true)
    })
}

impl Opened {
    fn is_esrch(&self) -> bool {
        let failure = self.seen.returned.as_ref().err();
        failure.is_some_and(|it| it.errno == Some(Errno::ESRCH as i32))
    }
}
