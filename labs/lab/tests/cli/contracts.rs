//! What a lab asks of each function, in the student's language.

use crate::fixture::{Fixture, not_written};

#[test]
fn what_is_asked_is_shown_before_the_first_grade() {
    insta::assert_snapshot!(Fixture::new().says(&["show", "05"]), @r"
      The standard library has everything you need.

    fn unpack(tar: &Path, layer: &Path) -> io::Result<()>
      Unpacks the archive `tar` into the directory `layer`.

      # Errors
      The archive is cut off.

    Not graded yet. To grade it: cargo lab grade 05
    ");
}

#[test]
fn a_chinese_student_reads_it_in_chinese() {
    insta::assert_snapshot!(Fixture::new().says_in_chinese(&["show", "05"]), @r"
      标准库已经够用。

    fn unpack(tar: &Path, layer: &Path) -> io::Result<()>
      把归档 `tar` 解包到目录 `layer`。

      bin/   程序

    还没有评过分。评分请运行：cargo lab grade 05
    ");
}

#[test]
fn it_stands_before_the_report() {
    let fixture = Fixture::new();
    fixture.set_verdicts("05-rootfs", &[("links_are_links", not_written("unpack"))]);
    fixture.fails(1, &["grade", "05"]);
    let said = fixture.says(&["show", "05"]);
    let contract = said.find("Unpacks the archive");
    let report = said.find("links_are_links");
    assert!(contract.is_some() && contract < report, "{said}");
}

#[test]
fn one_function_can_be_named() {
    let said = Fixture::new().says(&["show", "05", "unpack"]);
    assert!(said.starts_with("fn unpack(tar: &Path"), "{said}");
    assert!(!said.contains("Not graded yet"), "{said}");
}
