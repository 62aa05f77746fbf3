//! Grades for machines.

mod classroom;
mod gradescope;
mod json;
mod junit;

use labkit::lab::PromiseText;
use labkit::look::Look;
use labkit::report;
use labkit::verdict::Verdict;

use super::grade::Grade;
use super::session::Session;

/// A form in which another program wants grades.
#[derive(Debug, Clone, Copy)]
pub enum Format {
    Json,
    JUnit,
    Gradescope,
    Classroom,
}

impl Format {
    /// The grades in this form.
    pub fn write(self, session: &Session, grades: &[Grade]) -> String {
        match self {
            Format::Json => json::write(session, grades),
            Format::JUnit => junit::write(session, grades),
            Format::Gradescope => gradescope::write(session, grades),
            Format::Classroom => classroom::write(session, grades),
        }
    }
}

/// What is said of a promise that is not kept; of one that is kept, nothing.
fn words(session: &Session, grade: &Grade, promise: &PromiseText) -> Option<String> {
    let verdict = grade.outcome.as_ref().ok()?.verdicts.get(&promise.name)?;
    match verdict {
        Verdict::Kept => None,
        Verdict::NotGradable(lacking) => Some(report::not_gradable(*lacking, session.language)),
        Verdict::Broken(finding) => {
            let (language, name) = (session.language, &promise.name);
            Some(report::broken(grade.lab, name, finding, language, Look::PLAIN))
        }
    }
}

/// Why a lab has no grade that counts.
fn why_not_graded(session: &Session, grade: &Grade) -> Option<String> {
    match &grade.outcome {
        Err(said) => Some(said.clone()),
        Ok(report) if report.graders_changed.is_empty() => None,
        Ok(report) => Some(report::graders_changed(&report.graders_changed, session.language)),
    }
}
