//! Lab 08.

pub mod mistakes;
pub mod solution;
pub mod starter;
mod variants;

use lab_08_grader::{ACTS, Answers, EXAM};

use crate::catalogue::{Catalogue, functions};

/// What keeps every promise.
pub const SOLUTION: Answers = Answers {
    delete_mount_point: solution::delete_mount_point,
    delete_write_layer: solution::delete_write_layer,
    delete_workspace: solution::delete_workspace,
};

/// All answers.
pub static CATALOGUE: Catalogue<Answers> = Catalogue {
    exam: &EXAM,
    acts: ACTS,
    functions: functions![delete_mount_point(_), delete_write_layer(_), delete_workspace(_)],
    starter: Answers {
        delete_mount_point: starter::delete_mount_point,
        delete_write_layer: starter::delete_write_layer,
        delete_workspace: starter::delete_workspace,
    },
    solution: SOLUTION,
    mistakes: mistakes::MISTAKES,
    pairs: &[],
    also_right: variants::RIGHT,
    unforeseen: &[],
};
