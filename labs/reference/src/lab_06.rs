//! Lab 06.

pub mod mistakes;
pub mod solution;
pub mod starter;
mod variants;

use lab_06_grader::{ACTS, Answers, EXAM};

use crate::catalogue::{Catalogue, functions};

/// What keeps every promise.
pub const SOLUTION: Answers = Answers {
    enter_with_chroot: solution::enter_with_chroot,
    break_out_of_chroot: solution::break_out_of_chroot,
    enter_with_pivot_root: solution::enter_with_pivot_root,
    mount_kernel_file_systems: solution::mount_kernel_file_systems,
};

/// All answers.
pub static CATALOGUE: Catalogue<Answers> = Catalogue {
    exam: &EXAM,
    acts: ACTS,
    functions: functions![
        enter_with_chroot(_),
        break_out_of_chroot(),
        enter_with_pivot_root(_),
        mount_kernel_file_systems(_)
    ],
    starter: Answers {
        enter_with_chroot: starter::enter_with_chroot,
        break_out_of_chroot: starter::break_out_of_chroot,
        enter_with_pivot_root: starter::enter_with_pivot_root,
        mount_kernel_file_systems: starter::mount_kernel_file_systems,
    },
    solution: SOLUTION,
    mistakes: mistakes::MISTAKES,
    pairs: &[],
    also_right: variants::RIGHT,
    unforeseen: variants::UNFORESEEN,
};
