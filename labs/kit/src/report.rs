//! Verdicts in the student's words.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::io;

use mydocker_kernel::surroundings;
use rust_i18n::t;
use textwrap::core::display_width;

use crate::evidence::in_chinese;
use crate::lab::Lab;
use crate::language::{Language, Words};
use crate::look::Look;
use crate::need::Lacking;
use crate::verdict::{Evidence, Finding, NOT_WRITTEN, Verdict, Whose};

/// A broken promise: what was promised, what was seen, why it matters, how to
/// go on.
pub fn broken(
    lab: &Lab,
    promise: &str,
    finding: &Finding,
    language: Language,
    look: Look,
) -> String {
    let locale = language.locale();
    let label = |key: &str| t!(format!("report.{key}"), locale = locale);
    let labels = ["promised", "code", "seen", "why", "hint", "page"];
    let column = labels.map(|key| display_width(&label(key))).into_iter().max().unwrap_or(0) + 2;
    let labelled = |key: &str, text: &str| look.labelled(&label(key), column, text);

    let mut finding = finding.clone();
    // If the kernel has ended everything, nobody was left to say what was asked for.
    if let Some(text) = lab.promise(promise) {
        finding.words.entry("function".into()).or_insert_with(|| text.function.clone());
    }
    let finding = &finding;

    let promised = lab.promise(promise).map(|text| text.promised.in_language(language));
    let diagnosis = lab.diagnosis(&finding.code);
    let mut lines =
        vec![labelled("promised", promised.unwrap_or(promise)), labelled("code", &finding.code)];
    if let Some(diagnosis) = &diagnosis {
        lines.push(labelled("seen", &fill(&diagnosis.seen, finding, language)));
    }
    for evidence in &finding.evidence {
        lines.push(describe(evidence, language, look));
    }
    if !finding.printed.trim().is_empty() {
        lines.push(look.bold(&label("printed")));
        lines.push(indent(finding.printed.trim_end(), 4));
    }
    if let Some(diagnosis) = diagnosis.filter(|_| finding.code != NOT_WRITTEN) {
        lines.push(labelled("why", &fill(&diagnosis.why, finding, language)));
    }
    let hints = lab.hints(promise, finding);
    if let Some(hint) = hints.first() {
        lines.push(labelled("hint", &fill(hint, finding, language)));
        let command = format!("cargo lab hint {} {promise}", lab.number);
        let count = hints.len() - 1;
        let more = t!("report.more-hints", locale = locale, count = count, command = command);
        // Not broken into lines, however long, so that it can be copied.
        lines.push(indent(&more, column));
    }
    let address = address(lab, &finding.code, language);
    lines.push(labelled("page", &t!("report.address", locale = locale, address = address)));
    lines.join("\n")
}

/// Where `scripts/book serve` shows what the book says of a diagnosis.
fn address(lab: &Lab, code: &str, language: Language) -> String {
    let edition = match language {
        Language::English => "",
        Language::Chinese => "zh-CN/",
    };
    format!("http://127.0.0.1:3000/{edition}{}", page(lab, code))
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
    let values: Vec<String> =
        finding.words.values().map(|value| in_words_of(value, language).into_owned()).collect();
    rust_i18n::replace_patterns(words.in_language(language), &names, &values)
}

/// What a grader wrote, in the reader's language.
fn in_words_of(text: &str, language: Language) -> Cow<'_, str> {
    match language {
        Language::English => Cow::Borrowed(text),
        Language::Chinese => in_chinese(text),
    }
}

