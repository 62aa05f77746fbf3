//! Grades as the results.json of Gradescope: a point a promise.
//!
//! What cannot be graded here has no point to give: it counts neither for the
//! student nor against. The form is described in Gradescope's autograder
//! documentation, "Output format".

use labkit::lab::PromiseText;
use serde::Serialize;

use super::{why_not_graded, words};
use crate::cli::grade::Grade;
use crate::cli::session::Session;
use crate::cli::standing::State;

#[derive(Serialize)]
struct Results {
    output: String,
    output_format: &'static str,
    tests: Vec<Test>,
}

#[derive(Serialize)]
struct Test {
    name: String,
    /// `LAB.PROMISE`, both counted.
    number: String,
    status: &'static str,
    score: u32,
    max_score: u32,
    output: String,
    output_format: &'static str,
    tags: [String; 2],
}

pub fn write(session: &Session, grades: &[Grade]) -> String {
    let troubles: Vec<String> =
        grades.iter().filter_map(|grade| why_not_graded(session, grade)).collect();
    let results = Results {
        output: troubles.join("\n"),
        output_format: "text",
        tests: grades.iter().flat_map(|grade| tests(session, grade)).collect(),
    };
    serde_json::to_string_pretty(&results).expect("plain data")
}

fn tests(session: &Session, grade: &Grade) -> Vec<Test> {
    let numbered = grade.standing().promises.into_iter().zip(1..);
    numbered.map(|((promise, state), index)| test(session, grade, promise, state, index)).collect()
}

fn test(session: &Session, grade: &Grade, promise: &PromiseText, state: State, index: u32) -> Test {
    let is_kept = state == State::Kept && grade.counts();
    let is_gradable = !matches!(state, State::NotGradable(_));
    let promised = session.words(&promise.promised);
    Test {
        name: format!("{}: {}", grade.lab.folder(), promise.name),
        number: format!("{}.{index}", grade.lab.number.trim_start_matches('0')),
        status: if is_kept { "passed" } else { "failed" },
        score: is_kept.into(),
        max_score: is_gradable.into(),
        output: words(session, grade, promise).unwrap_or_else(|| promised.to_owned()),
        output_format: "text",
        tags: [grade.lab.folder(), promise.function.clone()],
    }
}
