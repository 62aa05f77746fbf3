//! What came out for one lab.

use labkit::lab::{Lab, PromiseText};
use labkit::language::Language;
use labkit::look::Look;
use labkit::record::Report;
use labkit::report;
use labkit::verdict::Verdict;

use crate::grader;
use crate::programs::Built;
use crate::session::Session;
use crate::standing::Standing;

/// What came out for one lab.
pub struct Grade<'a> {
    pub lab: &'a Lab,
    /// The report, or why there is none, in cargo's or the grader's words.
    pub outcome: Result<Report, String>,
    /// The only promises that were asked for: those with this in their names.
    pub only: Option<&'a str>,
}

impl<'a> Grade<'a> {
    /// Grades a lab by the program that was built for it; of its promises only
    /// those with `only` in their names.
    pub fn by(session: &Session, lab: &'a Lab, built: &Built, only: Option<&'a str>) -> Grade<'a> {
        let Some(program) = built.programs.get(&lab.number) else {
            return Grade { lab, outcome: Err(built.said.clone()), only };
        };
        let run = grader::name_of_a_run();
        let grader = built.graders.get(&lab.number);
        let said = grader::said_by(session, lab, program, grader, only, &run)
            .unwrap_or_else(|error| format!("{}: {error}\n", program.display()));
        // One of an earlier run says nothing of this answer.
        let is_of_this_run = |report: &Report| report.run.as_ref() == Some(&run);
        let outcome = match session.records.report(lab).filter(is_of_this_run) {
            Some(report) => Ok(report),
            None => {
                eprint!("{said}");
                Err(said)
            }
        };
        Grade { lab, outcome, only }
    }

    /// Whether a promise was asked for.
    fn asks_for(&self, promise: &PromiseText) -> bool {
        self.only.is_none_or(|words| promise.name.contains(words))
    }

    /// Where the lab stands by this grade alone.
    pub fn standing(&self) -> Standing<'a> {
        let mut standing = match &self.outcome {
            Ok(report) => Standing::in_report(self.lab, report),
            Err(_) => Standing::in_report(self.lab, &Report::default()),
        };
        standing.promises.retain(|(promise, _)| self.asks_for(promise));
        standing
    }

    /// Whether it counts: something was graded, by the graders as they were
    /// released.
    pub fn counts(&self) -> bool {
        self.why_it_does_not_count(Language::English).is_none()
    }

    /// Why nothing of it can be graded here, if that is so.
    pub fn why_nothing_is_gradable(&self, language: Language) -> Option<String> {
        let mut asked = self.outcome.as_ref().ok()?.verdicts.clone();
        asked.retain(|name, _| self.lab.promise(name).is_some_and(|it| self.asks_for(it)));
        report::nothing_gradable(self.lab, &asked, language)
    }

    /// Why there is no grade that counts.
    pub fn why_it_does_not_count(&self, language: Language) -> Option<String> {
        match &self.outcome {
            Err(said) => Some(said.clone()),
            Ok(report) if report.graders_changed.is_empty() => {
                self.why_nothing_is_gradable(language)
            }
            Ok(report) => Some(report::graders_changed(&report.graders_changed, language)),
        }
    }

    /// What is said of a promise that is not kept; of one that is kept, nothing.
    pub fn words_on(&self, promise: &PromiseText, language: Language) -> Option<String> {
        match self.outcome.as_ref().ok()?.verdicts.get(&promise.name)? {
            Verdict::Kept => None,
            Verdict::NotGradable(lacking) => Some(report::not_gradable(*lacking, language)),
            Verdict::Broken(finding) => {
                Some(report::broken(self.lab, &promise.name, finding, language, Look::PLAIN))
            }
        }
    }
}
