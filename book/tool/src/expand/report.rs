//! `{{#report}}`: what the grader says of a wrong answer.

use anyhow::{Context, Result};
use labkit::lab::Lab;
use labkit::language::Language;
use labkit::recorded::Recorded;

use super::words::pick;
use crate::checkout::ROOT;

/// The report that one of the mistakes in labs/reference gets, made of what its snapshot
/// records.
///
/// # Errors
/// There is no such mistake.
pub fn report(lab: &Lab, mistake: &str, language: Language) -> Result<String> {
    let snapshots = ROOT.join("labs/reference/tests/snapshots");
    let path = snapshots.join(format!("matrix__lab_{}__{mistake}.snap", lab.number));
    let recorded = Recorded::read(&path).with_context(|| path.display().to_string())?;
    let report = recorded.report(lab, language);
    // The last lines name the page that the reader is on.
    let last = pick(language, "Read:", "阅读：");
    let lines: Vec<_> = report.lines().take_while(|line| !line.starts_with(last)).collect();
    Ok(format!("```text\n{}\n```", lines.join("\n")))
}
