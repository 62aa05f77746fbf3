//! What a student is told of a lab: its grade, its promises, its diagnoses.

use labkit::answer;
use labkit::lab::{Lab, PromiseText};
use labkit::need::Lacking;
use labkit::record::Report;
use labkit::report;
use labkit::verdict::Verdict;
use rust_i18n::t;
use textwrap::core::display_width;

use crate::blame::to_mend;
use crate::grade::Grade;
use crate::session::Session;
use crate::standing::{Standing, State};

/// The grade of one lab, and what to do next.
pub fn grade(session: &Session, grade: &Grade) {
    let (locale, look, lab) = (session.locale(), session.look, grade.lab);
    println!("{}", look.bold(&format!("{}: {}", lab.folder(), session.words(&lab.title))));
    let Ok(report) = &grade.outcome else {
        println!("{}", look.indented(2, &t!("grade.failed", locale = locale)));
        session.advise(lab, &["grade LAB"]);
        println!();
        return;
    };
    let standing = grade.standing();
    let open = open_promises(session, &standing);
    if !open.is_empty() {
        println!("{open}\n");
    }
    println!("{}\n", summary(session, &standing));
    if let Some(why) = grade.why_nothing_is_gradable(session.language) {
        println!("{why}\n");
        return;
    }
    if !report.graders_changed.is_empty() {
        println!("{}\n", report::graders_changed(&report.graders_changed, session.language));
    }
    match to_mend(session, lab, &standing, report) {
        Some(promise) => {
            explain(session, lab, promise, report);
            let place = session.place(lab, promise);
            let next = t!("grade.next", locale = locale, place = place);
            println!("\n{}", look.indented(0, &next));
            session.advise(lab, &["grade LAB", "show LAB", "hint LAB"]);
        }
        None => all_kept(session, lab),
    }
    println!();
}

/// That nothing is left to do here in a lab: all is kept, or nothing can be
/// graded.
pub fn nothing_to_mend(session: &Session, lab: &Lab, report: &Report) {
    match report::nothing_gradable(lab, &report.verdicts, session.language) {
        Some(why) => println!("{why}"),
        None if report.program.is_some() => {
            let text = t!("check.all-kept", locale = session.locale());
            println!("{}", session.look.indented(0, &text));
            session.advise(lab, &["show LAB"]);
        }
        None => all_kept(session, lab),
    }
}

/// That nothing is left to do in a lab.
fn all_kept(session: &Session, lab: &Lab) {
    let text = t!("grade.all-kept", locale = session.locale(), number = lab.number);
    println!("{}", session.look.indented(0, &text));
    session.advise(lab, &["solution LAB", "next"]);
}

/// A line a promise: symbol, word, name.
pub fn promises(session: &Session, standing: &Standing) -> String {
    let line = |(promise, state): &(&PromiseText, State)| (*state, promise.name.clone());
    lines(session, &standing.promises.iter().map(line).collect::<Vec<_>>())
}

/// The same of what is not kept: of a lab with thirty promises the report is to
/// fit on the screen too. What is not written takes a line a function.
pub fn open_promises(session: &Session, standing: &Standing) -> String {
    let mut open: Vec<(State, String)> = Vec::new();
    let mut told: Vec<(&str, State)> = Vec::new();
    for (promise, state) in &standing.promises {
        let (function, state) = (promise.function.as_str(), *state);
        // A function that is not written, or a stage that an adapter knows nothing of.
        let is_one_for_all =
            matches!(state, State::NotWritten | State::NotGradable(Lacking::Adapter { .. }));
        let is_same =
            |(it, other): &&(&PromiseText, State)| it.function == function && *other == state;
        match standing.promises.iter().filter(is_same).count() {
            _ if state == State::Kept || told.contains(&(function, state)) => {}
            count @ 2.. if is_one_for_all => {
                told.push((function, state));
                let locale = session.locale();
                let text = t!("grade.all-of", locale = locale, function = function, count = count);
                open.push((state, text.into_owned()));
            }
            _ => open.push((state, promise.name.clone())),
        }
    }
    lines(session, &open)
}

/// A line for each: symbol, word, name.
fn lines(session: &Session, named: &[(State, String)]) -> String {
    let (locale, look) = (session.locale(), session.look);
    let word = |state: &State| t!(format!("state.{}", state.key()), locale = locale);
    let words: Vec<_> = named.iter().map(|(state, _)| word(state)).collect();
    let widest = words.iter().map(|word| display_width(word)).max().unwrap_or(0);
    let mut lines = Vec::new();
    for ((state, name), word) in named.iter().zip(&words) {
        let padding = " ".repeat(widest - display_width(word));
        lines.push(format!("  {} {word}{padding}  {name}", state.symbol(look)));
        if let State::NotGradable(lacking) = state {
            let why = report::lacking(*lacking, session.language);
            lines.push(look.indented(widest + 6, &why));
        }
    }
    lines.join("\n")
}

/// `3 of 17 kept, 4 broken, 10 not written yet`.
pub fn summary(session: &Session, standing: &Standing) -> String {
    let locale = session.locale();
    let (kept, total) = (standing.kept(), standing.total());
    let mut text = t!("list.kept", locale = locale, kept = kept, total = total).into_owned();
    for key in ["broken", "not-written", "not-gradable"] {
        let count = standing.count(key);
        if count > 0 {
            let word = t!(format!("state.{key}"), locale = locale);
            text += &t!("grade.and", locale = locale, count = count, word = word);
        }
    }
    text
}

/// One promise that is not kept, in full; with that its first hint was shown.
pub fn explain(session: &Session, lab: &Lab, promise: &PromiseText, report: &Report) {
    let Some(Verdict::Broken(finding)) = report.verdicts.get(&promise.name) else { return };
    // Where that cannot be noted, the hint comes once more.
    let _ = session.note_hints(lab, promise, &finding.code, 1);
    println!("{}", session.look.bold(&promise.name));
    println!("{}", report::broken(lab, &promise.name, finding, session.language, session.look));
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
