//! All that was seen in one trial, and how it is judged.

use std::io;

use labkit::host::Host;
use labkit::verdict::{Evidence, Finding, PANICKED, Whose, require};
use mydocker::mountinfo::{Change, MountTable, difference};
use nix::sched::CloneFlags;
use serde::{Deserialize, Serialize};

use crate::UNFORESEEN;
use crate::diagnose::{Rule, diagnose};
use crate::first_process::FirstProcess;
use crate::image::{ARGUMENTS, FILE, PROBE};
use crate::program::Program;
use crate::trial::{Fate, Run, Trial};

/// What the reports call the program.
const FUNCTION: &str = "mydocker";

/// What was seen in one trial.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Facts {
    /// The random words in the image.
    pub words: String,
    /// The random words in the same place on the host.
    pub hosts_words: String,
    /// Those in the file of the host's user.
    pub precious_words: String,
    /// The host's mount table before all.
    pub host_before: String,
    /// The random words in the volume.
    pub volumes_words: String,
    /// A command of the adapter's `prepare` that has failed, and how.
    pub unprepared: Option<(String, Run)>,
    /// The containers, one after another.
    pub runs: Vec<Run>,
    /// The image's folder, if the adapter tells it.
    pub image: Option<String>,
    /// Whether the image was still there after the last container.
    pub has_image: bool,
    /// The paths in the image that the last container has changed.
    pub image_changes: Vec<String>,
    /// Whether the containers were given a volume.
    pub has_volume: bool,
    /// What kept the grader from going on: the host was not as it was any more.
    pub interrupted: Option<String>,
}

/// Has the program run containers on a fresh host, one after another.
///
/// # Errors
/// The program did not come to its end: what happened instead.
pub fn observe(program: &Program, host: &Host, fates: &[Fate]) -> Result<Facts, Finding> {
    let setting = program.set_up(host).expect("room in the scratch folder");
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
            interrupted: None,
        };
        let outcome = run_all(&trial, fates, &mut facts);
        facts.interrupted = outcome.err().map(|error| error.to_string());
        facts
    });
    seen.map(|seen| seen.returned).map_err(of_the_grader)
}

/// The program is executed, so that a panic can only be the grader's own: it says
/// nothing of the program but that it has taken away what the grader stands on.
fn of_the_grader(mut finding: Finding) -> Finding {
    if finding.code != PANICKED {
        return finding;
    }
    let words = finding.words.remove("words").unwrap_or_default();
    finding.words.clear();
    finding.code = UNFORESEEN.to_owned();
    finding.with([unfinished(&words)])
}

/// Evidence of what has kept the grader from its work.
fn unfinished(error: &str) -> Evidence {
    Evidence::differs("the grader's own next step, on this host", "Ok", error)
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
        let stamp = trial.stamp_of_image();
        let before = first_stamp.get_or_insert_with(|| stamp.clone());
        if let (Some(before), Some(after)) = (before, &stamp) {
            facts.has_image = !before.is_empty() && !after.is_empty();
            facts.image_changes = before.difference(after);
        }
    }
    Ok(())
}

