//! The Chinese edition is whole.

use mydocker_book::messages;

#[test]
#[cfg_attr(not(is_translated), ignore = "there is no po/zh-CN.po yet")]
fn every_message_is_translated_and_none_is_fuzzy() {
    let missing = messages::missing().expect("the messages");
    let shown: Vec<String> = missing.iter().take(20).map(|text| format!("  {text:?}")).collect();
    assert!(
        missing.is_empty(),
        "{} messages are not translated, or only perhaps:\n{}\n  do: scripts/book messages, then edit book/po/zh-CN.po",
        missing.len(),
        shown.join("\n")
    );
}

#[test]
fn what_the_labs_say_is_no_message() {
    let folder = messages::extract().expect("the messages");
    let template = std::fs::read_to_string(messages::template(&folder)).expect("messages.pot");
    assert!(template.contains("msgid \"You will be able to\""), "it has the chapters' words");
    for of_labs in ["old_root_is_unreachable", "{{#tasks", "{{#player", "pivot-root/old-root"] {
        let line = template.lines().find(|line| line.contains(of_labs));
        // A chapter may well name a test; a directive's words are whole messages.
        let whole = line.filter(|line| line.starts_with(&format!("msgid \"`{of_labs}")));
        assert_eq!(whole, None);
    }
    assert!(!template.contains("{{#"), "a directive would be translated");
}
