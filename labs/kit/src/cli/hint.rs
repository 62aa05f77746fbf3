//! `lab hint`: the next rung of a ladder of hints.

use clap::Args;
use labkit::lab::Lab;
use labkit::report;
use labkit::verdict::{Finding, NOT_WRITTEN, Verdict};
use rust_i18n::t;
use textwrap::core::display_width;

use super::grade::all_kept;
use super::session::{Session, promise_called};
use super::standing::Standing;
use super::trouble::Trouble;

/// Get a hint: each call gives one more
///
/// From the concept over where to look in your code and the man page to nearly
/// the code. The hints fit the last grade: a promise that breaks in another way
/// has other ones.
#[derive(Args)]
pub struct Arguments {
    /// Which lab; the next one if none is named
    lab: Option<String>,
    /// For which promise; the first that is not kept if none is named
    promise: Option<String>,
    /// Show again what was shown, and nothing new
    #[arg(long)]
    again: bool,
}

pub fn execute(session: &Session, arguments: &Arguments) -> Result<(), Trouble> {
    let (locale, look) = (session.locale(), session.look);
    let lab = session.lab_or_next(arguments.lab.as_deref())?;
    let promise = match &arguments.promise {
        Some(name) => Some(promise_called(lab, name)?),
        None => Standing::of(session, lab).first_open(),
    };
    let Some(promise) = promise else {
        all_kept(session, lab);
        return Ok(());
    };
    let Some(finding) = finding(session, lab, &promise.name, &promise.function) else {
        let text = t!("hint.not-broken", locale = locale, promise = promise.name);
        println!("{}", look.indented(0, &text));
        session.advise(lab, &["show LAB"]);
        return Ok(());
    };

    let hints = lab.hints(&promise.name, &finding.code);
    let mut progress = session.records.progress(lab);
    let of_promise = progress.hints.entry(promise.name.clone()).or_default();
    let shown = of_promise.entry(finding.code.clone()).or_default();
    // The first one stands in the report already.
    let was_graded = session.records.report(lab).is_some();
    let before = (*shown).max(was_graded.into()).min(hints.len());
    let now = if arguments.again { before } else { hints.len().min(before + 1) };
    let first = if arguments.again || now == before { 0 } else { before };
    *shown = now;

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
        session.advise(lab, &["hint LAB"]);
    } else {
        println!("{}", t!("hint.none-left", locale = locale));
        session.advise(lab, &["show LAB", "solution LAB --give-up"]);
    }

    let kept = session.records.keep_progress(lab, &progress);
    kept.map_err(|error| Trouble::cannot("write", session.checkout.top.join(".lab"), error))
}

/// What is wrong, by the last grade; what was never graded was never written.
fn finding(session: &Session, lab: &Lab, promise: &str, function: &str) -> Option<Finding> {
    let report = session.records.report(lab).unwrap_or_default();
    match report.verdicts.get(promise) {
        Some(Verdict::Broken(finding)) => Some(finding.clone()),
        Some(Verdict::Kept | Verdict::NotGradable(_)) => None,
        None => Some(Finding::new(NOT_WRITTEN).word("function", function)),
    }
}
