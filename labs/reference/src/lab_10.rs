//! Lab 10.

pub mod mistakes;
mod pairs;
pub mod solution;
pub mod starter;
mod steps;
mod variants;

use lab_10_grader::{ACTS, Answers, EXAM};

use crate::catalogue::{Catalogue, functions};

/// What keeps every promise.
pub const SOLUTION: Answers = Answers {
    changed_files: solution::changed_files,
    write_layer_tar: solution::write_layer_tar,
    new_image: solution::new_image,
};

/// All answers.
pub static CATALOGUE: Catalogue<Answers> = Catalogue {
    exam: &EXAM,
    acts: ACTS,
    functions: functions![changed_files(_, _), write_layer_tar(_, _), new_image(_, _, _, _)],
    starter: Answers {
        changed_files: starter::changed_files,
        write_layer_tar: starter::write_layer_tar,
        new_image: starter::new_image,
    },
    solution: SOLUTION,
    mistakes: mistakes::MISTAKES,
    pairs: pairs::PAIRS,
    also_right: variants::RIGHT,
    unforeseen: &[],
};
