//! Lab 03.

pub mod mistakes;
mod pairs;
pub mod solution;
pub mod starter;
pub mod variants;

use lab_03_grader::{ACTS, Answers, EXAM};

use crate::catalogue::{Catalogue, functions};

/// What keeps every promise.
pub const SOLUTION: Answers = Answers {
    parse_size: solution::parse_size,
    create_group: solution::create_group,
    set_limits: solution::set_limits,
    join: solution::join,
    start_limited: solution::start_limited,
    remove: solution::remove,
};

/// All answers.
pub static CATALOGUE: Catalogue<Answers> = Catalogue {
    exam: &EXAM,
    acts: ACTS,
    functions: functions![
        parse_size(_),
        create_group(_, _),
        set_limits(_, _, _),
        join(_, _),
        start_limited(_, _, _, _),
        remove(_)
    ],
    starter: Answers {
        parse_size: starter::parse_size,
        create_group: starter::create_group,
        set_limits: starter::set_limits,
        join: starter::join,
        start_limited: starter::start_limited,
        remove: starter::remove,
    },
    solution: SOLUTION,
    mistakes: mistakes::MISTAKES,
    pairs: pairs::PAIRS,
    also_right: variants::RIGHT,
    unforeseen: variants::UNFORESEEN,
};
