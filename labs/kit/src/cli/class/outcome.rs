//! What came out for one lab of one submission, and how it is remembered.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use labkit::lab::Lab;
use labkit::record::Report;
use serde::{Deserialize, Serialize};

use super::super::standing::Standing;

/// What came out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "kebab-case")]
pub enum Outcome {
    /// There is no answer.
    Missing,
    /// The answer is none that may be compiled.
    Refused {
        why: String,
    },
    /// In the compiler's words.
    DoesNotCompile {
        said: String,
    },
    /// Compiling or grading was ended after its time; the words before that.
    TookTooLong {
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
            Outcome::Graded { .. } => "graded",
            Outcome::NotGraded { .. } => "not-graded",
        }
    }

    /// Why there is no grade.
    pub fn said(&self) -> Option<&str> {
        match self {
            Outcome::Missing | Outcome::Graded { .. } => None,
            Outcome::Refused { why: said }
            | Outcome::DoesNotCompile { said }
            | Outcome::TookTooLong { said }
            | Outcome::NotGraded { said } => Some(said),
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

/// The folder that remembers: `.lab/SUBMISSION/NUMBER.json` in the class's.
pub struct Memory {
    pub folder: PathBuf,
}

impl Memory {
    /// What came out for the same answer, if it is remembered.
    pub fn recall(&self, submission: &str, number: &str, key: &str) -> Option<Outcome> {
        let text = fs::read(self.file(submission, number)).ok()?;
        let kept: Kept = serde_json::from_slice(&text).ok()?;
        let is_final = !matches!(kept.outcome, Outcome::NotGraded { .. });
        (is_final && kept.key == key).then_some(kept.outcome)
    }

    /// Remembers it: whole, or not at all.
    pub fn keep(
        &self,
        submission: &str,
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

    fn file(&self, submission: &str, number: &str) -> PathBuf {
        self.folder.join("grades").join(Path::new(submission)).join(format!("{number}.json"))
    }
}
