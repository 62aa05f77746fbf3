//! Grades as the result of a GitHub Classroom autograding step.
//!
//! The form is what the action `autograding-grading-reporter` reads. It counts
//! the tests that pass, and divides by all that are listed: so what cannot be
//! graded on this runner is not listed among them, and leaves the maximum. Where
//! nothing can be graded the step ends with an error and reports no points.

use labkit::lab::PromiseText;
use serde::Serialize;

use crate::grade::Grade;
use crate::session::Session;
use crate::standing::State;

const VERSION: u32 = 1;

#[derive(Serialize)]
struct Results {
    version: u32,
    status: &'static str,
    max_score: usize,
    tests: Vec<Test>,
    /// What leaves the maximum, with the reason. For people: the action does not
    /// read it.
    not_gradable: Vec<Left>,
}

#[derive(Serialize)]
struct Test {
    name: String,
    /// `pass`, `fail` or `error`.
    status: &'static str,
    message: String,
    score: u32,
}

#[derive(Serialize)]
struct Left {
    name: String,
    reason: String,
}

pub fn write(session: &Session, grades: &[Grade]) -> String {
    let (mut tests, mut not_gradable, mut nothing_gradable) = (Vec::new(), Vec::new(), Vec::new());
    for grade in grades {
        if let Some(message) = grade.why_nothing_is_gradable(session.language) {
            let name = grade.lab.folder();
            nothing_gradable.push(Test { name, status: "error", message, score: 0 });
        }
        for (promise, state) in grade.standing().promises {
            let name = format!("{}: {}", grade.lab.folder(), promise.name);
            match state {
                State::NotGradable(_) => {
                    let reason = grade.words_on(promise, session.language).unwrap_or_default();
                    not_gradable.push(Left { name, reason });
                }
                state => tests.push(test(session, grade, promise, state, name)),
            }
        }
    }
    let max_score = tests.len();
    tests.extend(nothing_gradable);
    let has = |status: &&str| tests.iter().any(|test| test.status == *status);
    let status = ["fail", "error"].into_iter().find(has).unwrap_or("pass");
    let results = Results { version: VERSION, status, max_score, tests, not_gradable };
    serde_json::to_string_pretty(&results).expect("plain data")
}

fn test(
    session: &Session,
    grade: &Grade,
    promise: &PromiseText,
    state: State,
    name: String,
) -> Test {
    let trouble = grade.why_it_does_not_count(session.language);
    let status = match state {
        _ if trouble.is_some() => "error",
        State::Kept => "pass",
        State::Broken | State::NotWritten => "fail",
        State::NotGradable(_) | State::NotGraded => "error",
    };
    let message = trouble.or_else(|| grade.words_on(promise, session.language));
    Test { name, status, message: message.unwrap_or_default(), score: (status == "pass").into() }
}
