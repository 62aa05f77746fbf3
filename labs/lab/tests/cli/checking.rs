//! `lab check`: a verdict on any program. That the graders are right is tested
//! where they are; here the command line is.

use std::collections::BTreeMap;
use std::path::Path;

use labkit::lab::Lab;
use labkit::need::{Lacking, Told};
use labkit::verdict::{Evidence, Finding, Verdict};
use rstest::rstest;

use crate::fixture::Fixture;

const LAB_TOML: &str = include_str!("../../../09-mydocker/lab.toml");
const LATER_TOML: &str = include_str!("../../../09-mydocker/later.toml");

/// Notes what it is asked for, and says what the test has decided.
const CARGO: &str = r#"#!/bin/sh
printf '%s\n' "$@" >asked
cat verdicts.json
"#;

/// Lab 09, and a program that the next verdicts are on.
fn fixture(verdicts: &BTreeMap<String, Verdict>) -> Fixture {
    let fixture = Fixture::new();
    fixture.write("labs/09-mydocker/lab.toml", LAB_TOML);
    fixture.write("labs/09-mydocker/later.toml", LATER_TOML);
    fixture.write_program("cargo.sh", CARGO);
    fixture.write_program("mydocker", "#!/bin/sh\n");
    fixture.write("verdicts.json", &serde_json::to_string(verdicts).expect("plain data"));
    fixture
}

/// All kept, but what `other` says.
fn verdicts(other: impl Fn(&str) -> Option<Verdict>) -> BTreeMap<String, Verdict> {
    let lab = Lab::parse(&[LAB_TOML, LATER_TOML].concat()).expect("lab.toml");
    let names = lab.promises.into_iter().map(|promise| promise.name);
    names.map(|name| (name.clone(), other(&name).unwrap_or(Verdict::Kept))).collect()
}

/// One that breaks two promises by one mistake, and does not say where mnt is.
fn chroot_only() -> BTreeMap<String, Verdict> {
    let evidence = Evidence::differs("the host's words", "ENOENT", "they were read");
    let finding = Finding::new("mydocker/chroot-only").with([evidence]);
    verdicts(|promise| match promise {
        "the_breakout_fails" | "a_failed_pivot_runs_nothing" => {
            Some(Verdict::Broken(finding.clone()))
        }
        "the_host_sees_one_tree_at_mnt" => {
            Some(Verdict::NotGradable(Lacking::Adapter { silent_about: Told::Mnt }))
        }
        _ => None,
    })
}

/// The words after `--` that cargo was asked for.
fn asked(fixture: &Fixture) -> Vec<String> {
    let asked = fixture.read("asked");
    let words = asked.lines().skip_while(|word| *word != "--").skip(1);
    words.map(str::to_owned).collect()
}

#[test]
fn promises_are_told_by_stage_and_each_diagnosis_once() {
    let fixture = fixture(&chroot_only());
    insta::assert_snapshot!("check_en", fixture.fails(1, &["check", "--program", "mydocker"]));
    let in_chinese = fixture.says_in_chinese(&["check", "--program", "mydocker"]);
    insta::assert_snapshot!("check_zh", in_chinese);
}

#[test]
fn a_program_that_keeps_all_is_a_success_and_no_more_is_said() {
    let fixture = fixture(&verdicts(|_| None));
    let said = fixture.says(&["check", "--program", "mydocker"]);
    assert!(said.ends_with("\n41 of 41 kept\n"), "{said}");
}

#[test]
fn only_the_stage_that_is_named_is_graded() {
    let mut theirs = verdicts(|_| None);
    theirs.retain(|promise, _| {
        ["the_root_is_the_image", "modes_and_times_are_kept", "links_stay_links"]
            .contains(&promise.as_str())
    });
    let fixture = fixture(&theirs);
    let said = fixture.says(&["check", "--program", "mydocker", "--stage", "rootfs"]);
    assert_eq!(
        asked(&fixture)[1..],
        ["blog", "the_root_is_the_image", "modes_and_times_are_kept", "links_stay_links"]
    );
    assert!(said.ends_with("\n3 of 3 kept\n"), "{said}");
}

#[test]
fn the_stages_after_the_lab_are_graded_too() {
    let mut theirs = verdicts(|_| None);
    theirs.retain(|promise, _| promise.contains("exec"));
    let fixture = fixture(&theirs);
    let said = fixture.says(&["check", "--program", "mydocker", "--stage", "exec"]);
    assert_eq!(asked(&fixture).len(), 2 + 7);
    assert!(said.contains("\nexec  7 of 7 kept\n"), "{said}");
}

