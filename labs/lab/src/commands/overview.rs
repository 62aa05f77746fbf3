//! `lab`, `lab list` and `lab next`.

use labkit::lab::Lab;
use rust_i18n::t;
use textwrap::core::display_width;

use crate::blame::to_mend;
use crate::session::Session;
use crate::standing::{LabState, Standing};

/// Where the student stands, and what is next.
pub fn stand(session: &Session) {
    for lab in &session.checkout.labs {
        println!("{}", line(session, lab));
    }
    println!();
    next(session);
}

/// Every lab, with its subject and its article of the blog.
pub fn list(session: &Session) {
    for lab in &session.checkout.labs {
        println!("{}", line(session, lab));
        let (title, blog) = (session.words(&lab.title), session.words(&lab.blog));
        let about = t!("list.about", locale = session.locale(), title = title, blog = blog);
        println!("{}", session.look.indented(4, &about));
    }
}

/// `✓ 06-pivot-root  17 of 17 kept  done`.
fn line(session: &Session, lab: &Lab) -> String {
    let (locale, look) = (session.locale(), session.look);
    let longest = session.checkout.labs.iter().map(|lab| lab.folder().len()).max().unwrap_or(0);
    let standing = Standing::of(&session.records, lab);
    let state = match standing.lab_state() {
        LabState::NotBegun if !session.records.progress(lab).kept.is_empty() => {
            LabState::BegunAgain
        }
        state => state,
    };
    let name = format!("{:longest$}", lab.folder());
    let kept = t!("list.kept", locale = locale, kept = standing.kept(), total = standing.total());
    let padding = " ".repeat(16_usize.saturating_sub(display_width(&kept)));
    let word = t!(format!("lab.{}", state.key()), locale = locale);
    let (symbol, name) = (state.symbol(look), look.bold(&name));
    format!("{symbol} {name}  {kept}{padding}  {word}{}", notes(session, lab, &standing))
}

/// What else is to be known of a lab: `, 1 not gradable here`.
fn notes(session: &Session, lab: &Lab, standing: &Standing) -> String {
    let locale = session.locale();
    let progress = session.records.progress(lab);
    let mut notes = String::new();
    let not_gradable = standing.count("not-gradable");
    if not_gradable > 0 {
        notes += &t!("list.not-gradable", locale = locale, count = not_gradable);
    }
    if progress.kept.len() > standing.kept() {
        notes += &t!("list.kept-before", locale = locale, count = progress.kept.len());
    }
    if progress.given_up {
        notes += &t!("list.given-up", locale = locale);
    }
    notes
}

/// The next thing to do.
pub fn next(session: &Session) {
    let locale = session.locale();
    let Some(lab) = session.next() else {
        let standings = session.checkout.labs.iter().map(|lab| Standing::of(&session.records, lab));
        let key = match standings.map(|standing| standing.kept()).sum() {
            0 => "next.nothing-gradable",
            _ => "next.all-done",
        };
        println!("{}", session.look.indented(0, &t!(key, locale = locale)));
        session.advise(&session.checkout.labs[0], &["doctor"]);
        return;
    };
    let standing = Standing::of(&session.records, lab);
    let report = session.records.report(lab).unwrap_or_default();
    let promise = to_mend(session, lab, &standing, &report).expect("the lab is open");
    let folder = session.checkout.folder(lab);
    let number = lab.number.as_str();

    let title = session.words(&lab.title);
    let head = t!("next.head", locale = locale, lab = lab.folder(), title = title);
    println!("{}", session.look.bold(&head));

    let watch = format!("cargo lab watch {number}");
    let or_watch = t!("next.or-watch", locale = locale, command = watch);
    let lines = [
        ("promise", format!("{}\n{}", promise.name, session.words(&promise.promised))),
        ("read", session.checkout.shown(&folder.join("README.md"))),
        ("edit", session.place(lab, promise)),
        ("run", format!("cargo lab grade {number}\n{or_watch}")),
        ("stuck", format!("cargo lab hint {number}")),
    ];
    let labels = lines.each_ref().map(|(key, _)| t!(format!("next.{key}"), locale = locale));
    let column = labels.iter().map(|label| display_width(label)).max().unwrap_or(0) + 4;
    for (label, (_, text)) in labels.iter().zip(&lines) {
        println!("{}", session.look.labelled(&format!("  {label}"), column, text));
    }
}
