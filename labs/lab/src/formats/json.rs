//! Everything that is known of a grade, as JSON.

use labkit::verdict::Verdict;
use serde::Serialize;

use crate::grade::Grade;
use crate::session::Session;

/// Grows when a reader of an older form would misunderstand a newer one.
const VERSION: u32 = 1;

#[derive(Serialize)]
struct Grades<'a> {
    version: u32,
    labs: Vec<LabGrade<'a>>,
}

#[derive(Serialize)]
struct LabGrade<'a> {
    lab: &'a str,
    name: &'a str,
    title: &'a str,
    /// In seconds since 1970.
    graded_at: Option<u64>,
    /// Why there is no grade, or why it does not count.
    error: Option<String>,
    kept: usize,
    total: usize,
    promises: Vec<PromiseGrade<'a>>,
}

#[derive(Serialize)]
struct PromiseGrade<'a> {
    name: &'a str,
    function: &'a str,
    promised: &'a str,
    /// `kept`, `broken`, `not-written`, `not-gradable` or `not-graded`.
    state: &'static str,
    /// The code of the diagnosis.
    code: Option<&'a str>,
    /// What a student is told.
    report: Option<String>,
    /// The diagnosis with its evidence.
    verdict: Option<&'a Verdict>,
}

pub fn write(session: &Session, grades: &[Grade]) -> String {
    let labs = grades.iter().map(|grade| lab(session, grade)).collect();
    serde_json::to_string_pretty(&Grades { version: VERSION, labs }).expect("plain data")
}

fn lab<'a>(session: &Session, grade: &'a Grade) -> LabGrade<'a> {
    let report = grade.outcome.as_ref().ok();
    let standing = grade.standing();
    let promises = standing.promises.iter().map(|(promise, state)| {
        let verdict = report.and_then(|report| report.verdicts.get(&promise.name));
        PromiseGrade {
            name: &promise.name,
            function: &promise.function,
            promised: session.words(&promise.promised),
            state: state.key(),
            code: verdict.and_then(Verdict::code),
            report: grade.words_on(promise, session.language),
            verdict,
        }
    });
    LabGrade {
        lab: &grade.lab.number,
        name: &grade.lab.name,
        title: session.words(&grade.lab.title),
        graded_at: report.map(|report| report.at),
        error: grade.why_it_does_not_count(session.language),
        kept: standing.kept(),
        total: standing.total(),
        promises: promises.collect(),
    }
}
