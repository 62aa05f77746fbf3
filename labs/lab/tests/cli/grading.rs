//! `lab grade` and `lab show`.

use labkit::record::Report;
use labkit::verdict::{Finding, Verdict};
use predicates::prelude::*;
use rstest::rstest;

use crate::fixture::{Fixture, all_kept, none_gradable, not_written, old_root_left, one_of_each};

#[test]
fn a_grade_of_nothing_is_none() {
    let fixture = Fixture::new();
    fixture.set_verdicts("06-pivot-root", &none_gradable());
    let said = fixture.fails(2, &["grade", "06"]);
    assert!(said.contains("Nothing that you asked for in lab 06 can be graded here"), "{said}");
    assert!(said.contains("do not let you"), "{said}");
    assert!(!said.contains("Every promise"), "{said}");
    let said = fixture.says(&["hint", "06"]);
    assert!(!said.contains("Every promise"), "{said}");
    fixture.set_verdicts("05-rootfs", &[("links_are_links", none_gradable()[0].1.clone())]);
    fixture.fails(2, &["grade"]);
    assert!(fixture.says(&[]).contains("Nothing can be graded on this machine"));
}

#[test]
fn a_grader_that_crashes_in_the_same_second_shows_no_older_report() {
    let fixture = Fixture::new();
    fixture.set_verdicts("06-pivot-root", &all_kept());
    // Whatever the clock says, the next report would not be older.
    fixture.write_program(
        "labs/06-pivot-root/grader.sh",
        &fixture.read("labs/06-pivot-root/grader.sh").replace("date +%s", "echo 99999999999"),
    );
    fixture.says(&["grade", "06"]);
    fixture
        .write_program("labs/06-pivot-root/grader.sh", "#!/bin/sh\necho crashed >&2; exit 101\n");
    let said = fixture.fails(2, &["grade", "06"]);
    assert!(said.contains("crashed") && !said.contains("of 5 kept"), "{said}");
}

#[test]
fn promises_are_named_by_a_part_of_their_names() {
    let fixture = Fixture::new();
    fixture.set_verdicts("06-pivot-root", &one_of_each());
    let said = fixture.says(&["grade", "06", "new_root"]);
    assert_eq!(fixture.read("labs/06-pivot-root/asked"), "new_root\n");
    assert!(said.contains("1 of 1 kept"), "{said}");
    let said = fixture.fails(1, &["06", "is_"]);
    assert!(said.contains("1 of 3 kept, 1 broken, 1 not written yet"), "{said}");
    fixture.fails(2, &["grade", "06", "devices"]);
}

#[test]
fn a_name_that_matches_nothing_is_said_to() {
    let said = Fixture::new().fails(2, &["grade", "05", "nonsense"]);
    assert!(said.contains("lab 05 has no promise nonsense; it has\n    links_are_links"), "{said}");
}

#[test]
fn every_promise_has_a_symbol_and_a_word_and_the_first_broken_one_is_explained() {
    let fixture = Fixture::new();
    fixture.set_verdicts("06-pivot-root", &one_of_each());
    insta::assert_snapshot!("grade_en", fixture.fails(1, &["grade", "06"]));
    insta::assert_snapshot!("grade_zh", fixture.says_in_chinese(&["grade", "06"]));
}

#[test]
fn what_is_kept_where_it_can_be_graded_is_a_success() {
    let fixture = Fixture::new();
    fixture.set_verdicts("06-pivot-root", &all_kept());
    insta::assert_snapshot!("grade_kept_en", fixture.says(&["grade", "06"]));
    insta::assert_snapshot!("grade_kept_zh", fixture.says_in_chinese(&["grade", "06"]));
}

#[rstest]
fn a_lab_has_many_names(
    #[values("6", "06", "lab-06", "pivot-root", "06-pivot-root", "labs/06-pivot-root/")] name: &str,
) {
    let fixture = Fixture::new();
    fixture.set_verdicts("06-pivot-root", &all_kept());
    fixture.lab(&["grade", name]).assert().success();
}

