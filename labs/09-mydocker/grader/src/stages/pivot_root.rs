//! A root that cannot be left.

use std::path::Path;

use labkit::describe::mounts_below;
use labkit::host::Host;
use labkit::verdict::{Evidence, Finding};
use mydocker_kernel::mountinfo::MountTable;

use super::run::ONE;
use crate::diagnose;
use crate::facts::Facts;
use crate::observe::observe;
use crate::program::Program;
use crate::running::Ended;
use crate::seen::{Fate, Run};

pub fn host(program: &Program, host: &Host) -> Result<(), Finding> {
    let facts = observe(program, host, ONE)?;
    let is_read = facts.says("host") == Some(&facts.precious_words);
    let shows = facts.first_process().is_some_and(|it| !it.shows_the_host.is_empty());
    let evidence = mounts_drawn(&facts).into_iter().collect();
    facts.require(!is_read && !shows, evidence, &[diagnose::old_root])
}

/// The container's mounts, drawn.
fn mounts_drawn(facts: &Facts) -> Option<Evidence> {
    let parse = |table: &str| MountTable::parse(table.as_bytes()).ok();
    let table = parse(&facts.first_process()?.mounts)?;
    let drawing = mounts_below(&table, &parse(&facts.host_before)?, Path::new("/"));
    Some(Evidence::Tree { what: "/proc/PID/mountinfo of the command".into(), drawing })
}

pub fn breakout(program: &Program, host: &Host) -> Result<(), Finding> {
    let facts = observe(program, host, ONE)?;
    let stays = facts.first_process().is_some_and(|it| !it.can_break_out);
    let what = "a file of the host, after chroot(\"root\"), 64 times chdir(\"..\") and \
                chroot(\".\") by root in the container";
    let evidence = Evidence::differs(what, "ENOENT (No such file or directory)", "it exists");
    facts.require(stays, vec![evidence], &[diagnose::chroot])
}

pub fn working_directory(program: &Program, host: &Host) -> Result<(), Finding> {
    let facts = observe(program, host, ONE)?;
    // If a command is on the host's root, everything on the host is below its root.
    let is_inside =
        facts.first_process().is_some_and(|it| !it.works_outside) && !facts.has_run_on_the_host();
    let what = "the mount of /proc/PID/cwd";
    let evidence = Evidence::differs(what, "one in /proc/PID/mountinfo", "none of these");
    facts.require(is_inside, vec![evidence], &[diagnose::cwd])
}

pub fn descriptors(program: &Program, host: &Host) -> Result<(), Finding> {
    let facts = observe(program, host, ONE)?;
    let open = facts.first_process().map(|it| it.descriptors.join(", "));
    let what = "/proc/PID/fd beyond 0, 1 and 2; / was open when mydocker was started";
    let evidence = Evidence::differs(what, "none", open.as_deref().unwrap_or("-"));
    // They have nothing to do with the root.
    facts.require_of_command(open.as_deref() == Some(""), vec![evidence], &[diagnose::descriptors])
}

pub fn failed_pivot(program: &Program, host: &Host) -> Result<(), Finding> {
    let facts = observe(program, host, &[Fate::NoPivot])?;
    let run = facts.last();
    let is_stopped = |run: &Run| {
        let has_run = run.first_process.is_some() || run.says("pid").is_some();
        run.in_passing.was_refused && !has_run && run.ended != Ended::Exited(0)
    };
    // A program that changes its root in another way has no pivot_root to fail.
    let is_not_concerned =
        |run: &Run| !run.in_passing.called_pivot_root && run.says("words") == Some(&facts.words);
    let kept = run.is_some_and(|run| is_stopped(run) || is_not_concerned(run));
    let when = match run.is_some_and(|run| run.in_passing.was_refused) {
        true => "while pivot_root says EINVAL",
        false => "without a root of its own",
    };
    let own = &[diagnose::ignored, diagnose::fallback, diagnose::failure_not_told];
    // What leaks has nothing to do with whether the failure is told.
    facts.require_of_command(kept, vec![was_run(run, when)], own)
}

pub fn failed_start(program: &Program, host: &Host) -> Result<(), Finding> {
    let facts = observe(program, host, &[Fate::NoImage, Fate::Exit(7)])?;
    let first = facts.runs.first();
    let is_stopped = |run: &Run| run.says("pid").is_none() && run.ended != Ended::Exited(0);
    let own = &[diagnose::ignored, diagnose::failure_not_told];
    let mut evidence = vec![was_run(first, "without an image")];
    // The second run must work, and that is not on the host's root.
    evidence.extend(facts.on_the_hosts_root());
    let kept = first.is_some_and(is_stopped) && !facts.has_run_on_the_host();
    facts.require(kept, evidence, own)
}

pub fn devices(program: &Program, host: &Host) -> Result<(), Finding> {
    let facts = observe(program, host, ONE)?;
    let is_there = facts.says("null").is_some() && !facts.has_run_on_the_host();
    let what = "[ -c /dev/null ] && echo words >/dev/null, in the container";
    let seen = if is_there { "0" } else { "another" };
    let evidence = Evidence::differs(what, "0", seen);
    facts.require(is_there, vec![evidence], &[diagnose::devices])
}

/// Whether a command was run that should not have been.
fn was_run(run: Option<&Run>, when: &str) -> Evidence {
    let seen = match run {
        Some(run) if run.says("pid").is_some() => format!("it was run; exit code {}", run.ended),
        Some(run) => format!("it was not run; exit code {}", run.ended),
        None => "-".to_owned(),
    };
    let what = format!("mydocker run /root/exam/probe, {when}");
    Evidence::differs(what, "it is not run; an exit code other than 0", seen)
}
