//! Grades as the results.json of Gradescope: a point a promise.
//!
//! What cannot be graded here has no point to give. Where nothing can be, there is
//! no score at all: a zero would be a grade. The form is described in Gradescope's autograder
//! documentation, "Output format".

use labkit::lab::PromiseText;
use rust_i18n::t;
use serde::Serialize;

use crate::grade::Grade;
use crate::session::Session;
use crate::standing::State;

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
    #[serde(skip_serializing_if = "Option::is_none")]
    score: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_score: Option<u32>,
    output: String,
    output_format: &'static str,
    tags: [String; 2],
}

pub fn write(session: &Session, grades: &[Grade]) -> String {
    let troubles: Vec<String> =
        grades.iter().filter_map(|grade| grade.why_it_does_not_count(session.language)).collect();
    let standings = grades.iter().map(Grade::standing);
    let (gradable, total) = standings.fold((0, 0), |(gradable, total), it| {
        (gradable + it.total() - it.count("not-gradable"), total + it.total())
    });
    let counts = grades.iter().all(Grade::counts);
    let points = (counts && gradable < total).then(|| {
        t!("gradescope.points", locale = session.locale(), count = gradable, total = total).into()
    });
    let results = Results {
        output: troubles.into_iter().chain(points).collect::<Vec<String>>().join("\n"),
        output_format: "text",
        tests: grades.iter().flat_map(|grade| tests(session, grade)).collect(),
    };
    serde_json::to_string_pretty(&results).expect("plain data")
}

fn tests(session: &Session, grade: &Grade) -> Vec<Test> {
    let numbered = grade.standing().promises.into_iter().zip(1..);
    let tests =
        numbered.map(|((promise, state), index)| test(session, grade, promise, state, index));
    match grade.why_nothing_is_gradable(session.language) {
        Some(_) => tests.map(|test| Test { score: None, max_score: None, ..test }).collect(),
        None => tests.collect(),
    }
}

fn test(session: &Session, grade: &Grade, promise: &PromiseText, state: State, index: u32) -> Test {
    let is_kept = state == State::Kept && grade.counts();
    let is_gradable = !matches!(state, State::NotGradable(_));
    let promised = session.words(&promise.promised);
    Test {
        name: format!("{}: {}", grade.lab.folder(), promise.name),
        number: format!("{}.{index}", grade.lab.number.trim_start_matches('0')),
        status: if is_kept { "passed" } else { "failed" },
        score: Some(is_kept.into()),
        max_score: Some(is_gradable.into()),
        output: grade.words_on(promise, session.language).unwrap_or_else(|| promised.to_owned()),
        output_format: "text",
        tags: [grade.lab.folder(), promise.function.clone()],
    }
}