#[test]
fn a_number_alone_grades_and_several_labs_go_in_one_call() {
    let fixture = Fixture::new();
    fixture.set_verdicts("06-pivot-root", &all_kept());
    assert_eq!(fixture.says(&["06"]), fixture.says(&["grade", "06"]));
    let both = fixture.fails(1, &["6", "05"]);
    let [first, second] = ["05-rootfs: ", "06-pivot-root: "].map(|head| both.find(head));
    assert!(first.is_some() && first < second, "{both}");
    let both = fixture.lab(&["grade", "--json", "5", "6"]).assert().code(1);
    both.stdout(
        predicate::str::contains(r#""lab": "05""#).and(predicate::str::contains(r#""lab": "06""#)),
    );
}

#[test]
fn what_is_not_written_is_a_line_a_function() {
    let fixture = Fixture::new();
    let mut verdicts = one_of_each();
    verdicts[0].1 = not_written("enter");
    verdicts[2].1 = not_written("enter");
    fixture.set_verdicts("06-pivot-root", &verdicts);
    let said = fixture.fails(1, &["grade", "06"]);
    assert_eq!(said.matches("not written yet    ").count(), 2, "{said}");
    assert!(said.contains("· not written yet    enter: 2 promises\n"), "{said}");
    assert!(said.contains("· not written yet    proc_is_fresh\n"), "{said}");
}

#[test]
fn what_does_not_compile_is_shown_as_cargo_shows_it() {
    let fixture = Fixture::new();
    fixture.write("cargo-says", "error: expected `;`\n");
    std::fs::remove_file(fixture.path("labs/06-pivot-root/grader.sh")).expect("no grader");
    insta::assert_snapshot!(fixture.fails(2, &["grade", "06"]), @r"
    06-pivot-root: chroot and pivot_root
      It could not be graded, for the reason above. Fix that, then:
      cargo lab grade 06   grade it again

    error: expected `;`
    ");
}

#[test]
fn warnings_do_not_hide_the_grade() {
    let fixture = Fixture::new();
    fixture.write("cargo-says", "warning: unused variable\n");
    fixture.set_verdicts("06-pivot-root", &all_kept());
    let graded = fixture.lab(&["grade", "06"]).assert().success();
    graded.stderr("warning: unused variable\n").stdout(predicate::str::contains("4 of 5 kept"));
}

#[test]
fn an_old_report_is_no_grade() {
    let fixture = Fixture::new();
    fixture.set_verdicts("06-pivot-root", &all_kept());
    let report = fixture.read("labs/06-pivot-root/report.json");
    fixture.write(".lab/reports/06.json", &report);
    fixture.write("labs/06-pivot-root/grader.sh", "#!/bin/sh\necho the grader has failed\n");
    fixture.lab(&["grade", "06"]).assert().code(2).stderr("the grader has failed\n");
}

#[test]
fn a_grade_by_changed_graders_does_not_count() {
    let fixture = Fixture::new();
    let verdicts = all_kept().into_iter().map(|(name, it)| (name.to_owned(), it)).collect();
    let graders_changed = vec!["06-pivot-root/tests/grade.rs".to_owned()];
    let report = Report { lab: "06".into(), graders_changed, verdicts, ..Report::default() };
    fixture.set_report("06-pivot-root", &report);
    let said = fixture.fails(2, &["grade", "06"]);
    assert!(said.contains("This grade does not count"), "{said}");
    assert!(said.contains("06-pivot-root/tests/grade.rs"), "{said}");
}

#[test]
fn what_root_or_a_vm_has_graded_stays_kept() {
    let fixture = Fixture::new();
    let mut verdicts = all_kept();
    verdicts[4].1 = Verdict::Kept;
    fixture.set_verdicts("06-pivot-root", &verdicts);
    fixture.says(&["grade", "06"]);
    let progress = r#"{"kept":{"devices_work":7}}"#;
    fixture.write(".lab/progress/06.json", progress);
    fixture.set_verdicts("06-pivot-root", &all_kept());
    fixture.says(&["grade", "06"]);
    assert!(fixture.says(&["list"]).contains("5 of 5 kept"));
}

#[test]
fn show_explains_each_reason_once() {
    let fixture = Fixture::new();
    fixture.set_verdicts("06-pivot-root", &one_of_each());
    fixture.fails(1, &["grade", "06"]);
    insta::assert_snapshot!("show_en", fixture.says(&["show", "06"]));
    insta::assert_snapshot!("show_zh", fixture.says_in_chinese(&["show", "06"]));
}

#[test]
fn only_the_same_diagnosis_on_the_same_function_is_shown_once() {
    let fixture = Fixture::new();
    let panicked = |line: &str| Finding::new("answer/panicked").word("place", line);
    let old_root_left = |function: &str| {
        Finding::new("pivot-root/old-root-still-mounted")
            .word("path", "/")
            .word("function", function)
    };
    let verdicts = [
        ("new_root_is_the_root", panicked("lib.rs:7")),
        ("old_root_is_unreachable", panicked("lib.rs:7")),
        ("the_breakout_fails", panicked("lib.rs:9")),
        ("proc_is_fresh", old_root_left("mount_proc")),
        ("devices_work", old_root_left("mount_proc")),
    ];
    fixture.set_verdicts("06-pivot-root", &verdicts.map(|(name, it)| (name, Verdict::Broken(it))));
    fixture.fails(1, &["grade", "06"]);
    let said = fixture.says(&["show", "06"]);
    let also = "with the same diagnosis; look again after this:";
    assert_eq!(said.matches("Diagnosis:").count(), 3, "{said}");
    assert_eq!(said.matches(also).count(), 2, "{said}");

    let unforeseen = Verdict::Broken(Finding::new("pivot-root/unforeseen"));
    let names = ["new_root_is_the_root", "old_root_is_unreachable"];
    fixture.set_verdicts("06-pivot-root", &names.map(|name| (name, unforeseen.clone())));
    fixture.fails(1, &["grade", "06"]);
    assert!(!fixture.says(&["show", "06"]).contains(also));
}

#[test]
fn show_finds_a_promise_by_its_old_name() {
    let fixture = Fixture::new();
    fixture.set_verdicts("06-pivot-root", &[("the_old_root_is_gone", old_root_left())]);
    fixture.fails(1, &["grade", "06"]);
    let said = fixture.says(&["show", "06", "the_old_root_is_gone"]);
    assert!(said.contains("✗ broken  old_root_is_unreachable"), "{said}");
    assert!(said.contains("└─/old_root"), "{said}");
}

#[test]
fn a_pipe_gets_no_colour() {
    let fixture = Fixture::new();
    fixture.set_verdicts("06-pivot-root", &one_of_each());
    assert!(!fixture.fails(1, &["grade", "06"]).contains('\x1b'));
}