#[test]
fn files_are_meant_from_here() {
    let fixture = fixture(&verdicts(|_| None));
    fixture.write("src/my.toml", "");
    let arguments = ["check", "--program", "../mydocker", "--adapter", "my.toml"];
    fixture.lab(&arguments).current_dir(fixture.path("src")).assert().success();
    let asked = asked(&fixture);
    assert_eq!(Path::new(&asked[0]), fixture.path("src/../mydocker"));
    assert_eq!(Path::new(&asked[1]), fixture.path("src/my.toml"));
}

#[test]
fn a_word_is_a_shipped_adapter_also_beside_a_program_of_this_name() {
    let fixture = fixture(&verdicts(|_| None));
    fixture.says(&["check", "--program", "mydocker", "--adapter", "mydocker"]);
    assert_eq!(asked(&fixture)[1], "mydocker");
}

#[rstest]
#[case::missing("missing", "there is no such file")]
#[case::folder("labs", "it is not a regular file")]
#[case::device("/dev/zero", "it is not a regular file")]
#[case::no_permission("Cargo.toml", "do: chmod +x Cargo.toml")]
#[case::no_format("words", "it begins neither with #! nor as an ELF file")]
#[case::empty("empty", "it begins neither with #! nor as an ELF file")]
fn what_is_no_program_is_not_graded(#[case] program: &str, #[case] words: &str) {
    let fixture = fixture(&BTreeMap::new());
    fixture.write_program("words", "package main\n");
    fixture.write_program("empty", "");
    let said = fixture.fails(2, &["check", "--program", program]);
    assert!(said.contains(words), "{said}");
    assert!(!fixture.path("asked").exists(), "it was graded");
}

#[test]
fn without_verdicts_there_is_a_reason_and_something_to_do() {
    let fixture = fixture(&BTreeMap::new());
    fixture.write_program("cargo.sh", "#!/bin/sh\necho 'nix.toml: no `run`' >&2\nexit 2\n");
    insta::assert_snapshot!(
        fixture.fails(2, &["check", "--program", "mydocker", "--adapter", "nix.toml"]), @r"
    nix.toml: no `run`
    lab: the program could not be graded, for the reason above
      do: fix that; how to call it: cargo lab check --help; about adapters: labs/09-mydocker/adapters/README.md
    ");
}

#[test]
fn where_nothing_could_be_graded_there_is_no_success() {
    let silent = Verdict::NotGradable(Lacking::Adapter { silent_about: Told::Mnt });
    let unprepared = Verdict::Broken(Finding::new("mydocker/not-prepared"));
    for verdict in [silent, unprepared] {
        let fixture = fixture(&verdicts(|_| Some(verdict.clone())));
        fixture.fails(2, &["check", "--program", "mydocker"]);
    }
}

#[test]
fn json_is_all_that_is_printed() {
    let fixture = fixture(&chroot_only());
    let arguments = ["check", "--program", "mydocker", "--json"];
    let output = fixture.lab(&arguments).assert().code(1).get_output().clone();
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).expect("nothing but JSON");
    let lab = &json["labs"][0];
    assert_eq!((lab["kept"].as_u64(), lab["total"].as_u64()), (Some(38), Some(41)));
    let promises = lab["promises"].as_array().expect("a list");
    let broken: Vec<_> = promises.iter().filter(|it| it["state"] == "broken").collect();
    assert!(broken.iter().all(|it| it["code"] == "mydocker/chroot-only"), "{broken:?}");
    assert_eq!(broken.len(), 2);
}

#[test]
fn junit_has_a_case_a_promise_of_a_program() {
    let fixture = fixture(&chroot_only());
    let arguments = ["check", "--program", "mydocker", "--junit"];
    let output = fixture.lab(&arguments).assert().code(1).get_output().clone();
    let xml = String::from_utf8(output.stdout).expect("UTF-8");
    let cases = r#"tests="41" skipped="1" errors="0" failures="2""#;
    assert!(xml.starts_with("<?xml") && xml.contains(cases), "{xml}");
}

