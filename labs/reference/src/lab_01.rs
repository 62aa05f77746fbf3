//! Lab 01.

pub mod mistakes;
pub mod solution;
pub mod starter;
mod variants;

use lab_01_grader::{ACTS, Answers, EXAM};

use crate::catalogue::{Catalogue, functions};

/// What keeps every promise.
pub const SOLUTION: Answers = Answers {
    unescape: solution::unescape,
    parse_line: solution::parse_line,
    tree: solution::tree,
    difference: solution::difference,
};

/// All answers.
pub static CATALOGUE: Catalogue<Answers> = Catalogue {
    exam: &EXAM,
    acts: ACTS,
    functions: functions![unescape(_), parse_line(_), tree(_), difference(_, _)],
    starter: Answers {
        unescape: starter::unescape,
        parse_line: starter::parse_line,
        tree: starter::tree,
        difference: starter::difference,
    },
    solution: SOLUTION,
    mistakes: mistakes::MISTAKES,
    pairs: &[],
    also_right: variants::RIGHT,
    unforeseen: variants::UNFORESEEN,
};
