//! Errors say what, why and what to do.

use predicates::prelude::*;
use rstest::rstest;

use crate::fixture::Fixture;

#[test]
fn an_unknown_lab_is_answered_with_the_known_ones() {
    let fixture = Fixture::new();
    insta::assert_snapshot!(fixture.fails(2, &["grade", "77"]), @r"
    lab: there is no lab 77; there are
        05-rootfs
        06-pivot-root
      do: name one of them by its number, as in: cargo lab grade 6
    ");
    insta::assert_snapshot!(fixture.says_in_chinese(&["grade", "77"]), @r"
    lab: 没有名为 77 的实验；现有的实验是
        05-rootfs
        06-pivot-root
      请用编号指定其中一个，例如：cargo lab grade 6
    ");
}

#[test]
fn an_unknown_promise_is_answered_with_the_known_ones() {
    insta::assert_snapshot!(Fixture::new().fails(2, &["hint", "05", "links"]), @r"
    lab: lab 05 has no promise links; it has
        links_are_links
    ");
}

#[test]
fn of_what_was_not_graded_no_report_can_be_shown() {
    insta::assert_snapshot!(Fixture::new().fails(2, &["show", "05", "links_are_links"]), @r"
    lab: lab 05 has not been graded yet, so there is no report to show
      do: cargo lab grade 05
    ");
}

#[test]
fn a_missing_starter_is_named() {
    let fixture = Fixture::new();
    let starter = fixture.path("labs/reference/src/lab_05/starter.rs");
    std::fs::remove_file(&starter).expect("it was there");
    let said = fixture.fails(2, &["reset", "05"]);
    assert!(said.contains(&format!("read({}): No such file", starter.display())), "{said}");
    assert!(said.contains("do: see whether the checkout is complete: git status"), "{said}");
}

#[test]
fn a_lab_toml_that_is_not_as_it_must_be_is_named_with_the_line() {
    let fixture = Fixture::new();
    fixture.write("labs/05-rootfs/lab.toml", "number = \"05\"\nnonsense = 1\n");
    let named = predicate::str::contains("labs/05-rootfs/lab.toml is not valid")
        .and(predicate::str::contains("unknown field `nonsense`"));
    fixture.lab(&[]).assert().code(2).stderr(named);
}

#[test]
fn without_cargo_it_says_what_to_install() {
    let fixture = Fixture::new();
    let mut command = fixture.lab(&["grade", "05"]);
    let told = predicate::str::contains("cannot run cargo");
    command.env("CARGO", "/nowhere/cargo").assert().code(2).stderr(told);
}

#[test]
fn a_wrong_command_line_is_no_grade() {
    Fixture::new().lab(&["grade", "--json", "--junit"]).assert().code(2);
    Fixture::new().lab(&["grad"]).assert().code(2).stderr(predicate::str::contains("grade"));
}

#[rstest]
#[case::an_unknown_command(&["bogus"])]
#[case::a_similar_command(&["gradee"])]
#[case::an_unknown_option(&["grade", "--bogus"])]
#[case::a_similar_option(&["hint", "--agian"])]
#[case::two_formats(&["grade", "--json", "--junit"])]
#[case::an_option_without_its_value(&["grade", "--all"])]
#[case::an_option_that_needs_another(&["grade", "--jobs", "1"])]
#[case::no_number(&["grade", "--all", "x", "--jobs", "x"])]
#[case::zero(&["grade", "--all", "x", "--jobs", "0"])]
#[case::too_large(&["grade", "--all", "x", "--jobs", "99999999999999999999999"])]
#[case::no_such_value(&["completions", "bogus"])]
#[case::too_much(&["hint", "05", "links", "more"])]
#[case::an_argument_is_missing(&["handout"])]
#[case::an_option_is_missing(&["check"])]
fn a_mistake_is_told_in_chinese(#[case] arguments: &[&str]) {
    let fixture = Fixture::new();
    let assert = fixture.lab(arguments).env("LAB_LANG", "zh").assert().code(2);
    let said = String::from_utf8_lossy(&assert.get_output().stderr).into_owned();
    assert!(said.starts_with("错误："), "{said}");
    let english =
        r"(?i)\b(error|usage|options?|command|for|try|the|an?|is|not|found|values?|tip)\b";
    let english = predicate::str::is_match(english).expect("a regular expression");
    assert!(!english.eval(&said), "English in\n{said}");
}

#[test]
fn a_mistake_in_chinese_shows_what_is_wrong_what_is_similar_and_the_usage() {
    insta::assert_snapshot!(Fixture::new().says_in_chinese(&["hint", "--agian"]), @r"
    错误：无法识别的参数 --agian

      是不是想写 --again？

    用法：cargo lab hint --again [LAB] [PROMISE]

    加上 --help 查看详细说明。
    ");
}
