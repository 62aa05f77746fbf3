//! How the facts are judged.

use labkit::verdict::{Evidence, Finding, require};

use crate::UNFORESEEN;
use crate::diagnose::{self, Rule, diagnose};
use crate::facts::{Facts, unfinished};
use crate::image::PROBE;
use crate::seen::Run;

impl Facts {
    /// Says that a promise about a container is kept, or why not: by its own
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
        let own: &[Rule] = match (self.leaks(), self.has_run_on_the_host()) {
            (Some(_), _) => &[],
            (None, true) => &[diagnose::ignored, diagnose::on_the_hosts_root],
            (None, false) => own,
        };
        self.require_of_command(kept, evidence, own)
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
            let what = format!("mydocker run {PROBE}");
            evidence.push(Evidence::differs(what, "the script comes to its end", seen));
        }
        evidence
    }
}
