//! Lab 05.

pub mod mistakes;
mod pairs;
pub mod solution;
pub mod starter;
mod steps;
mod variants;

use lab_05_grader::{ACTS, Answers, EXAM};

use crate::catalogue::Catalogue;

/// What keeps every promise.
pub const SOLUTION: Answers = Answers { create_read_only_layer: solution::create_read_only_layer };

/// All answers.
pub static CATALOGUE: Catalogue<Answers> = Catalogue {
    exam: &EXAM,
    acts: ACTS,
    functions: &[],
    starter: Answers { create_read_only_layer: starter::create_read_only_layer },
    solution: SOLUTION,
    mistakes: mistakes::MISTAKES,
    pairs: pairs::PAIRS,
    also_right: variants::RIGHT,
    unforeseen: &[],
};
