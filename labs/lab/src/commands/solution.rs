//! `lab solution`: how the authors have solved a lab.

use std::fs;

use clap::Args;
use labkit::lab::{Lab, PromiseText};
use labkit::record::Progress;

use super::reset::replace;
use crate::checkout::CHECK;
use crate::session::Session;
use crate::standing::{Standing, State};
use crate::trouble::Trouble;

/// Print the solution of a lab, once you have kept all its promises
#[derive(Args)]
pub struct Arguments {
    /// Which lab; the one graded last if you name none
    lab: Option<String>,
    /// Print it even if you do not keep every promise yet; this is remembered
    #[arg(long)]
    give_up: bool,
    /// Replace your files with it instead; a backup is kept
    #[arg(long)]
    write: bool,
}

pub fn execute(session: &Session, arguments: &Arguments) -> Result<(), Trouble> {
    let lab = match &arguments.lab {
        Some(name) if name == CHECK => return Err(Trouble::NoSolutionOfAProgram),
        Some(name) => session.checkout.lab(name)?,
        // What is remembered for ever, and what replaces files: not by a guess.
        None if arguments.give_up || arguments.write => {
            let lab = session.current().number.clone();
            return Err(Trouble::NotNamed { command: "solution", lab });
        }
        None => session.current(),
    };
    if !session.has_solution(lab) {
        return Err(Trouble::NoSolutions { lab: lab.number.clone() });
    }
    let mut progress = session.records.progress(lab);
    if !(has_kept_all(session, lab, &progress) || progress.given_up) {
        if !arguments.give_up {
            let (kept, total) = (progress.kept.len(), lab.promises.len());
            return Err(Trouble::NotKept { lab: lab.number.clone(), kept, total });
        }
        progress.given_up = true;
        let noted = session.records.keep_progress(lab, &progress);
        noted
            .map_err(|error| Trouble::cannot("write", session.checkout.top.join(".lab"), error))?;
    }

    for answer in session.checkout.answers(lab) {
        let solution = fs::read_to_string(&answer.solution);
        let solution =
            solution.map_err(|error| Trouble::cannot("read", &answer.solution, error))?;
        if arguments.write {
            replace(session, lab, &answer, solution.as_bytes())?;
        } else {
            print!("{solution}");
        }
    }
    if arguments.write {
        session.advise(lab, &["grade LAB"]);
    }
    Ok(())
}

/// Whether every promise that could be graded here was kept, be it before a
/// reset.
fn has_kept_all(session: &Session, lab: &Lab, progress: &Progress) -> bool {
    let standing = Standing::of(&session.records, lab);
    let is_kept = |(promise, state): &(&PromiseText, State)| {
        progress.kept.contains_key(&promise.name) || matches!(state, State::NotGradable(_))
    };
    !progress.kept.is_empty() && standing.promises.iter().all(is_kept)
}
