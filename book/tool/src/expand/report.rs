//! `{{#report}}`: what the grader says of a wrong answer.

use anyhow::{Context, Result};
use labkit::lab::Lab;
use labkit::language::Language;

use super::words::pick;
use crate::checkout::{self, ROOT};

/// The report that one of the mistakes in labs/reference gets, as its snapshot
/// has it: in both languages, one after the other.
///
/// # Errors
/// There is no such mistake.
pub fn report(lab: &Lab, mistake: &str, language: Language) -> Result<String> {
    let snapshots = ROOT.join("labs/reference/tests/snapshots");
    let path = snapshots.join(format!("matrix__lab_{}__{mistake}.snap", lab.number));
    let snapshot = checkout::read(&path)?;
    let first = pick(language, "Promised:", "承诺：");
    // The last line names the page that the reader is on.
    let last = pick(language, "Read:", "阅读：");
    let mut lines = snapshot
        .lines()
        .skip_while(|line| !line.starts_with(first))
        .take_while(|line| !line.starts_with(last))
        .peekable();
    lines.peek().with_context(|| format!("{}: no report", path.display()))?;
    Ok(format!("```text\n{}\n```", lines.collect::<Vec<_>>().join("\n")))
}
