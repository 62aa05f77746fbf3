//! Grades as JUnit XML: a test suite a lab, a test case a promise.

use labkit::lab::PromiseText;
use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use crate::grade::Grade;
use crate::session::Session;
use crate::standing::State;

pub fn write(session: &Session, grades: &[Grade]) -> String {
    let mut report = Report::new("mydocker-labs");
    report.add_test_suites(grades.iter().map(|grade| suite(session, grade)));
    report.to_string().expect("no control characters are left")
}

fn suite(session: &Session, grade: &Grade) -> TestSuite {
    let class = grade.lab.folder();
    let mut suite = TestSuite::new(class.clone());
    if let Some(why) = grade.why_it_does_not_count(session.language) {
        let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
        status.set_type("not-graded").set_description(why);
        suite.add_test_case(case("graded", &class, status));
    }
    for (promise, state) in grade.standing().promises {
        let said = grade.words_on(promise, session.language).unwrap_or_default();
        let mut status = match state {
            State::Kept => TestCaseStatus::success(),
            State::Broken | State::NotWritten => {
                TestCaseStatus::non_success(NonSuccessKind::Failure)
            }
            State::NotGradable(_) | State::NotGraded => TestCaseStatus::skipped(),
        };
        if state != State::Kept {
            let message = code(grade, promise).unwrap_or(state.key());
            status.set_type(state.key()).set_message(message).set_description(said);
        }
        suite.add_test_case(case(&promise.name, &class, status));
    }
    suite
}

/// The code of the diagnosis.
fn code<'a>(grade: &'a Grade, promise: &PromiseText) -> Option<&'a str> {
    grade.outcome.as_ref().ok()?.verdicts.get(&promise.name)?.code()
}

fn case(name: &str, class: &str, status: TestCaseStatus) -> TestCase {
    let mut case = TestCase::new(name, status);
    case.set_classname(class);
    case
}
