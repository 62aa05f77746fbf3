//! `lab`, `lab list`, `lab next` and `lab doctor`.

use predicates::prelude::*;

use crate::fixture::{Fixture, all_kept, one_of_each};

#[test]
fn a_new_student_learns_where_to_begin() {
    let fixture = Fixture::new();
    insta::assert_snapshot!("begin_en", fixture.says(&[]));
    insta::assert_snapshot!("begin_zh", fixture.says_in_chinese(&[]));
}

#[test]
fn the_list_says_how_far_each_lab_is() {
    let fixture = Fixture::new();
    fixture.set_verdicts("06-pivot-root", &one_of_each());
    fixture.fails(1, &["grade", "06"]);
    insta::assert_snapshot!("list_en", fixture.says(&["list"]));
    insta::assert_snapshot!("list_zh", fixture.says_in_chinese(&["list"]));
}

#[test]
fn next_is_what_is_broken_before_what_is_not_written() {
    let fixture = Fixture::new();
    let mut verdicts = one_of_each();
    verdicts.swap(1, 3);
    fixture.set_verdicts("06-pivot-root", &verdicts);
    fixture.set_verdicts("05-rootfs", &[("links_are_links", labkit::verdict::Verdict::Kept)]);
    fixture.fails(1, &["grade"]);
    let next = predicate::str::contains("promise  old_root_is_unreachable");
    assert!(next.eval(&fixture.says(&["next"])));
}

#[test]
fn when_all_is_kept_the_doctor_says_what_is_left() {
    let fixture = Fixture::new();
    fixture.set_verdicts("05-rootfs", &[("links_are_links", labkit::verdict::Verdict::Kept)]);
    fixture.set_verdicts("06-pivot-root", &all_kept());
    fixture.says(&["grade"]);
    insta::assert_snapshot!("all_kept_en", fixture.says(&[]));
    insta::assert_snapshot!("all_kept_zh", fixture.says_in_chinese(&[]));
}

#[test]
fn the_doctor_names_what_cannot_be_graded_and_where_it_can_be() {
    let fixture = Fixture::new();
    fixture.write("labs/05-rootfs/lacking.json", "{}");
    fixture.write("labs/06-pivot-root/lacking.json", r#"{"devices_work":{"lacking":"root"}}"#);
    let said = fixture.says(&["doctor"]);
    let labs = said.split_once("The labs\n").expect("the part on labs").1;
    insta::assert_snapshot!("doctor_labs", labs);
}

#[test]
fn it_works_from_any_folder_of_the_checkout() {
    let fixture = Fixture::new();
    let mut command = fixture.lab(&["next"]);
    command.current_dir(fixture.top().join("labs/05-rootfs"));
    command.assert().success().stdout(predicate::str::contains("  edit     unpack in src/lib.rs"));
}

#[test]
fn a_promise_can_be_kept_in_another_file() {
    let fixture = Fixture::new();
    fixture.write("labs/05-rootfs/unpack", "predictions");
    assert!(fixture.says(&["next"]).contains("  edit     labs/05-rootfs/unpack\n"));
}
