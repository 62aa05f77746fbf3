//! Grades as the result of a GitHub Classroom autograding step.
//!
//! The form is what the action `autograding-grading-reporter` reads; it counts
//! the tests that pass. What cannot be graded here is an `error`: it asks for
//! another runner, and is no silent pass.

use labkit::lab::PromiseText;
use serde::Serialize;

use super::{why_not_graded, words};
use crate::cli::grade::Grade;
use crate::cli::session::Session;
use crate::cli::standing::State;

const VERSION: u32 = 1;

#[derive(Serialize)]
struct Results {
    version: u32,
    status: &'static str,
    max_score: usize,
    tests: Vec<Test>,
}

#[derive(Serialize)]
struct Test {
    name: String,
    /// `pass`, `fail` or `error`.
    status: &'static str,
    message: String,
    score: u32,
}

pub fn write(session: &Session, grades: &[Grade]) -> String {
    let tests: Vec<Test> = grades.iter().flat_map(|grade| tests(session, grade)).collect();
    let status =
        ["fail", "error"].into_iter().find(|it| tests.iter().any(|test| test.status == *it));
    let results = Results {
        version: VERSION,
        status: status.unwrap_or("pass"),
        max_score: tests.len(),
        tests,
    };
    serde_json::to_string_pretty(&results).expect("plain data")
}

fn tests(session: &Session, grade: &Grade) -> Vec<Test> {
    let trouble = why_not_graded(session, grade);
    let test = |(promise, state): (&PromiseText, State)| {
        let status = match state {
            _ if trouble.is_some() => "error",
            State::Kept => "pass",
            State::Broken | State::NotWritten => "fail",
            State::NotGradable(_) | State::NotGraded => "error",
        };
        let message = trouble.clone().or_else(|| words(session, grade, promise));
        Test {
            name: format!("{}: {}", grade.lab.folder(), promise.name),
            status,
            message: message.unwrap_or_default(),
            score: (status == "pass").into(),
        }
    };
    grade.standing().promises.into_iter().map(test).collect()
}
