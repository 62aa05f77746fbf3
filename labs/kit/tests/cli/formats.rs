//! The forms in which other programs want grades.

use serde_json::Value;

use crate::fixture::{Fixture, one_of_each};

fn graded() -> Fixture {
    let fixture = Fixture::new();
    fixture.set_verdicts("06-pivot-root", &one_of_each());
    fixture
}

/// What is printed, as JSON, without what differs from run to run.
fn json(fixture: &Fixture, format: &str) -> Value {
    let output = fixture.lab(&["grade", "06", format]).assert().code(1).get_output().clone();
    let mut value: Value = serde_json::from_slice(&output.stdout).expect("nothing but JSON");
    if let Some(at) = value.pointer_mut("/labs/0/graded_at") {
        *at = "a time".into();
    }
    value
}

#[test]
fn json_holds_everything() {
    insta::assert_snapshot!(pretty(&json(&graded(), "--json")));
}

#[test]
fn junit_has_a_case_a_promise() {
    let output = graded().lab(&["grade", "06", "--junit"]).assert().code(1).get_output().clone();
    insta::assert_snapshot!(String::from_utf8(output.stdout).expect("UTF-8"));
}

#[test]
fn gradescope_gives_a_point_a_promise_and_none_for_what_cannot_be_graded() {
    let results = json(&graded(), "--gradescope");
    let points = |key: &str| -> Vec<u64> {
        let tests = results["tests"].as_array().expect("a list");
        tests.iter().map(|test| test[key].as_u64().expect("a number")).collect()
    };
    assert_eq!(points("score"), [1, 0, 0, 0, 0]);
    assert_eq!(points("max_score"), [1, 1, 1, 1, 0]);
    insta::assert_snapshot!(pretty(&results["tests"][1]));
}

#[test]
fn classroom_fails_what_is_broken_and_says_what_cannot_be_graded() {
    let results = json(&graded(), "--classroom");
    assert_eq!(results["status"], "fail");
    assert_eq!(results["max_score"], 5);
    let tests = results["tests"].as_array().expect("a list");
    let statuses: Vec<&str> = tests.iter().filter_map(|test| test["status"].as_str()).collect();
    assert_eq!(statuses, ["pass", "fail", "fail", "fail", "error"]);
    insta::assert_snapshot!(pretty(&results["tests"][4]));
}

#[test]
fn what_does_not_compile_has_no_points_and_cargos_words() {
    let fixture = Fixture::new();
    fixture.write("cargo-says", "error: expected `;`\n");
    std::fs::remove_file(fixture.path("labs/06-pivot-root/grader.sh")).expect("no grader");
    for (format, words) in [
        ("--json", r#""error": "error: expected `;`\n""#),
        ("--junit", r#"type="not-graded">error: expected `;`"#),
        ("--gradescope", r#""output": "error: expected `;`\n""#),
        ("--classroom", r#""message": "error: expected `;`\n""#),
    ] {
        let output = fixture.lab(&["grade", "06", format]).assert().code(2).get_output().clone();
        let text = String::from_utf8(output.stdout).expect("UTF-8");
        assert!(text.contains(words), "{format}: {text}");
        assert!(!text.contains(r#""score": 1"#), "{format}: {text}");
    }
}

fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).expect("plain data")
}
