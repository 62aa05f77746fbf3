//! `lab reset`: begin a lab again.

use std::fs;

use clap::Args;
use labkit::lab::Lab;
use rust_i18n::t;

use crate::checkout::Answer;
use crate::session::Session;
use crate::trouble::Trouble;

/// Start a lab again: the starter replaces your files, and a backup is kept
#[derive(Args)]
pub struct Arguments {
    /// Which lab; you must name it
    lab: Option<String>,
}

pub fn execute(session: &Session, arguments: &Arguments) -> Result<(), Trouble> {
    // It replaces files: not by a guess.
    let Some(name) = &arguments.lab else {
        return Err(Trouble::NotNamed { command: "reset", lab: session.current().number.clone() });
    };
    let lab = session.checkout.lab(name)?;
    for answer in session.checkout.answers(lab) {
        let starter = fs::read(&answer.starter);
        let starter = starter.map_err(|error| Trouble::cannot("read", &answer.starter, error))?;
        replace(session, lab, &answer, &starter)?;
    }
    let forgotten = session.records.forget_report(lab);
    forgotten
        .map_err(|error| Trouble::cannot("unlink", session.checkout.top.join(".lab"), error))?;
    session.advise(lab, &["next"]);
    Ok(())
}

/// Gives a student's file a new content, after a backup of the old one.
pub fn replace(
    session: &Session,
    lab: &Lab,
    answer: &Answer,
    content: &[u8],
) -> Result<(), Trouble> {
    let (locale, look) = (session.locale(), session.look);
    let file = session.checkout.shown(&answer.file);
    match fs::read(&answer.file) {
        Ok(old) if old == content => {
            println!("{}", look.indented(0, &t!("reset.same", locale = locale, file = file)));
            return Ok(());
        }
        Ok(_) => {
            let backup = session.records.back_up(lab, &answer.file);
            let backup = backup.map_err(|error| Trouble::cannot("copy", &answer.file, error))?;
            let backup = session.checkout.shown(&backup);
            let text = t!("reset.backup", locale = locale, file = file, backup = backup);
            println!("{}", look.indented(0, &text));
            let back = t!("reset.back", locale = locale, file = file, backup = backup);
            println!("  {back}");
        }
        // There is nothing to lose.
        Err(_) => println!("{}", look.indented(0, &t!("reset.new", locale = locale, file = file))),
    }
    fs::write(&answer.file, content).map_err(|error| Trouble::cannot("write", &answer.file, error))
}
