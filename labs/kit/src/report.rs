//! Verdicts in the student's words.

use std::env;
use std::io::{self, IsTerminal};

use rust_i18n::t;

use crate::lab::Lab;
use crate::language::{Language, Words};
use crate::need::Lacking;
use crate::verdict::{Evidence, Finding, NOT_WRITTEN, Whose};

/// Whether to use colour: on a terminal, unless `$NO_COLOR` is set.
pub fn colour() -> bool {
    env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()) && io::stdout().is_terminal()
}

/// Marks up a heading, where there is colour.
fn bold(text: &str, colour: bool) -> String {
    if colour { format!("\x1b[1m{text}\x1b[0m") } else { text.to_owned() }
}

/// A broken promise: what was promised, what was seen, why it matters, how to
/// go on.
pub fn broken(
    lab: &Lab,
    promise: &str,
    finding: &Finding,
    language: Language,
    colour: bool,
) -> String {
    let locale = language.locale();
    let head = |key: &str| bold(&t!(format!("report.{key}"), locale = locale), colour);
    let promised = lab.promise(promise).map(|text| text.promised.in_language(language));
    let diagnosis = lab.diagnosis(&finding.code);
    let mut lines = vec![
        format!("{}  {}", head("promised"), promised.unwrap_or(promise)),
        format!("{}  {}", head("code"), finding.code),
    ];
    if let Some(diagnosis) = &diagnosis {
        lines.push(format!("{}  {}", head("seen"), fill(&diagnosis.seen, finding, language)));
    }
    for evidence in &finding.evidence {
        lines.push(indent(&describe(evidence, language)));
    }
    if !finding.printed.trim().is_empty() {
        lines.push(head("printed"));
        lines.push(indent(finding.printed.trim_end()));
    }
    if let Some(diagnosis) = &diagnosis {
        lines.push(format!("{}  {}", head("why"), fill(&diagnosis.why, finding, language)));
    }
    let hints = lab.hints(promise, &finding.code);
    if let Some(hint) = hints.first() {
        lines.push(format!("{}  {}", head("hint"), fill(hint, finding, language)));
        let command = format!("cargo lab hint {}", lab.number);
        let count = hints.len() - 1;
        let more = t!("report.more-hints", locale = locale, count = count, command = command);
        lines.push(format!("      {more}"));
    }
    lines.push(format!("{}  book/{}", head("page"), page(lab, &finding.code)));
    lines.join("\n")
}

/// Where the book says more: the lab's chapter, or the diagnosis's entry.
fn page(lab: &Lab, code: &str) -> String {
    if code == NOT_WRITTEN {
        lab.page.clone()
    } else {
        format!("{}#{}", lab.page, code.replace('/', "-"))
    }
}

/// A text with the finding's words in it.
pub fn fill(words: &Words, finding: &Finding, language: Language) -> String {
    let names: Vec<&str> = finding.words.keys().map(String::as_str).collect();
    let values: Vec<String> = finding.words.values().cloned().collect();
    rust_i18n::replace_patterns(words.in_language(language), &names, &values)
}

/// One piece of evidence.
pub fn describe(evidence: &Evidence, language: Language) -> String {
    let locale = language.locale();
    match evidence {
        Evidence::Differs { what, expected, seen } => {
            let (must, was) =
                (t!("report.expected", locale = locale), t!("report.was", locale = locale));
            format!("{what}\n  {must}  {expected}\n  {was}  {seen}")
        }
        Evidence::MountTable { whose, changes } => {
            let whose = match whose {
                Whose::Host => t!("report.host-table", locale = locale),
                Whose::Container => t!("report.container-table", locale = locale),
            };
            let changes = match changes.as_slice() {
                [] => t!("report.no-change", locale = locale).into_owned(),
                changes => changes.join("\n"),
            };
            format!("{whose}\n{}", indent(&changes))
        }
        Evidence::Tree { what, drawing } => format!("{what}\n{}", indent(drawing.trim_end())),
    }
}

/// Why a promise cannot be graded here, and where it can be.
pub fn not_gradable(lacking: Lacking, language: Language) -> String {
    t!(format!("lacking.{}", lacking.key()), locale = language.locale()).into_owned()
}

/// That the graders are not as they were released.
pub fn graders_changed(files: &[String], language: Language) -> String {
    let files = files.join(", ");
    t!("report.graders-changed", locale = language.locale(), files = files).into_owned()
}

/// That the verdicts could not be kept.
pub fn not_kept(error: &io::Error, language: Language) -> String {
    t!("report.not-kept", locale = language.locale(), error = error).into_owned()
}

fn indent(text: &str) -> String {
    text.lines().map(|line| format!("    {line}")).collect::<Vec<_>>().join("\n")
}
