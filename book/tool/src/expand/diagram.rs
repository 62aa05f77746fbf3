//! `{{#diagram}}`: a table, or a block of plain text, that has words in it.

use anyhow::Result;
use labkit::language::Language;

use crate::checkout;

/// The Markdown of `book/diagrams/NAME.en.md`, or of `NAME.zh.md`.
///
/// # Errors
/// There is no such file.
pub fn text(name: &str, language: Language) -> Result<String> {
    let file = format!("diagrams/{name}.{}.md", language.locale());
    checkout::read(&checkout::book().join(file))
}
