//! The forms in which other programs want grades.

use serde_json::Value;

use crate::fixture::{Fixture, none_gradable, one_of_each};

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

/// What in a value is not as grades.schema.json describes it.
fn complaints(value: &Value) -> Vec<String> {
    let schema: Value =
        serde_json::from_str(include_str!("../../grades.schema.json")).expect("JSON");
    let validator = jsonschema::validator_for(&schema).expect("a schema");
    validator
        .iter_errors(value)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect()
}

#[test]
fn json_is_as_its_schema_describes_it() {
    let fixture = graded();
    fixture.set_verdicts("06-pivot-root", &one_of_each());
    let mut some = one_of_each();
    some.truncate(3);
    for (verdicts, code) in [(one_of_each(), 1), (some, 1), (none_gradable(), 2)] {
        fixture.set_verdicts("06-pivot-root", &verdicts);
        let output = fixture.lab(&["grade", "--json"]).assert().get_output().clone();
        assert_eq!(output.status.code(), Some(code));
        let value: Value = serde_json::from_slice(&output.stdout).expect("nothing but JSON");
        assert_eq!(complaints(&value), Vec::<String>::new());
        // It would see what is new, and what is missing.
        let mut more = value.clone();
        more["labs"][0]["news"] = "?".into();
        let mut less = value;
        less["labs"][1]["promises"][0].as_object_mut().expect("a promise").remove("state");
        assert!(!complaints(&more).is_empty() && !complaints(&less).is_empty());
    }
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
fn what_cannot_be_graded_leaves_the_maximum_of_classroom_with_the_reason() {
    let results = json(&graded(), "--classroom");
    assert_eq!(results["status"], "fail");
    assert_eq!(results["max_score"], 4);
    let tests = results["tests"].as_array().expect("a list");
    let statuses: Vec<&str> = tests.iter().filter_map(|test| test["status"].as_str()).collect();
    assert_eq!(statuses, ["pass", "fail", "fail", "fail"]);
    insta::assert_snapshot!(pretty(&results["not_gradable"]));
}

#[test]
fn where_nothing_can_be_graded_no_form_has_a_grade() {
    let fixture = Fixture::new();
    fixture.set_verdicts("06-pivot-root", &none_gradable());
    let why = "let you use user namespaces";
    for format in ["--json", "--junit", "--gradescope", "--classroom"] {
        let output = fixture.lab(&["grade", "06", format]).assert().code(2).get_output().clone();
        let text = String::from_utf8(output.stdout).expect("UTF-8");
        assert!(text.contains(why), "{format}: {text}");
        let json: Value = serde_json::from_str(&text).unwrap_or_default();
        match format {
            "--json" => assert!(json["labs"][0]["error"].as_str().expect("words").contains(why)),
            // A suite with nothing but skipped cases would be a green one.
            "--junit" => assert!(text.contains(r#"errors="1""#), "{text}"),
            "--gradescope" => {
                assert!(json["output"].as_str().expect("words").contains(why), "{text}");
                assert!(!text.contains("score"), "{text}");
            }
            _ => {
                assert_eq!((&json["status"], &json["max_score"]), (&"error".into(), &0.into()));
                assert_eq!(json["tests"].as_array().map(Vec::len), Some(1), "{text}");
            }
        }
    }
}

#[test]
fn gradescope_is_told_how_many_points_can_be_had() {
    let results = json(&graded(), "--gradescope");
    let words = results["output"].as_str().expect("words");
    assert!(words.starts_with("4 of 5 promises can be graded here"), "{words}");
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
