//! `lab show`: the last report again.

use std::fs;
use std::time::{Duration, UNIX_EPOCH};

use clap::Args;
use labkit::lab::{Lab, PromiseText};
use labkit::record::Report;
use labkit::report;
use rust_i18n::t;

use super::grade::{explain, promises};
use super::session::{Session, promise_called};
use super::standing::{Standing, State};
use super::trouble::Trouble;

/// Show the last grade again: every diagnosis with its evidence
///
/// Mount tables and file trees are drawn as the grader has seen them. Promises
/// that are broken for the same reason are shown once.
#[derive(Args)]
pub struct Arguments {
    /// Which lab; the next one if none is named
    lab: Option<String>,
    /// Only this promise
    promise: Option<String>,
}

pub fn execute(session: &Session, arguments: &Arguments) -> Result<(), Trouble> {
    let (locale, look) = (session.locale(), session.look);
    let lab = session.lab_or_next(arguments.lab.as_deref())?;
    let Some(report) = session.records.report(lab) else {
        return Err(Trouble::NotGraded { lab: lab.number.clone() });
    };
    println!("{}", look.bold(&format!("{}: {}", lab.folder(), session.words(&lab.title))));
    if is_older_than_the_answer(session, lab, &report) {
        println!("{}", look.indented(2, &t!("show.older", locale = locale)));
        session.advise(lab, &["grade LAB"]);
    }
    if !report.graders_changed.is_empty() {
        println!("{}", report::graders_changed(&report.graders_changed, session.language));
    }

    let standing = Standing::in_report(lab, &report);
    match &arguments.promise {
        Some(name) => show_one(session, lab, promise_called(lab, name)?, &standing, &report),
        None => {
            println!("{}", promises(session, &standing));
            for (_, promises) in by_diagnosis(&standing, &report) {
                println!();
                explain(session, lab, promises[0], &report);
                let others: Vec<&str> = promises[1..].iter().map(|it| it.name.as_str()).collect();
                if !others.is_empty() {
                    let text = t!("show.also", locale = locale, promises = others.join(", "));
                    println!("{}", look.indented(0, &text));
                }
            }
        }
    }
    Ok(())
}

fn show_one(
    session: &Session,
    lab: &Lab,
    promise: &PromiseText,
    standing: &Standing,
    report: &Report,
) {
    let only = standing.promises.iter().filter(|(it, _)| it.name == promise.name);
    println!("{}", promises(session, &Standing { promises: only.copied().collect() }));
    println!();
    explain(session, lab, promise, report);
}

/// The broken promises by what is wrong, in the order of the first of each.
pub fn by_diagnosis<'a>(
    standing: &Standing<'a>,
    report: &Report,
) -> Vec<(String, Vec<&'a PromiseText>)> {
    let mut groups: Vec<(String, Vec<&PromiseText>)> = Vec::new();
    for (promise, state) in &standing.promises {
        if !matches!(state, State::Broken | State::NotWritten) {
            continue;
        }
        let code = report.verdicts[&promise.name].code().unwrap_or_default();
        // What is not written has hints of its own for each function.
        let key = if *state == State::NotWritten { &promise.function } else { code };
        match groups.iter_mut().find(|(known, _)| known == key) {
            Some((_, promises)) => promises.push(promise),
            None => groups.push((key.to_owned(), vec![promise])),
        }
    }
    groups
}

/// Whether the student has changed something since.
fn is_older_than_the_answer(session: &Session, lab: &Lab, report: &Report) -> bool {
    let graded = UNIX_EPOCH + Duration::from_secs(report.at + 1);
    let answers = session.checkout.answers(lab);
    answers.iter().any(|answer| {
        let changed = fs::metadata(&answer.file).and_then(|data| data.modified());
        changed.is_ok_and(|changed| changed > graded)
    })
}
