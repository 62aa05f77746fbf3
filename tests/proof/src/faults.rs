//! Every system call may fail, and every moment may be the last one.

mod birth;
mod calls;
mod record;
mod running;
mod scenes;
mod strace;
mod verdict;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use crate::ground::Ground;
use crate::parallel::attempt_all;
use crate::report::Section;
use crate::{Proof, Subject};
use record::occurrences;
use scenes::Scene;
use strace::{Ended, Fate, Injection, Who};
use verdict::{Expected, Verdict};

/// See the promise.
pub const SUBJECT: Subject = Subject {
    name: "faults",
    promise: "Any system call may fail and any may be the last: a command then does what it \
              would have done or says which call failed and why, and prune clears up the rest.",
    lacking: || {
        let there = std::process::Command::new("strace").arg("-V").output().is_ok();
        (!there).then(|| "there is no strace; scripts/install-tools installs it".into())
    },
    prove,
};

/// Every so manyth injection is tried in the short form; a prime, so that all
/// calls and errors have their turn.
const EVERY: usize = 17;

/// A call of one process of one command, changed.
struct Attempt<'a> {
    recording: &'a Recording,
    injection: Injection,
}

/// One process of one command, undisturbed.
struct Recording {
    scene: &'static Scene,
    who: Who,
    ended: Ended,
    made: String,
}

fn scenes() -> impl Iterator<Item = &'static Scene> {
    scenes::SCENES.iter().chain(&running::SCENES)
}

fn prove(proof: &Proof, section: &mut Section) {
    let recordings = Mutex::new(Vec::new());
    let processes: Vec<(&'static Scene, Who)> = scenes()
        .flat_map(|scene| (scene.processes)().iter().map(move |who| (scene, *who)))
        .collect();
    section.failures = attempt_all(proof, &processes, |ground, &(scene, who)| {
        let recording = record(ground, scene, who)?;
        recordings.lock().expect("no panic here").push(recording);
        Ok(())
    });
    let mut recordings = recordings.into_inner().expect("no panic here");
    recordings.sort_by_key(|recording| (recording.scene.name, recording.who));

    let mut attempts = Vec::new();
    for recording in &recordings {
        match occurrences(&recording.ended.log) {
            Ok(seen) => attempts.extend(seen.iter().flat_map(|seen| {
                let errors = seen.call.errors.iter().map(|error| Fate::Error(error));
                errors.chain([Fate::Kill]).map(|fate| Attempt {
                    recording,
                    injection: Injection { call: seen.name, number: seen.number, fate },
                })
            })),
            Err(error) => section.failures.push(format!("{}: {error}", recording.scene.name)),
        }
    }
    let attempts: Vec<Attempt> = attempts.into_iter().step_by(proof.pick(EVERY, 1)).collect();
    let verdicts = Mutex::new(Vec::new());
    section.failures.extend(attempt_all(proof, &attempts, |ground, attempt| {
        let verdict = try_it(ground, attempt);
        let broken = verdict.as_ref().err().cloned();
        verdicts.lock().expect("no panic here").push((attempt, verdict.ok()));
        broken.map_or(Ok(()), Err)
    }));
    write_down(section, &verdicts.into_inner().expect("no panic here"));
}

fn record(ground: &Ground, scene: &'static Scene, who: Who) -> Result<Recording, String> {
    (scene.prepare)(ground);
    let ended = strace::run(ground, &(scene.command)(ground), who, None)?;
    let made = (scene.made)(ground).replace(&ground.name, "NAME");
    ground.check().map_err(|changes| format!("{} undisturbed: {ended}\n{changes}", scene.name))?;
    Ok(Recording { scene, who, ended: verdict::without_name(ended, &ground.name), made })
}

fn try_it(ground: &Ground, attempt: &Attempt) -> Result<Verdict, String> {
    let Attempt { recording: Recording { scene, who, ended: usual, made }, injection } = attempt;
    (scene.prepare)(ground);
    let command = (scene.command)(ground);
    let outcome = strace::run(ground, &command, *who, Some(injection));
    let expected = Expected { usual, made, who: *who, injection };
    let broken =
        |why: String| format!("{}: {why}", strace::command_line(&command, *who, injection));
    let made = (scene.made)(ground).replace(&ground.name, "NAME");
    let verdict = outcome.and_then(|ended| {
        let ended = verdict::without_name(ended, &ground.name);
        expected.judge(&ended, &made).map_err(|why| format!("{why}\n{ended}"))
    });
    // A command that was not disturbed leaves nothing to be cleared.
    let clean = match &verdict {
        Ok(Verdict::Survived | Verdict::NotReached) => ground.check(),
        _ => Ok(()),
    };
    let pruned = ground.check_after_prune();
    let verdict = verdict.map_err(&broken)?;
    clean.map_err(|changes| broken(format!("left without a word:\n{changes}")))?;
    pruned.map_err(|changes| broken(format!("left after prune:\n{changes}")))?;
    Ok(verdict)
}

fn write_down(section: &mut Section, verdicts: &[(&Attempt, Option<Verdict>)]) {
    section.figure("injections tried", verdicts.len());
    let count = |wanted| verdicts.iter().filter(|(_, verdict)| *verdict == Some(wanted)).count();
    section
        .figure("of which the command survived, as if nothing had been", count(Verdict::Survived));
    section.figure("refused, saying which call and why", count(Verdict::Refused));
    section.figure("killed, and cleared by prune", count(Verdict::Killed));
    section.figure("not reached, for the command went another way", count(Verdict::NotReached));

    for scene in scenes() {
        let mut rows: BTreeMap<&str, Vec<_>> = BTreeMap::new();
        for (attempt, verdict) in verdicts {
            if attempt.recording.scene.name == scene.name {
                rows.entry(attempt.injection.call).or_default().push((attempt, verdict));
            }
        }
        let rows = rows.into_iter().map(|(call, tried)| {
            let occurrences = |who: Who| {
                let of_it = tried.iter().filter(|(attempt, _)| attempt.recording.who == who);
                of_it.map(|(attempt, _)| attempt.injection.number).collect::<BTreeSet<_>>().len()
            };
            let numbers =
                [Who::Parent, Who::Keeper, Who::Child].map(|who| occurrences(who).to_string());
            let errors = calls::named(call).map(|(_, call)| call.errors.join(" "));
            let kept = tried.iter().filter(|(_, verdict)| verdict.is_some()).count();
            vec![
                call.into(),
                numbers.join(" / "),
                errors.unwrap_or_default(),
                tried.len().to_string(),
                kept.to_string(),
            ]
        });
        let columns =
            ["call", "in parent / keeper / child", "errors, beside SIGKILL", "tried", "kept"];
        section.table(scene.name, &columns, rows.collect());
    }
}
