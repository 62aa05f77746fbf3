//! Grades as JUnit XML: a test suite a lab, a test case a promise.

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use super::{why_not_graded, words};
use crate::cli::grade::Grade;
use crate::cli::session::Session;
use crate::cli::standing::State;

pub fn write(session: &Session, grades: &[Grade]) -> String {
    let mut report = Report::new("mydocker-labs");
    report.add_test_suites(grades.iter().map(|grade| suite(session, grade)));
    report.to_string().expect("no control characters are left")
}

fn suite(session: &Session, grade: &Grade) -> TestSuite {
    let class = grade.lab.folder();
    let mut suite = TestSuite::new(class.clone());
    if let Some(why) = why_not_graded(session, grade) {
        let status = failure(NonSuccessKind::Error, "not-graded", why);
        suite.add_test_case(case("graded", &class, status));
    }
    for (promise, state) in grade.standing().promises {
        let said = words(session, grade, promise).unwrap_or_default();
        let status = match state {
            State::Kept => TestCaseStatus::success(),
            State::Broken | State::NotWritten => {
                failure(NonSuccessKind::Failure, state.key(), said)
            }
            State::NotGradable(_) | State::NotGraded => {
                let mut status = TestCaseStatus::skipped();
                status.set_type(state.key()).set_message(said);
                status
            }
        };
        suite.add_test_case(case(&promise.name, &class, status));
    }
    suite
}

fn case(name: &str, class: &str, status: TestCaseStatus) -> TestCase {
    let mut case = TestCase::new(name, status);
    case.set_classname(class);
    case
}

/// The first line is the message, all of it the description.
fn failure(kind: NonSuccessKind, word: &str, text: String) -> TestCaseStatus {
    let mut status = TestCaseStatus::non_success(kind);
    let message = text.lines().next().unwrap_or_default().to_owned();
    status.set_type(word).set_message(message).set_description(text);
    status
}
