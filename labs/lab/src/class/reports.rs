//! The grades of a class as a table, as CSV and as JSON.

use std::collections::BTreeMap;

use labkit::lab::Lab;
use labkit::verdict::Verdict;
use rust_i18n::t;
use serde::Serialize;
use textwrap::core::display_width;

use super::handed_in::Skipped;
use super::outcome::{Graded, Outcome};
use super::submission::{Submission, places_of};
use crate::session::Session;

/// Between two columns.
const GAP: &str = "  ";

/// A line a submission, a column a lab; below it what is to be known of single
/// ones.
pub fn table(
    session: &Session,
    submissions: &[Submission],
    labs: &[&Lab],
    graded: &[Graded],
) -> String {
    let mut rows = vec![vec![String::new()]];
    rows[0].extend(labs.iter().map(|lab| lab.number.clone()));
    for (submission, theirs) in submissions.iter().zip(graded.chunks(labs.len())) {
        let mut row = vec![submission.name.clone()];
        row.extend(theirs.iter().map(|it| cell(session, it)));
        rows.push(row);
    }
    let width = |column: usize| rows.iter().map(|row| display_width(&row[column])).max();
    let widths: Vec<usize> = (0..=labs.len()).map(|column| width(column).unwrap_or(0)).collect();
    let mut text = String::new();
    for row in &rows {
        let padded = row
            .iter()
            .zip(&widths)
            .map(|(cell, width)| format!("{cell}{}", " ".repeat(width - display_width(cell))));
        let line = padded.collect::<Vec<_>>().join(GAP);
        text += &format!("{}\n", line.trim_end());
    }
    let is_only_lab = labs.len() == 1;
    let notes: Vec<String> = graded.iter().flat_map(|it| notes(session, it, is_only_lab)).collect();
    if !notes.is_empty() {
        text += &format!("\n{}\n", notes.join("\n"));
    }
    text
}

/// `12/19`, or why there is no such number.
fn cell(session: &Session, graded: &Graded) -> String {
    let standing = graded.outcome.standing(graded.lab);
    match &graded.outcome {
        Outcome::Graded { .. } if graded.outcome.is_final() => {
            format!("{}/{}", standing.kept(), standing.total() - standing.count("not-gradable"))
        }
        outcome => t!(format!("class.{}", outcome.name()), locale = session.locale()).into_owned(),
    }
}

/// What in the directory is no submission, a line each.
pub fn skipped(session: &Session, skipped: &[Skipped]) -> String {
    let line = |it: &Skipped| {
        let reason = it.reason(session.language);
        session.look.wrap(&format!("{}: ", it.name), 4, &reason) + "\n"
    };
    skipped.iter().map(line).collect()
}

/// Files that were not handed in, and why there is no grade, in a line each.
fn notes(session: &Session, graded: &Graded, is_only_lab: bool) -> Vec<String> {
    let locale = session.locale();
    let (name, number) = (&graded.submission.name, &graded.lab.number);
    let answers = graded.submission.answers.get(number);
    let missing = answers.map(|it| it.missing.as_slice()).unwrap_or_default();
    let mut notes = Vec::new();
    for file in missing {
        let text = t!("class.missing-file", locale = locale, file = file);
        notes.push(session.look.wrap(&format!("{name} {number}: "), 4, &text));
    }
    for directory in &graded.submission.passed_over {
        let text = t!("class.passed-over", locale = locale, directory = directory);
        notes.push(session.look.wrap(&format!("{name} {number}: "), 4, &text));
    }
    if matches!(graded.outcome, Outcome::Missing) {
        let places = places_of(&session.checkout, graded.lab, is_only_lab).join(", ");
        let text = t!("class.looked-for", locale = locale, places = places);
        notes.push(session.look.wrap(&format!("{name} {number}: "), 4, &text));
    }
    if let Some(said) = graded.outcome.why_there_is_no_grade(session.language) {
        let word = t!(format!("class.{}", graded.outcome.name()), locale = locale);
        let text = format!("{word}: {}", in_a_line(&said));
        notes.push(session.look.wrap(&format!("{name} {number}: "), 4, &text));
    }
    notes
}