/// One piece of evidence, indented.
pub fn describe(evidence: &Evidence, language: Language, look: Look) -> String {
    let locale = language.locale();
    let words = |text| in_words_of(text, language);
    match evidence {
        Evidence::Differs { what, expected, seen } => {
            let must = format!("      {}  ", t!("report.expected", locale = locale));
            let was = format!("      {}  ", t!("report.was", locale = locale));
            let column = display_width(&must);
            let lines = [
                look.indented(4, &words(what)),
                look.wrap(&must, column, &words(expected)),
                look.wrap(&was, column, &words(seen)),
            ];
            lines.join("\n")
        }
        Evidence::MountTable { whose, changes } => {
            let whose = match whose {
                Whose::Host => t!("report.host-table", locale = locale),
                Whose::Container => t!("report.container-table", locale = locale),
            };
            let mut lines = vec![look.indented(4, &whose)];
            if changes.is_empty() {
                lines.push(look.indented(6, &t!("report.no-change", locale = locale)));
            }
            lines.extend(changes.iter().map(|change| look.wrap("      ", 10, change)));
            lines.join("\n")
        }
        // A picture is not broken: its lines are read from top to bottom.
        Evidence::Tree { what, drawing } => {
            let lines: Vec<_> = drawing.trim_end().lines().map(words).collect();
            format!("{}\n{}", look.indented(4, &words(what)), indent(&lines.join("\n"), 6))
        }
    }
}

/// That a promise cannot be graded here, why, and where it can be.
pub fn not_gradable(needed: Lacking, language: Language) -> String {
    let why = lacking(needed, language);
    t!("report.not-gradable", locale = language.locale(), why = why).into_owned()
}

/// What is lacking to grade a promise, and where it is not.
pub fn lacking(lacking: Lacking, language: Language) -> String {
    let text = |key: String| t!(key, locale = language.locale()).into_owned();
    let mut texts = vec![text(format!("lacking.{}", lacking.key()))];
    if let Lacking::UserNamespaces { .. } = lacking {
        let here = surroundings::hindrances();
        texts.extend(here.iter().map(|it| text(format!("hindrance.{}", it.key()))));
    }
    texts.join(match language {
        Language::English => "; ",
        Language::Chinese => "；",
    })
}

/// What is lacking, if of all that was graded nothing can be graded here.
pub fn all_lacking(
    verdicts: &BTreeMap<String, Verdict>,
    language: Language,
) -> Option<Vec<String>> {
    let lacking = verdicts.values().map(|verdict| match verdict {
        Verdict::NotGradable(needed) => Some(lacking(*needed, language)),
        Verdict::Kept | Verdict::Broken(_) => None,
    });
    let reasons: BTreeSet<String> = lacking.collect::<Option<_>>()?;
    (!reasons.is_empty()).then(|| reasons.into_iter().collect())
}

/// That of all that was graded nothing can be graded here, and what is lacking;
/// nothing if there is a verdict.
pub fn nothing_gradable(
    lab: &Lab,
    verdicts: &BTreeMap<String, Verdict>,
    language: Language,
) -> Option<String> {
    let why = all_lacking(verdicts, language)?.join("\n    ");
    let (locale, number) = (language.locale(), &lab.number);
    let is_of_the_adapter =
        |it: &Verdict| matches!(it, Verdict::NotGradable(Lacking::Adapter { .. }));
    // No machine can make up for what an adapter does not say.
    let text = match verdicts.values().all(is_of_the_adapter) {
        true => t!("report.nothing-told", locale = locale, number = number, why = why),
        false => t!("report.nothing-gradable", locale = locale, number = number, why = why),
    };
    Some(text.into_owned())
}

/// That no promise has a name like the one that was asked for.
pub fn nothing_matches(lab: &Lab, language: Language) -> String {
    let names: Vec<&str> = lab.promises.iter().map(|promise| promise.name.as_str()).collect();
    let (locale, number, known) = (language.locale(), &lab.number, names.join("\n    "));
    t!("report.nothing-matches", locale = locale, number = number, known = known).into_owned()
}

/// That the graders are not as they were released.
pub fn graders_changed(files: &[String], language: Language) -> String {
    let (named, others) = files.split_at(files.len().min(NAMED_FILES));
    let mut names = named.join("\n    ");
    if !others.is_empty() {
        names += "\n    …";
    }
    t!("report.graders-changed", locale = language.locale(), files = names).into_owned()
}

/// How many changed files are named.
const NAMED_FILES: usize = 5;

/// That the verdicts could not be kept.
pub fn not_kept(error: &io::Error, language: Language) -> String {
    t!("report.not-kept", locale = language.locale(), error = error).into_owned()
}

fn indent(text: &str, columns: usize) -> String {
    let margin = " ".repeat(columns);
    text.lines().map(|line| format!("{margin}{line}")).collect::<Vec<_>>().join("\n")
}
