//! `lab hint`.

use labkit::answer::{digest, files};
use labkit::record::Report;
use labkit::verdict::{Finding, HUNG, Verdict};

use crate::fixture::{Fixture, all_kept, one_of_each};

#[test]
fn each_call_gives_one_more_after_that_of_the_report() {
    let fixture = Fixture::new();
    fixture.set_verdicts("06-pivot-root", &one_of_each());
    fixture.fails(1, &["grade", "06"]);
    insta::assert_snapshot!(fixture.says(&["hint", "06"]), @r"
    old_root_is_unreachable  pivot-root/old-root-still-mounted
    Hint 2 of 4:  What do you do with /old_root afterwards?
    2 more:
      cargo lab hint 06   one more hint
    ");
    insta::assert_snapshot!(fixture.says_in_chinese(&["hint", "06"]), @r"
    old_root_is_unreachable  pivot-root/old-root-still-mounted
    提示 3/4：  umount2(2)，MNT_DETACH。
    还有 1 条：
      cargo lab hint 06   再看一条提示
    ");
    insta::assert_snapshot!(fixture.says(&["hint", "06"]), @r"
    old_root_is_unreachable  pivot-root/old-root-still-mounted
    Hint 4 of 4:  umount2(put_old, MNT_DETACH)?
    That was the last one.
      cargo lab show 06                 all promises, with what was seen
      cargo lab solution 06 --give-up   see the solution now
    ");
}

#[test]
fn again_shows_what_was_shown_and_nothing_new() {
    let fixture = Fixture::new();
    fixture.set_verdicts("06-pivot-root", &one_of_each());
    fixture.fails(1, &["grade", "06"]);
    fixture.says(&["hint", "06"]);
    let again = fixture.says(&["hint", "06", "--again"]);
    assert_eq!(again, fixture.says(&["hint", "06", "--again"]));
    assert!(again.contains("Hint 1 of 4") && again.contains("Hint 2 of 4"), "{again}");
    assert!(!again.contains("Hint 3 of 4"), "{again}");
}

#[test]
fn what_was_never_graded_has_the_hints_of_its_function() {
    let fixture = Fixture::new();
    insta::assert_snapshot!(fixture.says(&["hint", "05"]), @r"
    links_are_links  answer/not-written
    Hint 1 of 2:  A tar is a list of files.
    1 more:
      cargo lab hint 05   one more hint
    ");
}

#[test]
fn a_promise_can_be_named() {
    let fixture = Fixture::new();
    fixture.set_verdicts("06-pivot-root", &one_of_each());
    fixture.fails(1, &["grade", "06"]);
    let said = fixture.says(&["hint", "06", "proc_is_fresh"]);
    // The grade has explained another promise: not even the first was shown.
    insta::assert_snapshot!(said, @r"
    proc_is_fresh  answer/not-written
    Hint 1 of 2:  proc is a file system.
    1 more:
      cargo lab hint 06 proc_is_fresh   one more hint
    ");
}

#[test]
fn promises_with_one_diagnosis_on_one_function_have_one_ladder() {
    let fixture = Fixture::new();
    fixture.set_verdicts("06-pivot-root", &one_of_each());
    fixture.fails(1, &["grade", "06"]);
    let said = fixture.says(&["hint", "06", "the_breakout_fails"]);
    assert!(said.contains("Hint 2 of 4"), "{said}");
    assert!(fixture.says(&["hint", "06"]).contains("Hint 3 of 4"));
}

#[test]
fn hints_for_another_answer_than_the_graded_one_say_so() {
    let fixture = Fixture::new();
    let (verdicts, answer) = (one_of_each(), digest(&files(&fixture.path("labs/06-pivot-root"))));
    let verdicts = verdicts.into_iter().map(|(name, it)| (name.to_owned(), it)).collect();
    let answer = Some(answer);
    let report = Report { lab: "06".into(), verdicts, answer, ..Report::default() };
    fixture.set_report("06-pivot-root", &report);
    fixture.fails(1, &["grade", "06"]);
    let notice = "You have changed your answer since this grade:";
    assert!(!fixture.says(&["hint", "06"]).contains(notice));
    // In the same second: the time says nothing.
    fixture.write("labs/06-pivot-root/src/lib.rs", "// better\n");
    assert!(fixture.says(&["hint", "06"]).contains(notice));
    assert!(fixture.says(&["show", "06"]).contains(notice));
}

#[test]
fn of_two_functions_that_hang_the_called_one_is_to_be_mended() {
    let fixture = Fixture::new();
    let hung = |function: &str| Verdict::Broken(Finding::new(HUNG).word("function", function));
    let verdicts = [("the_breakout_fails", hung("enter")), ("proc_is_fresh", hung("mount_proc"))];
    fixture.set_verdicts("06-pivot-root", &verdicts);
    let answer = "pub fn enter() {\n    mount_proc();\n}\n\nfn mount_proc() {\n    loop {}\n}\n";
    fixture.write("labs/06-pivot-root/src/lib.rs", answer);
    let said = fixture.fails(1, &["grade", "06"]);
    assert!(said.contains("Next: change mount_proc"), "{said}");
    assert!(fixture.says(&["hint", "06"]).starts_with("proc_is_fresh"));
}

#[test]
fn what_is_kept_needs_no_hint() {
    let fixture = Fixture::new();
    fixture.set_verdicts("06-pivot-root", &all_kept());
    fixture.says(&["grade", "06"]);
    let said = fixture.says(&["hint", "06", "proc_is_fresh"]);
    assert!(said.contains("proc_is_fresh is not broken"), "{said}");
    let said = fixture.says(&["hint", "06"]);
    assert!(said.contains("Every promise of lab 06 that can be graded here is kept."), "{said}");
}
