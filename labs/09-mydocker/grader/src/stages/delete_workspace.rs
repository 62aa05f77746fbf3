//! What is left: nothing but the image and the volumes.

use labkit::host::Host;
use labkit::verdict::{Evidence, Finding};

use super::run::ONE;
use crate::diagnose::{self, Rule, is_mounted};
use crate::facts::{Facts, should_be_there};
use crate::observe::observe;
use crate::program::Program;
use crate::seen::{Fate, Run};

/// The rules on what is left, by a crash or otherwise.
const LEFT: &[Rule] =
    &[diagnose::panicked, diagnose::harm, diagnose::left, diagnose::unknown_write_layer];

pub fn success(program: &Program, host: &Host) -> Result<(), Finding> {
    let facts = observe(program, host, ONE)?;
    let mut evidence = facts.last().map(|run| left(&facts, run)).unwrap_or_default();
    evidence.extend(unknown_write_layer(&facts));
    facts.require(evidence.is_empty(), evidence, LEFT)
}

pub fn failure(program: &Program, host: &Host) -> Result<(), Finding> {
    let mut fates = vec![Fate::Exit(0), Fate::Exit(7), Fate::NoCommand];
    if program.adapter.volume.is_some() {
        fates.push(Fate::NoVolume);
    }
    let facts = observe(program, host, &fates)?;
    let failures = facts.runs.iter().skip(1);
    let mut evidence: Vec<Evidence> = failures.flat_map(|run| left(&facts, run)).collect();
    evidence.dedup();
    evidence.extend(unknown_write_layer(&facts));
    facts.require(evidence.is_empty(), evidence, LEFT)
}

pub fn next(program: &Program, host: &Host) -> Result<(), Finding> {
    let facts = observe(program, host, &[Fate::Exit(0), Fate::Exit(0)])?;
    let evidence = facts.last().map(of_earlier).unwrap_or_default();
    facts.require(evidence.is_empty(), evidence, &[diagnose::left, diagnose::earlier])
}

pub fn volume(program: &Program, host: &Host) -> Result<(), Finding> {
    let facts = observe(program, host, ONE)?;
    let volume = facts.last().map(|run| &run.volume);
    let is_intact = volume.is_some_and(|volume| volume.is_intact);
    let has_new = volume.is_some_and(|volume| volume.has_new);
    let evidence = [
        should_be_there("the host's file in the volume", is_intact),
        should_be_there("the file that the container has written to the volume", has_new),
    ];
    let evidence = evidence.into_iter().flatten().collect();
    facts.require(is_intact && has_new, evidence, &[diagnose::harm, diagnose::volume])
}

pub fn busy(program: &Program, host: &Host) -> Result<(), Finding> {
    let facts = observe(program, host, &[Fate::Exit(0), Fate::Busy])?;
    let is_intact = facts.runs.iter().all(|run| run.volume.is_intact);
    let is_deleted = |run: &Run| run.worked_in_mnt && run.left_in_write_layer.is_empty();
    let has_layer = !facts.runs.iter().any(is_deleted);
    let evidence = [
        should_be_there(
            "the host's file in the volume, where somebody was working when the container ended",
            is_intact,
        ),
        should_be_there(
            "the files of the write layer, while somebody had mnt/root/exam open",
            has_layer,
        ),
    ];
    let mut evidence: Vec<Evidence> = evidence.into_iter().flatten().collect();
    evidence.extend(unknown_write_layer(&facts));
    facts.require(evidence.is_empty(), evidence, LEFT)
}

pub fn killed(program: &Program, host: &Host) -> Result<(), Finding> {
    let fates = &[Fate::Exit(0), Fate::ProgramKilled, Fate::Exit(0)];
    let facts = observe(program, host, fates)?;
    let mut evidence = Vec::new();
    if let Some(run) = facts.last() {
        let before = facts.runs[0].ended;
        if run.ended != before {
            let what = "the exit code of the run after the kill, and of the one before";
            evidence.push(Evidence::differs(what, before, run.ended));
        }
        evidence.extend(of_earlier(run));
        evidence.extend(left(&facts, run));
    }
    let killed = facts.runs.iter().find(|run| run.fate == Fate::ProgramKilled);
    if let Some(names) = killed.map(|run| &run.left_for_ever).filter(|names| !names.is_empty()) {
        let what = "the write layer of the killed container, after the next run";
        evidence.push(Evidence::differs(what, "gone, or empty", some(names)));
    }
    let is_intact = facts.runs.iter().all(|run| run.volume.is_intact);
    evidence.extend(should_be_there("the host's file in the volume", is_intact));
    evidence.extend(unknown_write_layer(&facts));
    let earlier = facts.last().map(|run| of_earlier(run).len()).unwrap_or_default();
    let only_earlier = earlier > 0 && evidence.len() == earlier;
    // A crash explains what is left, but not what was written to the image.
    let own = match only_earlier {
        true => vec![diagnose::earlier as Rule],
        false => [LEFT, &[diagnose::recovery, diagnose::earlier]].concat(),
    };
    facts.require(evidence.is_empty(), evidence, &own)
}

/// What is still there of a container: mounts, and files in its directories.
fn left(facts: &Facts, run: &Run) -> Vec<Evidence> {
    let mut evidence = Vec::new();
    if facts.host_changes(&run.host_after).iter().any(is_mounted) {
        evidence.push(facts.host_evidence(&run.host_after));
    }
    let folders = [("the write layer", &run.left_in_write_layer), ("mnt", &run.left_in_mnt)];
    for (folder, names) in folders.into_iter().filter(|(_, names)| !names.is_empty()) {
        let what = format!("{folder} after the end");
        evidence.push(Evidence::differs(what, "gone, or empty", some(names)));
    }
    evidence
}

/// If nobody could look, nobody can say that nothing is left.
fn unknown_write_layer(facts: &Facts) -> Option<Evidence> {
    let is_known = diagnose::unknown_write_layer(facts).is_none();
    should_be_there("the write layer, where the adapter says, while a container runs", is_known)
}

/// The first names of many.
fn some(names: &[String]) -> String {
    let (first, others) = names.split_at(names.len().min(5));
    first.join(" ") + if others.is_empty() { "" } else { " …" }
}

/// What an earlier container has left in this one.
fn of_earlier(run: &Run) -> Vec<Evidence> {
    let what = "/root/exam/new of an earlier container, in this one";
    let evidence = Evidence::differs(what, "ENOENT (No such file or directory)", "it exists");
    run.says("earlier").map(|_| evidence).into_iter().collect()
}