fn run(trial: &Trial, name: &str, fate: Fate) -> io::Result<Run> {
    match fate {
        Fate::Exit(code) => Ok(trial.start(name)?.exit(code)),
        Fate::NoCommand => trial.run(name, &["/root/exam/nothing"], fate),
        Fate::NoVolume => trial.run_with_volume_at(FILE, name, &["true"], fate),
        Fate::NoPivot => trial.start_without_pivot(name),
        Fate::NoImage => trial.run(name, &["sh", PROBE], fate),
        Fate::Arguments => trial.run(name, &["sh", ARGUMENTS, "a  b", "", "$HOME"], fate),
        Fate::Environment => trial.run(name, &["env", "exam:environment=read"], fate),
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

impl Facts {
    /// Says that a promise about a container is kept, or else why not: by its own
    /// rules, if the container was one and did not disturb the host. A promise about
    /// a container that did not run is not kept.
    ///
    /// # Errors
    /// The promise is not kept.
    pub fn require(
        &self,
        kept: bool,
        evidence: Vec<Evidence>,
        own: &[Rule],
    ) -> Result<(), Finding> {
        let is_one = !self.has_run_on_the_host() && self.leaks().is_none();
        self.require_of_command(kept, evidence, if is_one { own } else { &[] })
    }

    /// The same of a promise that has nothing to do with where the command is run.
    ///
    /// # Errors
    /// The promise is not kept.
    pub fn require_of_command(
        &self,
        kept: bool,
        evidence: Vec<Evidence>,
        own: &[Rule],
    ) -> Result<(), Finding> {
        let stopped = self.stopped();
        let is_whole = self.unprepared.is_none() && self.interrupted.is_none();
        let has_run = stopped.is_empty() && is_whole;
        let is_kept = kept && has_run;
        let own = if has_run { own } else { &[] };
        let mut evidence = match stopped.is_empty() {
            true => evidence,
            false => stopped.into_iter().chain(self.leaks()).collect(),
        };
        evidence.extend(self.interrupted.as_deref().map(unfinished));
        require(is_kept, || evidence, || diagnose(self, own), UNFORESEEN)
    }

    /// The first container in which the probe did not come to its end. What is
    /// only printed, by no process that executes it, does not count.
    fn stopped(&self) -> Vec<Evidence> {
        let has_run = |run: &Run| run.says("changed").is_some() && run.first_process.is_some();
        let has_stopped = |run: &&Run| run.fate.has_probe() && !has_run(run);
        let mut evidence = Vec::new();
        if let Some(run) = self.runs.iter().find(has_stopped) {
            let how_far = match (run.says("pid"), &run.first_process) {
                (None, _) => "it has not run",
                (Some(_), None) => "no process executes it",
                (Some(_), Some(_)) => "it has stopped",
            };
            let seen = format!("{how_far}; exit code {}", run.ended);
            let what = format!("mydocker run sh {PROBE}");
            evidence.push(Evidence::differs(what, "the script comes to its end", seen));
        }
        evidence
    }

    /// The mounts of a container that were seen on the host.
    pub fn leaks(&self) -> Option<Evidence> {
        let run = self.runs.iter().find(|run| !run.in_passing.leaked.is_empty())?;
        let leaked: Vec<&str> = run.in_passing.leaked.iter().map(String::as_str).collect();
        let what = "the host's mount table, while a container was started";
        Some(Evidence::differs(what, "no mount of the container's own", leaked.join(", ")))
    }

    /// Whether a container's command found the host's files in place of the image's.
    pub fn is_on_the_hosts_root(&self, run: &Run) -> bool {
        run.says("words") == Some(&self.hosts_words)
    }

    /// Whether that is so of any.
    pub fn has_run_on_the_host(&self) -> bool {
        self.runs.iter().any(|run| self.is_on_the_hosts_root(run))
    }

    /// The last container.
    pub fn last(&self) -> Option<&Run> {
        self.runs.last()
    }

    /// What the probe of the last container has said.
    pub fn says(&self, fact: &str) -> Option<&str> {
        self.last().and_then(|run| run.says(fact))
    }

    /// The first process of the last container.
    pub fn first_process(&self) -> Option<&FirstProcess> {
        self.last()?.first_process.as_ref()
    }

    /// How the host's mount table has changed since the beginning.
    pub fn host_changes(&self, table: &str) -> Vec<Change> {
        let parse = |table: &str| MountTable::parse(table.as_bytes()).expect("the kernel's own");
        difference(&parse(&self.host_before), &parse(table))
    }

    /// The same as evidence.
    pub fn host_evidence(&self, table: &str) -> Evidence {
        Evidence::changes(Whose::Host, &self.host_changes(table))
    }
}

/// Evidence of whether something is there that should be; none if it is.
pub fn should_be_there(what: &str, is_there: bool) -> Option<Evidence> {
    (!is_there).then(|| Evidence::differs(what, "there", "not there"))
}
