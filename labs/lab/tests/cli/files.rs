//! `lab reset` and `lab solution`: the student's files are never lost.

use crate::fixture::{Fixture, all_kept};

const ANSWER: &str = "labs/06-pivot-root/src/lib.rs";

#[test]
fn reset_brings_the_starter_back_and_keeps_a_backup() {
    let fixture = Fixture::new();
    insta::assert_snapshot!(fixture.says(&["reset", "06"]), @r"
    labs/06-pivot-root/src/lib.rs is replaced; yours is kept as
    .lab/backups/06/lib.rs.~1~
      to get yours back: cp .lab/backups/06/lib.rs.~1~ labs/06-pivot-root/src/lib.rs
      cargo lab next   go on
    ");
    assert_eq!(fixture.read(ANSWER), "// ours\n");
    assert_eq!(fixture.read(".lab/backups/06/lib.rs.~1~"), "// the student's\n");
}

#[test]
fn what_replaces_files_or_is_remembered_wants_the_lab_named() {
    let fixture = Fixture::new();
    fixture.set_verdicts("06-pivot-root", &all_kept());
    fixture.says(&["grade", "06"]);
    insta::assert_snapshot!(fixture.fails(2, &["reset"]), @r"
    lab: you must name the lab, because `reset` can replace your files
      do: cargo lab reset 06, if you mean the lab you are working on
    ");
    insta::assert_snapshot!(fixture.fails(2, &["solution", "--give-up"]), @r"
    lab: you must name the lab, because `solution` can replace your files
      do: cargo lab solution 06, if you mean the lab you are working on
    ");
    assert_eq!(fixture.read(ANSWER), "// the student's\n");
}

#[test]
fn the_solution_is_that_of_the_lab_that_was_graded_last() {
    let fixture = Fixture::new();
    fixture.set_verdicts("06-pivot-root", &all_kept());
    fixture.says(&["grade", "06"]);
    let kept = all_kept().into_iter().take(4).map(|(name, _)| format!("\"{name}\":7"));
    let kept: Vec<String> = kept.collect();
    fixture.write(".lab/progress/06.json", &format!(r#"{{"kept":{{{}}}}}"#, kept.join(",")));
    assert_eq!(fixture.says(&["solution"]), "// the solution\n");
}

#[test]
fn reset_of_the_starter_does_nothing() {
    let fixture = Fixture::new();
    fixture.write(ANSWER, "// ours\n");
    assert!(fixture.says(&["reset", "06"]).contains("nothing was changed"));
    assert!(!fixture.path(".lab/backups").exists());
}

#[test]
fn reset_also_brings_back_the_predictions() {
    let fixture = Fixture::new();
    fixture.write("labs/reference/src/lab_06/starter_predictions.toml", "a = \"?\"\n");
    fixture.write("labs/06-pivot-root/predictions.toml", "a = 1\n");
    fixture.says(&["reset", "06"]);
    assert_eq!(fixture.read("labs/06-pivot-root/predictions.toml"), "a = \"?\"\n");
    assert_eq!(fixture.read(".lab/backups/06/predictions.toml.~1~"), "a = 1\n");
}

#[test]
fn after_a_reset_the_lab_is_to_be_done_again_and_what_was_kept_is_remembered() {
    let fixture = Fixture::new();
    fixture.set_verdicts("06-pivot-root", &all_kept());
    fixture.write(".lab/progress/06.json", r#"{"kept":{"new_root_is_the_root":7}}"#);
    fixture.says(&["grade", "06"]);
    fixture.says(&["reset", "06"]);
    let list = fixture.says(&["list"]);
    assert!(list.contains("0 of 5 kept       begun again, 1 kept before"), "{list}");
}

#[test]
fn the_solution_is_for_those_who_have_kept_all() {
    let fixture = Fixture::new();
    insta::assert_snapshot!(fixture.fails(2, &["solution", "06"]), @r"
    lab: you can see the solution of lab 06 once you keep all its promises; you keep 0 of 5
      do: cargo lab hint 06, or see it now: cargo lab solution 06 --give-up
    ");
    fixture.set_verdicts("06-pivot-root", &all_kept());
    fixture.says(&["grade", "06"]);
    let kept = all_kept().into_iter().take(4).map(|(name, _)| format!("\"{name}\":7"));
    let kept: Vec<String> = kept.collect();
    fixture.write(".lab/progress/06.json", &format!(r#"{{"kept":{{{}}}}}"#, kept.join(",")));
    assert_eq!(fixture.says(&["solution", "06"]), "// the solution\n");
}

#[test]
fn where_the_solutions_are_left_out_that_is_said_and_none_is_offered() {
    let fixture = Fixture::new();
    std::fs::remove_file(fixture.path("labs/reference/Cargo.toml")).expect("it is there");
    std::fs::remove_file(fixture.path("labs/reference/src/lab_06/solution.rs"))
        .expect("a solution");
    insta::assert_snapshot!(fixture.fails(2, &["solution", "06", "--give-up"]), @r"
    lab: this repository has no solutions; ask your teacher for lab 06
      do: cargo lab hint 06
    ");
    assert!(!fixture.says(&["list"]).contains("solution seen"));
    fixture.set_verdicts("06-pivot-root", &all_kept());
    assert!(!fixture.says(&["grade", "06"]).contains("lab solution"));
    fixture.says(&["reset", "06"]);
    assert_eq!(fixture.read(ANSWER), "// ours\n");
}

#[test]
fn giving_up_is_remembered() {
    let fixture = Fixture::new();
    assert_eq!(fixture.says(&["solution", "06", "--give-up"]), "// the solution\n");
    assert_eq!(fixture.says(&["solution", "06"]), "// the solution\n");
    assert!(fixture.says(&["list"]).contains("not begun, solution seen before"));
}

#[test]
fn the_solution_can_be_put_in_place() {
    let fixture = Fixture::new();
    let said = fixture.says(&["solution", "06", "--give-up", "--write"]);
    assert!(said.contains(".lab/backups/06/lib.rs.~1~"), "{said}");
    assert_eq!(fixture.read(ANSWER), "// the solution\n");
    assert_eq!(fixture.read(".lab/backups/06/lib.rs.~1~"), "// the student's\n");
}
