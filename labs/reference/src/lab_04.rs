//! Lab 04.

pub mod mistakes;
mod pairs;
pub mod solution;
pub mod starter;
pub mod variants;

use lab_04_grader::{ACTS, Answers, EXAM};

use crate::catalogue::{Catalogue, functions};

/// What keeps every promise.
pub const SOLUTION: Answers = Answers {
    send_command: solution::send_command,
    receive_command: solution::receive_command,
    merge_environment: solution::merge_environment,
    close_descriptors: solution::close_descriptors,
};

/// All answers.
pub static CATALOGUE: Catalogue<Answers> = Catalogue {
    exam: &EXAM,
    acts: ACTS,
    functions: functions![
        send_command(_, _, _),
        receive_command(_, _),
        merge_environment(_, _, _),
        close_descriptors()
    ],
    starter: Answers {
        send_command: starter::send_command,
        receive_command: starter::receive_command,
        merge_environment: starter::merge_environment,
        close_descriptors: starter::close_descriptors,
    },
    solution: SOLUTION,
    mistakes: mistakes::MISTAKES,
    pairs: pairs::PAIRS,
    also_right: variants::RIGHT,
    unforeseen: variants::UNFORESEEN,
};
