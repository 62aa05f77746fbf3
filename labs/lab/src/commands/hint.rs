//! `lab hint`: the next rung of a ladder of hints.

use clap::Args;
use labkit::lab::{Lab, PromiseText};
use labkit::record::Report;
use labkit::report;
use labkit::verdict::{Finding, NOT_WRITTEN, Verdict};
use rust_i18n::t;
use textwrap::core::display_width;

use crate::blame::to_mend;
use crate::checkout::CHECK;
use crate::session::{Session, promise_called};
use crate::standing::Standing;
use crate::tell::{head, nothing_to_mend, say_if_outdated};
use crate::trouble::Trouble;

/// Get a hint: each call gives one more
///
/// The first hint is about the concept. Then come where to look in your code, the man
/// page, and nearly the code. The hints fit the last grade: a promise that is broken
/// in another way has other hints.
#[derive(Args)]
pub struct Arguments {
    /// Which lab; the next one if you name none. `check`: the program checked last
    lab: Option<String>,
    /// Which promise; if you name none, the first that you do not keep
    promise: Option<String>,
    /// Show the hints so far again, and no new one
    #[arg(long)]
    again: bool,
}

pub fn execute(session: &Session, arguments: &Arguments) -> Result<(), Trouble> {
    let (locale, look) = (session.locale(), session.look);
    let lab = session.lab_or_check(arguments.lab.as_deref())?;
    let report = session.records.report(lab);
    // A lab that was never graded is not written yet; a program is.
    if report.is_none() && lab.number == CHECK {
        return Err(Trouble::NothingChecked);
    }
    let report = report.unwrap_or_default();
    let standing = Standing::of(&session.records, lab);
    let named = arguments.promise.as_ref().map(|name| promise_called(lab, name)).transpose()?;
    // What a stage of a program has left out is not to be written, as in a lab.
    let was_graded = |promise: &&PromiseText| {
        report.program.is_none() || report.verdicts.contains_key(&promise.name)
    };
    let to_mend = || to_mend(session, lab, &standing, &report).filter(was_graded);
    let Some(promise) = named.or_else(to_mend) else {
        nothing_to_mend(session, lab, &report);
        return Ok(());
    };
    if report.program.is_some() {
        println!("{}", head(session, lab, &report));
    }
    say_if_outdated(session, lab, &report);
    let Some(finding) = finding(&report, promise) else {
        let text = match report.verdicts.get(&promise.name) {
            Some(Verdict::NotGradable(lacking)) => report::not_gradable(*lacking, session.language),
            Some(_) => t!("hint.not-broken", locale = locale, promise = promise.name).into_owned(),
            None => t!("hint.not-checked", locale = locale, promise = promise.name).into_owned(),
        };
        println!("{}", look.indented(0, &text));
        session.advise(lab, &["show LAB"]);
        return Ok(());
    };

    let hints = lab.hints(&promise.name, &finding);
    let before = hints_shown(session, lab, promise, &finding.code).min(hints.len());
    let now = if arguments.again { before.max(1) } else { hints.len().min(before + 1) };
    let first = if arguments.again || now == before { 0 } else { before };

    println!("{}  {}", look.bold(&promise.name), look.dim(&finding.code));
    for (index, hint) in hints.iter().enumerate().take(now).skip(first) {
        let label = t!("hint.number", locale = locale, number = index + 1, total = hints.len());
        let column = display_width(&label) + 2;
        println!(
            "{}",
            look.labelled(&label, column, &report::fill(hint, &finding, session.language))
        );
    }
    let left = hints.len() - now;
    if left > 0 {
        println!("{}", t!("hint.left", locale = locale, count = left));
        session.advise_on(lab, named, &["hint LAB"]);
    } else {
        println!("{}", t!("hint.none-left", locale = locale));
        // For somebody else's program there is no solution.
        let is_lab = report.program.is_none();
        let commands = ["show LAB", "solution LAB --give-up"];
        session.advise(lab, if is_lab { &commands } else { &commands[..1] });
    }
    let noted = session.note_hints(lab, promise, &finding.code, now);
    noted.map_err(|error| Trouble::cannot("write", session.checkout.top.join(".lab"), error))
}

/// What is wrong, by the last grade; what was never graded was never written, but for
/// a program.
fn finding(report: &Report, promise: &PromiseText) -> Option<Finding> {
    match report.verdicts.get(&promise.name) {
        Some(Verdict::Broken(finding)) => Some(finding.clone()),
        Some(Verdict::Kept | Verdict::NotGradable(_)) => None,
        None if report.program.is_some() => None,
        None => Some(Finding::new(NOT_WRITTEN).word("function", &promise.function)),
    }
}

/// How many hints of a diagnosis were shown: also for another promise on the same
/// function, for they are the same ones.
fn hints_shown(session: &Session, lab: &Lab, promise: &PromiseText, code: &str) -> usize {
    let shown = session.records.progress(lab).hints;
    let same = lab.promises.iter().filter(|other| other.function == promise.function);
    same.filter_map(|other| shown.get(&other.name)?.get(code)).copied().max().unwrap_or(0)
}
