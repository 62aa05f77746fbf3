//! Lab 02.

pub mod mistakes;
mod pairs;
pub mod solution;
pub mod starter;
mod steps;
mod variants;

use lab_02_grader::{ACTS, Answers, EXAM};

use crate::catalogue::{Catalogue, functions};

/// What keeps every promise.
pub const SOLUTION: Answers =
    Answers { start: solution::start, wait: solution::wait, exit_code: solution::exit_code };

/// All answers.
pub static CATALOGUE: Catalogue<Answers> = Catalogue {
    exam: &EXAM,
    acts: ACTS,
    functions: functions![start(_), wait(_), exit_code(_)],
    starter: Answers { start: starter::start, wait: starter::wait, exit_code: starter::exit_code },
    solution: SOLUTION,
    mistakes: mistakes::MISTAKES,
    pairs: pairs::PAIRS,
    also_right: variants::RIGHT,
    unforeseen: variants::UNFORESEEN,
};
