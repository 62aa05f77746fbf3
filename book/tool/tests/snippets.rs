//! No Rust in the book goes uncompiled.

use mydocker_book::checkout;

#[test]
fn every_snippet_is_compiled() {
    let compiled = checkout::read(&checkout::book().join("tool/src/snippets.rs")).expect("a list");
    for page in std::fs::read_dir(checkout::book().join("src")).expect("the pages") {
        let page = page.expect("a page").path();
        if page.extension().is_none_or(|it| it != "md") {
            continue;
        }
        let name = page.file_stem().expect("a name").to_string_lossy();
        let text = checkout::read(&page).expect("the page");
        let mut lines = text.lines().peekable();
        while let Some(line) = lines.next() {
            let Some(info) = line.trim().strip_prefix("```rust") else { continue };
            let is_included = lines.peek().is_some_and(|it| it.trim().starts_with("{{#include"));
            let is_listed = compiled.contains(&format!("\"{name}\""));
            let is_compiled = info.is_empty() || info == ",no_run";
            assert!(
                if is_compiled { is_listed } else { is_included },
                "{name}.md: ```rust{info}: list the page in tool/src/snippets.rs, or include compiled code"
            );
        }
    }
}
