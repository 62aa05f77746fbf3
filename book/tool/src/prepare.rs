//! Before the translation: what is not for the translators is kept from them.
//!
//! - A directive alone in its line, such as `{{#tasks 06-pivot-root}}`, becomes
//!   a comment. What it stands for has its own texts in both languages.
//! - Code and shell sessions are the same in both editions.
//! - The line that unfolds a text becomes a paragraph, which is translated.
//! - Each heading gets the anchor of its English words, so that a link, and the
//!   switch to the other language, leads to the same place in both editions.

use std::collections::HashMap;

use anyhow::{Result, bail};
use mdbook_driver::book::{Book, BookItem};
use mdbook_preprocessor::{Preprocessor, PreprocessorContext};

/// The names of all directives.
const DIRECTIVES: &[&str] = &[
    "tasks",
    "promises",
    "diagnoses",
    "commands",
    "player",
    "figure",
    "diagram",
    "readme",
    "report",
    "experiment",
];

/// The step as mdbook calls it.
pub struct Prepare;

impl Preprocessor for Prepare {
    fn name(&self) -> &str {
        "prepare"
    }

    fn run(&self, _: &PreprocessorContext, mut book: Book) -> Result<Book> {
        let mut outcome = Ok(());
        book.for_each_mut(|item| {
            let BookItem::Chapter(chapter) = item else { return };
            match prepare(&chapter.content) {
                Ok(content) => chapter.content = content,
                Err(error) => outcome = Err(error.context(format!("in {}", chapter.name))),
            }
        });
        outcome.map(|()| book)
    }
}

/// One page.
///
/// # Errors
/// A directive that there is none of.
pub fn prepare(markdown: &str) -> Result<String> {
    let mut prepared = String::new();
    let mut anchors = Anchors::default();
    let mut fence: Option<&str> = None;
    for line in markdown.lines() {
        let words = line.trim_start();
        let margin = &line[..line.len() - words.len()];
        match fence {
            Some(marker) => {
                if words.starts_with(marker) && words.trim_end().trim_matches('`').is_empty() {
                    fence = None;
                }
                prepared += line;
            }
            None if words.starts_with("```") => {
                let info = words.trim_start_matches('`');
                fence = Some(&words[..words.len() - info.len()]);
                prepared += &format!("{margin}<!-- i18n:skip -->\n{line}");
            }
            None if words.starts_with("{{#") => {
                let directive = words.trim_end();
                check(directive)?;
                prepared += &format!("{margin}<!-- {directive} -->");
            }
            None if words.starts_with("<summary>") => prepared += &summary(words),
            None if words.starts_with('#') && words.trim_start_matches('#').starts_with(' ') => {
                prepared += &anchors.add_to(line);
            }
            None => prepared += line,
        }
        prepared += "\n";
    }
    Ok(prepared)
}

/// What stands in one line with a tag is hidden from the translators: so it is
/// taken apart.
fn summary(line: &str) -> String {
    let text = line.trim_end().trim_start_matches("<summary>").trim_end_matches("</summary>");
    format!("<summary>\n\n{text}\n\n</summary>")
}

fn check(directive: &str) -> Result<()> {
    let name = directive.trim_start_matches("{{#").split([' ', '}']).next().unwrap_or_default();
    if !DIRECTIVES.contains(&name) || !directive.ends_with("}}") {
        bail!("{directive} is no directive; there are: {}", DIRECTIVES.join(", "));
    }
    Ok(())
}

/// The anchors of a page, each used once.
#[derive(Default)]
struct Anchors {
    used: HashMap<String, usize>,
}

impl Anchors {
    fn add_to(&mut self, heading: &str) -> String {
        let heading = heading.trim_end();
        if heading.ends_with('}') {
            return heading.to_owned();
        }
        let anchor = anchor(heading);
        let before = self.used.entry(anchor.clone()).or_insert(0);
        *before += 1;
        match *before {
            1 => format!("{heading} {{#{anchor}}}"),
            count => format!("{heading} {{#{anchor}-{}}}", count - 1),
        }
    }
}

/// The anchor of a heading, as mdbook would make it.
pub fn anchor(heading: &str) -> String {
    let mut words = String::new();
    let mut rest = heading.trim_start_matches('#').trim();
    // Of a link, its words.
    while let Some((before, after)) = rest.split_once("](") {
        words += before;
        rest = after.split_once(')').map_or("", |(_, rest)| rest);
    }
    words += rest;
    let letter = |letter: char| match letter {
        _ if letter.is_alphanumeric() || letter == '_' || letter == '-' => Some(letter),
        _ if letter.is_whitespace() => Some('-'),
        _ => None,
    };
    words.to_lowercase().chars().filter_map(letter).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headings_get_their_english_anchor() {
        let prepared = prepare(
            "# `pivot_root`, then: [a link](x.md)\n\n## Twice\n\n## Twice\n\n## Own {#mine}\n",
        );
        let expected = "# `pivot_root`, then: [a link](x.md) {#pivot_root-then-a-link}\n\n\
                        ## Twice {#twice}\n\n## Twice {#twice-1}\n\n## Own {#mine}\n";
        assert_eq!(prepared.unwrap(), expected);
    }

    #[test]
    fn directives_become_comments() {
        let prepared = prepare("{{#tasks 06-pivot-root}}\n").unwrap();
        assert_eq!(prepared, "<!-- {{#tasks 06-pivot-root}} -->\n");
    }

    #[test]
    fn summaries_are_translated() {
        let prepared = prepare("<summary>Why <code>x</code>?</summary>\n").unwrap();
        assert_eq!(prepared, "<summary>\n\nWhy <code>x</code>?\n\n</summary>\n");
    }

    #[test]
    fn unknown_directives_are_refused() {
        let error = prepare("{{#taks 06-pivot-root}}\n").unwrap_err().to_string();
        assert!(error.starts_with("{{#taks 06-pivot-root}} is no directive"), "{error}");
    }

    #[test]
    fn code_is_not_translated_and_not_touched() {
        let code = "- item\n  ```sh\n  # no heading\n  {{#tasks x}}\n  ```\n";
        let expected = code.replacen("  ```sh", "  <!-- i18n:skip -->\n  ```sh", 1);
        assert_eq!(prepare(code).unwrap(), expected);
    }
}