#[test]
fn the_hints_go_on_from_a_check() {
    let fixture = fixture(&chroot_only());
    fixture.fails(1, &["check", "--program", "mydocker"]);
    insta::assert_snapshot!(fixture.says(&["hint", "check"]), @r"
    mydocker, by the promises of lab 09; it does not count as your progress there
    the_breakout_fails  mydocker/chroot-only
    Hint 2 of 4:  Look for chroot where pivot_root should be.
    2 more:
      cargo lab hint check   one more hint
    ");
    let said = fixture.says(&["show", "check"]);
    assert!(said.starts_with("mydocker, by the promises of lab 09;"), "{said}");
}

#[test]
fn of_what_was_not_checked_or_not_gradable_a_hint_says_so() {
    let mut of_a_stage = verdicts(|_| None);
    of_a_stage.retain(|promise, _| promise.starts_with("nothing_is_left"));
    let fixture = fixture(&of_a_stage);
    fixture.says(&["check", "--program", "mydocker", "--stage", "delete-workspace"]);
    let said = fixture.says(&["hint", "check"]);
    assert!(said.contains("Every promise that was checked"), "{said}");
    assert!(!said.contains("lab solution") && !said.contains("lab next"), "{said}");
    let said = fixture.says(&["hint", "check", "the_breakout_fails"]);
    assert!(said.contains("the_breakout_fails was not checked"), "{said}");

    let silent = Verdict::NotGradable(Lacking::Adapter { silent_about: Told::Mnt });
    let nothing = verdicts(|_| Some(silent.clone()));
    fixture.write("verdicts.json", &serde_json::to_string(&nothing).expect("plain data"));
    fixture.fails(2, &["check", "--program", "mydocker"]);
    for hint in [&["hint", "check"][..], &["hint", "check", "the_breakout_fails"]] {
        let said = fixture.says(hint);
        assert!(said.contains("folders.mnt") && !said.contains("lab doctor"), "{said}");
    }
}

#[test]
fn without_a_verdict_on_a_program_there_is_no_hint_for_it() {
    let fixture = fixture(&BTreeMap::new());
    fixture.write_program("cargo.sh", "#!/bin/sh\nexit 2\n");
    fixture.fails(2, &["check", "--program", "mydocker"]);
    for command in ["hint", "show"] {
        insta::allow_duplicates! {
            insta::assert_snapshot!(fixture.fails(2, &[command, "check"]), @r"
            lab: there is no verdict on a program yet: you have checked none, or it could not be graded
              do: cargo lab check --program FILE
            ");
        }
    }
    let said = fixture.fails(2, &["solution", "check"]);
    assert!(said.contains("a checked program has no solution"), "{said}");
}

#[test]
fn a_checked_program_is_no_progress_in_lab_09() {
    let fixture = fixture(&verdicts(|_| None));
    fixture.says(&["check", "--program", "mydocker"]);
    let list = fixture.says(&["list"]);
    assert!(list.contains("09-mydocker    0 of 28 kept      not begun"), "{list}");
    let refused = fixture.fails(2, &["solution", "09"]);
    assert!(refused.contains("you keep 0 of 28"), "{refused}");
}

#[test]
fn what_was_said_of_another_program_is_forgotten() {
    let fixture = fixture(&chroot_only());
    fixture.fails(1, &["check", "--program", "mydocker"]);
    fixture.says(&["hint", "check"]);
    fixture.write_program("other", "#!/bin/sh\n");
    let mut theirs = chroot_only();
    theirs.retain(|promise, _| promise == "the_breakout_fails");
    fixture.write("verdicts.json", &serde_json::to_string(&theirs).expect("plain data"));
    fixture.fails(1, &["check", "--program", "other", "--stage", "pivot-root"]);
    let said = fixture.says(&["show", "check"]);
    assert!(said.starts_with("other, by"), "{said}");
    assert_eq!(said.matches("not graded yet").count(), 40, "{said}");
    assert!(fixture.says(&["hint", "check"]).contains("Hint 2 of 4"));
}

#[test]
fn a_program_that_was_built_anew_is_to_be_checked_again() {
    let fixture = fixture(&chroot_only());
    fixture.fails(1, &["check", "--program", "mydocker"]);
    assert!(!fixture.says(&["show", "check"]).contains("another one"));
    fixture.write_program("mydocker", "#!/bin/sh\nexit 1\n");
    assert!(fixture.says(&["show", "check"]).contains("The program has changed since then"));
}
