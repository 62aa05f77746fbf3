//! What came out for one lab of one submission, and how it is remembered.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use labkit::lab::Lab;
use labkit::language::Language;
use labkit::record::Report;
use labkit::report;
use labkit::verdict::Verdict;
use rust_i18n::t;
use serde::{Deserialize, Serialize};

use super::refusal::Refusal;
use super::submission::Submission;
use crate::standing::Standing;

/// What came out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "kebab-case")]
pub enum Outcome {
    /// There is no answer.
    Missing,
    /// The answer is none that may be compiled.
    Refused {
        /// What of the submission.
        place: String,
        refusal: Refusal,
    },
    /// In the compiler's words.
    DoesNotCompile {
        said: String,
    },
    /// It was ended after its time; the words before that.
    TookTooLong {
        doing: Doing,
        said: String,
    },
    Graded {
        report: Report,
    },
    /// The grader itself has failed; in its words. This is tried again.
    NotGraded {
        said: String,
    },
}

/// One lab of one submission.
pub struct Graded<'a> {
    pub submission: &'a Submission,
    pub lab: &'a Lab,
    pub outcome: Outcome,
}

/// What took too long.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "doing", rename_all = "kebab-case")]
pub enum Doing {
    Compiling { what: String, seconds: u32 },
    Grading { seconds: u32 },
}

/// What is remembered of one.
#[derive(Serialize, Deserialize)]
struct Kept {
    /// What the outcome depends on.
    key: String,
    outcome: Outcome,
}

impl Outcome {
    /// Its name in the texts and in reports.
    pub fn name(&self) -> &'static str {
        match self {
            Outcome::Missing => "missing",
            Outcome::Refused { .. } => "refused",
            Outcome::DoesNotCompile { .. } => "does-not-compile",
            Outcome::TookTooLong { .. } => "took-too-long",
            Outcome::Graded { report } if says_nothing(report) => "not-gradable",
            Outcome::Graded { .. } => "graded",
            Outcome::NotGraded { .. } => "not-graded",
        }
    }

    /// Whether there is a verdict, or that there is none is the submission's own
    /// fault: all else is to be graded again, elsewhere or later.
    pub fn is_final(&self) -> bool {
        match self {
            Outcome::NotGraded { .. } => false,
            Outcome::Graded { report } => !says_nothing(report),
            _ => true,
        }
    }

    /// Why there is no grade: what is wrong with what was handed in, what the
    /// compiler or the grader has said, or what this machine lacks.
    pub fn why_there_is_no_grade(&self, language: Language) -> Option<String> {
        let locale = language.locale();
        match self {
            Outcome::Missing => None,
            Outcome::Graded { report } => {
                report::all_lacking(&report.verdicts, language).map(|all| all.join("; "))
            }
            Outcome::Refused { place, refusal } => {
                Some(format!("{place}: {}", refusal.text(language)))
            }
            Outcome::TookTooLong { doing, said } => {
                let what = match doing {
                    Doing::Compiling { what, seconds } => {
                        t!("too-long.compiling", locale = locale, what = what, seconds = seconds)
                    }
                    Doing::Grading { seconds } => {
                        t!("too-long.grading", locale = locale, seconds = seconds)
                    }
                };
                Some(format!("{what}\n{said}").trim_end().to_owned())
            }
            Outcome::DoesNotCompile { said } | Outcome::NotGraded { said } => Some(said.clone()),
        }
    }

    /// Where the lab stands by this.
    pub fn standing<'a>(&self, lab: &'a Lab) -> Standing<'a> {
        match self {
            Outcome::Graded { report } => Standing::in_report(lab, report),
            _ => Standing::in_report(lab, &Report::default()),
        }
    }
}

/// Whether nothing of a lab could be graded on this machine.
fn says_nothing(report: &Report) -> bool {
    report.verdicts.values().all(|verdict| matches!(verdict, Verdict::NotGradable(_)))
}

/// The folder that remembers: `.lab/SUBMISSION/NUMBER.json` in the class's.
pub struct Memory {
    pub folder: PathBuf,
}

impl Memory {
    /// What came out for the same answer, if it is remembered.
    pub fn recall(&self, submission: &OsStr, number: &str, key: &str) -> Option<Outcome> {
        let text = fs::read(self.file(submission, number)).ok()?;
        let kept: Kept = serde_json::from_slice(&text).ok()?;
        (kept.outcome.is_final() && kept.key == key).then_some(kept.outcome)
    }

    /// Remembers it: whole, or not at all.
    pub fn keep(
        &self,
        submission: &OsStr,
        number: &str,
        key: String,
        outcome: &Outcome,
    ) -> io::Result<()> {
        let file = self.file(submission, number);
        fs::create_dir_all(file.parent().expect("in the folder"))?;
        let kept = Kept { key, outcome: outcome.clone() };
        let unfinished = file.with_extension("part");
        fs::write(&unfinished, serde_json::to_vec_pretty(&kept)?)?;
        fs::rename(unfinished, file)
    }

    fn file(&self, submission: &OsStr, number: &str) -> PathBuf {
        self.folder.join("grades").join(Path::new(submission)).join(format!("{number}.json"))
    }
}
