//! `lab show`: the last report again.

use clap::Args;
use labkit::answer;
use labkit::lab::{Lab, PromiseText};
use labkit::record::Report;
use labkit::report;
use labkit::verdict::Verdict;
use rust_i18n::t;

use super::grade::{explain, promises};
use super::session::{Session, promise_called};
use super::standing::Standing;
use super::trouble::Trouble;

/// Show the last grade again: every diagnosis with its evidence
///
/// Mount tables and file trees are drawn as the grader has seen them. Of the
/// promises on one function that got the same diagnosis one is shown, the others
/// are named below it.
#[derive(Args)]
pub struct Arguments {
    /// Which lab; the next one if none is named. `check`: what was checked last
    lab: Option<String>,
    /// Only this promise
    promise: Option<String>,
}

pub fn execute(session: &Session, arguments: &Arguments) -> Result<(), Trouble> {
    let lab = session.lab_or_check(arguments.lab.as_deref())?;
    let Some(report) = session.records.report(lab) else {
        return Err(Trouble::NotGraded { lab: lab.number.clone() });
    };
    println!("{}", head(session, lab, &report));
    say_if_outdated(session, lab, &report);
    if !report.graders_changed.is_empty() {
        println!("{}", report::graders_changed(&report.graders_changed, session.language));
    }

    let standing = Standing::in_report(lab, &report);
    match &arguments.promise {
        Some(name) => show_one(session, lab, promise_called(lab, name)?, &standing, &report),
        None => {
            println!("{}", promises(session, &standing));
            explain_each(session, lab, &standing, &report);
        }
    }
    Ok(())
}

/// What was graded: a lab of the student's, or else whose program.
pub fn head(session: &Session, lab: &Lab, report: &Report) -> String {
    let (locale, look) = (session.locale(), session.look);
    let Some(program) = &report.program else {
        return look.bold(&format!("{}: {}", lab.folder(), session.words(&lab.title)));
    };
    let program = session.checkout.shown(program);
    look.indented(0, &t!("check.whose", locale = locale, program = program))
}

/// Explains each diagnosis once, and names the other promises that got it.
pub fn explain_each(session: &Session, lab: &Lab, standing: &Standing, report: &Report) {
    for promises in by_diagnosis(standing, report) {
        println!();
        explain(session, lab, promises[0], report);
        let others: Vec<&str> = promises[1..].iter().map(|it| it.name.as_str()).collect();
        if !others.is_empty() {
            let promises = others.join(", ");
            let text = t!("show.also", locale = session.locale(), promises = promises);
            println!("{}", session.look.indented(0, &text));
        }
    }
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

/// The broken promises by function and diagnosis, in the order of the first of
/// each. That the causes are the same too is likely, no more. Two panics are two
/// diagnoses, unless they are in the same line; so is all that no rule explains.
fn by_diagnosis<'a>(standing: &Standing<'a>, report: &Report) -> Vec<Vec<&'a PromiseText>> {
    let mut groups: Vec<Vec<&PromiseText>> = Vec::new();
    let mut keys = Vec::new();
    for (promise, _) in &standing.promises {
        let Some(Verdict::Broken(finding)) = report.verdicts.get(&promise.name) else { continue };
        let place = finding.words.get("place").map_or("", String::as_str);
        let key = (promise.function.as_str(), finding.code.as_str(), place);
        let is_explained = !finding.code.ends_with("/unforeseen");
        match keys.iter().position(|known| *known == key && is_explained) {
            Some(index) => groups[index].push(promise),
            None => {
                keys.push(key);
                groups.push(vec![promise]);
            }
        }
    }
    groups
}

/// Says so if what was graded is another one now.
pub fn say_if_outdated(session: &Session, lab: &Lab, report: &Report) {
    let files = match &report.program {
        Some(program) => vec![program.clone()],
        None => answer::files(&session.checkout.folder(lab)).to_vec(),
    };
    if report.answer.as_ref().is_none_or(|graded| *graded == answer::digest(&files)) {
        return;
    }
    let (locale, look) = (session.locale(), session.look);
    match &report.program {
        Some(_) => println!("{}", look.indented(2, &t!("check.older", locale = locale))),
        None => {
            println!("{}", look.indented(2, &t!("show.older", locale = locale)));
            session.advise(lab, &["grade LAB"]);
        }
    }
}