/// The line of a compiler's many that says what is wrong.
fn in_a_line(said: &str) -> &str {
    let is_error = |line: &&str| line.starts_with("error");
    let line = said.lines().find(is_error).or_else(|| said.lines().find(|line| !line.is_empty()));
    line.unwrap_or_default()
}

/// A record a submission and lab, with a head, as RFC 4180 has it. Without the
/// mark at its beginning Excel takes it for the country's own character set, and
/// names are spoilt.
pub fn csv(session: &Session, graded: &[Graded]) -> Vec<u8> {
    let mut writer = csv::WriterBuilder::new()
        .terminator(csv::Terminator::CRLF)
        .from_writer("\u{feff}".as_bytes().to_vec());
    let mut write = |record: &[String]| writer.write_record(record).expect("it is in memory");
    write(&COLUMNS.map(str::to_owned));
    for it in graded {
        let standing = it.outcome.standing(it.lab);
        let missing = it.submission.answers.get(&it.lab.number).map(|it| it.missing.join(" "));
        let said = it.outcome.why_there_is_no_grade(session.language).unwrap_or_default();
        let count = |key: &str| standing.count(key).to_string();
        let fields = [
            it.submission.name.clone(),
            it.lab.folder(),
            it.outcome.name().to_owned(),
            count("kept"),
            count("broken"),
            count("not-written"),
            count("not-gradable"),
            standing.total().to_string(),
            missing.unwrap_or_default(),
            in_a_line(&said).to_owned(),
        ];
        write(&fields.map(|field| not_a_formula(&field)));
    }
    writer.into_inner().expect("it is in memory")
}

/// The head of the CSV file.
const COLUMNS: [&str; 10] = [
    "submission",
    "lab",
    "outcome",
    "kept",
    "broken",
    "not_written",
    "not_gradable",
    "total",
    "missing_files",
    "said",
];

/// What a spreadsheet would take for a formula is put behind a quote: the words
/// are a student's.
fn not_a_formula(field: &str) -> String {
    match field.starts_with(['=', '+', '-', '@', '\t', '\r']) {
        true => format!("'{field}"),
        false => field.to_owned(),
    }
}

#[derive(Serialize)]
struct ClassGrades<'a> {
    version: u32,
    /// Entries of the directory that are no submissions, with the reason.
    skipped: BTreeMap<&'a str, String>,
    submissions: BTreeMap<&'a str, BTreeMap<String, LabGrade<'a>>>,
}

#[derive(Serialize)]
struct LabGrade<'a> {
    /// `graded`, `missing`, `refused`, `does-not-compile`, `took-too-long` or
    /// `not-graded`.
    outcome: &'static str,
    kept: usize,
    /// Of how many that could be graded here.
    gradable: usize,
    missing_files: &'a [String],
    said: Option<String>,
    promises: BTreeMap<&'a str, PromiseGrade<'a>>,
}

#[derive(Serialize)]
struct PromiseGrade<'a> {
    state: &'static str,
    verdict: Option<&'a Verdict>,
}

/// Everything that is known.
pub fn json(session: &Session, graded: &[Graded], skipped: &[Skipped]) -> String {
    let skipped = skipped.iter().map(|it| (it.name.as_str(), it.reason(session.language)));
    let mut grades =
        ClassGrades { version: 1, skipped: skipped.collect(), submissions: BTreeMap::new() };
    for it in graded {
        let standing = it.outcome.standing(it.lab);
        let verdicts = match &it.outcome {
            Outcome::Graded { report } => Some(&report.verdicts),
            _ => None,
        };
        let answers = it.submission.answers.get(&it.lab.number);
        let promises = standing.promises.iter().map(|(promise, state)| {
            let verdict = verdicts.and_then(|all| all.get(&promise.name));
            (promise.name.as_str(), PromiseGrade { state: state.key(), verdict })
        });
        let grade = LabGrade {
            outcome: it.outcome.name(),
            kept: standing.kept(),
            gradable: standing.total() - standing.count("not-gradable"),
            missing_files: answers.map(|it| it.missing.as_slice()).unwrap_or_default(),
            said: it.outcome.why_there_is_no_grade(session.language),
            promises: promises.collect(),
        };
        let theirs = grades.submissions.entry(&it.submission.name).or_default();
        theirs.insert(it.lab.folder(), grade);
    }
    serde_json::to_string_pretty(&grades).expect("plain data") + "\n"
}
