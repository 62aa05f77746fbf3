//! How the facts are found: containers on a fresh host, one after another.

use std::io;

use labkit::host::Host;
use labkit::verdict::{Finding, PANICKED};
use nix::sched::CloneFlags;

use crate::UNFORESEEN;
use crate::diagnose::not_written;
use crate::facts::{Facts, unfinished};
use crate::image::{ARGUMENTS, FILE, PROBE};
use crate::program::Program;
use crate::seen::{Fate, Run};
use crate::trial::Trial;

/// What the reports call the program.
pub const FUNCTION: &str = "mydocker";

/// Has the program run containers on a fresh host, one after another.
///
/// # Errors
/// The program did not come to its end: what happened instead.
pub fn observe(program: &Program, host: &Host, fates: &[Fate]) -> Result<Facts, Finding> {
    let setting = program.set_up(host).expect("room in the scratch directory");
    let precious_words = host.precious().words().expect("the host's file");
    let seen = host.call(FUNCTION, CloneFlags::empty(), || {
        let trial = Trial::begin(&setting).expect("/proc is there");
        let mut facts = Facts {
            words: setting.words.clone(),
            hosts_words: setting.hosts_words.clone(),
            precious_words,
            host_before: trial.host_table().expect("the host has a mount table"),
            volumes_words: setting.volumes_words.clone(),
            unprepared: None,
            runs: Vec::new(),
            image: setting.adapter.folders.image.clone(),
            has_image: false,
            image_changes: Vec::new(),
            has_volume: setting.adapter.volume.is_some(),
            kernel_has_aufs: trial.kernel_knows("aufs"),
            interrupted: None,
        };
        let outcome = run_all(&trial, fates, &mut facts);
        facts.interrupted = outcome.err().map(|error| error.to_string());
        facts
    });
    seen.map(|seen| seen.returned).map_err(of_the_grader)
}

/// The program is executed, so that a panic can only be the grader's own: it says
/// nothing about the program except that it took away what the grader stands on.
pub fn of_the_grader(mut finding: Finding) -> Finding {
    if finding.code != PANICKED {
        return finding;
    }
    let words = finding.words.remove("words").unwrap_or_default();
    finding.words.clear();
    finding.code = UNFORESEEN.to_owned();
    finding.with([unfinished(&words)])
}

fn run_all(trial: &Trial, mut fates: &[Fate], facts: &mut Facts) -> io::Result<()> {
    if let Some((Fate::NoImage, rest)) = fates.split_first() {
        facts.runs.push(run(trial, "exam0", Fate::NoImage)?);
        fates = rest;
    }
    facts.unprepared = trial.prepare()?;
    if facts.unprepared.is_some() {
        return Ok(());
    }
    let mut first_stamp = None;
    for (number, fate) in fates.iter().enumerate() {
        let name = format!("exam{}", number + 1);
        facts.runs.push(run(trial, &name, *fate)?);
        // More of them would say no more.
        if not_written(facts).is_some() {
            return Ok(());
        }
        let stamp = trial.stamp_of_image();
        let before = first_stamp.get_or_insert_with(|| stamp.clone());
        if let (Some(before), Some(after)) = (before, &stamp) {
            facts.has_image = !before.is_empty() && !after.is_empty();
            facts.image_changes = before.difference(after);
        }
    }
    facts.runs.iter_mut().for_each(Run::look_for_ever);
    Ok(())
}

fn run(trial: &Trial, name: &str, fate: Fate) -> io::Result<Run> {
    match fate {
        Fate::Exit(code) => Ok(trial.start(name)?.exit(code)),
        Fate::NoCommand => trial.run(name, &["/root/exam/nothing"], fate),
        Fate::NotExecutable => trial.run(name, &[FILE], fate),
        Fate::NoVolume => trial.run_with_volume_at(FILE, name, &["true"], fate),
        Fate::NoPivot => trial.start_without_pivot(name),
        Fate::NoImage => trial.run(name, &[PROBE], fate),
        Fate::Environment => Ok(Run { fate, ..trial.start(name)?.exit(0) }),
        Fate::Arguments => trial.run(name, &[ARGUMENTS, "a  b", "", "$HOME"], fate),
        Fate::Killed => Ok(trial.start(name)?.kill()),
        Fate::ProgramKilled => {
            let run = trial.start(name)?.kill_program();
            trial.recover()?;
            Ok(run)
        }
        Fate::Busy => {
            let run = trial.start(name)?.exit_while_busy();
            trial.recover()?;
            Ok(run)
        }
    }
}
