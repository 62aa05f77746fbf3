//! Lab 11.

pub mod mistakes;
mod pairs;
pub mod solution;
pub mod starter;
mod steps;
mod variants;

use lab_11_grader::{ACTS, Answers, EXAM};

use crate::catalogue::{Catalogue, functions};

/// What keeps every promise.
pub const SOLUTION: Answers = Answers {
    open_namespaces: solution::open_namespaces,
    join: solution::join,
    enter: solution::enter,
};

/// All answers.
pub static CATALOGUE: Catalogue<Answers> = Catalogue {
    exam: &EXAM,
    acts: ACTS,
    functions: functions![open_namespaces(_), join(_), enter(_, _, _)],
    starter: Answers {
        open_namespaces: starter::open_namespaces,
        join: starter::join,
        enter: starter::enter,
    },
    solution: SOLUTION,
    mistakes: mistakes::MISTAKES,
    pairs: pairs::PAIRS,
    also_right: variants::RIGHT,
    unforeseen: variants::UNFORESEEN,
};
