//! The promises on start, where all goes well.

use std::path::Path;

use labkit::host::Host;
use labkit::verdict::{Evidence, Finding};
use mydocker::mountinfo::Mount;

use crate::Answers;
use crate::caller::{FOR_CHILDREN, NAMESPACES, State};
use crate::container::{Facts, Given, HOST_NAME, observe};
use crate::diagnosis;
use crate::probe::ARGUMENTS;

type Outcome = Result<(), Finding>;

pub fn namespaces(answers: &Answers, host: &Host) -> Outcome {
    let facts = observe(answers, host, Given::Path)?;
    let evidence = NAMESPACES.map(|kind| {
        let hosts = format!("readlink(\"/proc/self/ns/{kind}\")");
        let sign = if facts.is_new(kind) { "!=" } else { "==" };
        let what = format!("readlink(\"/proc/PID/ns/{kind}\")");
        Evidence::differs(what, format!("!= {hosts}"), format!("{sign} {hosts}"))
    });
    let are_new = NAMESPACES.into_iter().all(|kind| facts.is_new(kind));
    facts.require(are_new, evidence.into(), Facts::namespaces)
}

pub fn pid_1(answers: &Answers, host: &Host) -> Outcome {
    let facts = observe(answers, host, Given::Path)?;
    let busybox = facts.probe.busybox.join("bin/busybox");
    let program = facts.started().program.as_deref();
    let is_the_command = program.is_some_and(|program| program.starts_with(&facts.probe.busybox));
    // Which program it is else is the grader's own affair.
    let seen = match program {
        Some(_) if is_the_command => busybox.display().to_string(),
        Some(_) => "readlink(\"/proc/self/exe\")".to_owned(),
        None => "ENOENT".to_owned(),
    };
    let evidence = vec![
        Evidence::differs("echo $$", "1", &facts.report().pid),
        Evidence::differs("readlink(\"/proc/PID/exe\")", busybox.display(), seen),
    ];
    facts.require(facts.report().pid == "1" && is_the_command, evidence, Facts::pid_namespace)
}

pub fn arguments(answers: &Answers, host: &Host) -> Outcome {
    let facts = observe(answers, host, Given::Path)?;
    let seen = &facts.report().arguments;
    let evidence = Evidence::differs("\"$@\"", format!("{ARGUMENTS:?}"), format!("{seen:?}"));
    facts.require(*seen == ARGUMENTS, vec![evidence], Facts::arguments)
}

pub fn environment(answers: &Answers, host: &Host) -> Outcome {
    let facts = observe(answers, host, Given::Path)?;
    let kept = facts.report().canary == facts.probe.canary;
    // The words are other ones each time.
    let seen = if facts.report().canary.is_empty() { "\"\"" } else { "?" };
    let evidence = Evidence::differs("$CANARY", "getenv(\"CANARY\")", seen);
    facts.require(kept, vec![evidence], Facts::environment)
}

pub fn path(answers: &Answers, host: &Host) -> Outcome {
    let facts = observe(answers, host, Given::Name)?;
    facts.require(facts.started().report.is_some(), Vec::new(), diagnosis::nothing)
}

pub fn propagation(answers: &Answers, host: &Host) -> Outcome {
    let facts = observe(answers, host, Given::Path)?;
    // Which others there are is the machine's affair.
    let evidence = ["/", "/proc", "/tmp"].map(|path| {
        let seen = facts.mounts.at(Path::new(path)).map_or("-".to_owned(), propagation_of);
        Evidence::differs(format!("/proc/PID/mountinfo, {path}"), "private", seen)
    });
    let kept = facts.mounts.mounts.iter().all(|mount| propagation_of(mount) == "private");
    facts.require(kept && !facts.mounts.mounts.is_empty(), evidence.into(), Facts::propagation)
}

/// The propagation of a mount without the numbers of peer groups.
fn propagation_of(mount: &Mount) -> String {
    let fields = mount.optional_fields.iter();
    // Nothing passes an unbindable one either.
    let names: Vec<&str> = fields
        .filter_map(|field| field.split(':').next())
        .filter(|name| *name != "unbindable")
        .collect();
    if names.is_empty() { "private".to_owned() } else { names.join(",") }
}

pub fn host_mounts(answers: &Answers, host: &Host) -> Outcome {
    let facts = observe(answers, host, Given::Path)?;
    let kept = facts.seen.host_changes().is_empty();
    facts.require(kept, vec![facts.seen.host_evidence()], Facts::host_mounts)
}

pub fn host_name(answers: &Answers, host: &Host) -> Outcome {
    let facts = observe(answers, host, Given::Path)?;
    let seen = &facts.started().host_name;
    let evidence = Evidence::differs("gethostname()", HOST_NAME, seen);
    facts.require(seen == HOST_NAME, vec![evidence], Facts::host_name)
}

pub fn proc(answers: &Answers, host: &Host) -> Outcome {
    let facts = observe(answers, host, Given::Path)?;
    let seen = &facts.report().processes;
    let evidence = Evidence::differs("ls -d /proc/[0-9]*", "1", seen.join(" "));
    let evidence = vec![evidence, facts.proc_drawn()];
    facts.require(facts.proc_is_its_own(), evidence, Facts::proc_shows_others)
}

pub fn proc_flags(answers: &Answers, host: &Host) -> Outcome {
    let facts = observe(answers, host, Given::Path)?;
    let lacks = facts.proc_lacks();
    facts.require(lacks.is_empty(), vec![facts.proc_drawn()], Facts::proc_flags)
}

pub fn no_wait(answers: &Answers, host: &Host) -> Outcome {
    let facts = observe(answers, host, Given::Path)?;
    facts.require(facts.started().state == State::Running, Vec::new(), diagnosis::nothing)
}

pub fn caller(answers: &Answers, host: &Host) -> Outcome {
    let facts = observe(answers, host, Given::Path)?;
    let started = facts.started();
    let evidence = NAMESPACES.into_iter().chain([FOR_CHILDREN]).map(|kind| {
        let before = format!("readlink(\"/proc/self/ns/{kind}\") == before");
        let same = started.own_before.get(kind) == started.own_after.get(kind);
        Evidence::differs(before, true, same)
    });
    facts.require(started.own_before == started.own_after, evidence.collect(), Facts::caller)
}
