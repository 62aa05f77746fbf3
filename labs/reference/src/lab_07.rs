//! Lab 07.

pub mod mistakes;
pub mod solution;
pub mod starter;
mod variants;

use lab_07_grader::{ACTS, Answers, EXAM};

use crate::catalogue::{Catalogue, functions};

/// What keeps every promise.
pub const SOLUTION: Answers = Answers {
    overlay_options: solution::overlay_options,
    aufs_options: solution::aufs_options,
    hidden_name: solution::hidden_name,
    whiteouts_to_overlay: solution::whiteouts_to_overlay,
    whiteouts_to_aufs: solution::whiteouts_to_aufs,
    create_init_layer: solution::create_init_layer,
    create_write_layer: solution::create_write_layer,
    create_mount_point: solution::create_mount_point,
    create_aufs_mount_point: solution::create_aufs_mount_point,
    predictions: include_str!("lab_07/predictions.toml"),
};

/// All answers.
pub static CATALOGUE: Catalogue<Answers> = Catalogue {
    exam: &EXAM,
    acts: ACTS,
    functions: functions![
        overlay_options(_, _, _, _),
        aufs_options(_, _),
        hidden_name(_),
        whiteouts_to_overlay(_, _),
        whiteouts_to_aufs(_, _),
        create_init_layer(_, _, _),
        create_write_layer(_),
        create_mount_point(_, _, _),
        create_aufs_mount_point(_, _)
    ],
    starter: Answers {
        overlay_options: starter::overlay_options,
        aufs_options: starter::aufs_options,
        hidden_name: starter::hidden_name,
        whiteouts_to_overlay: starter::whiteouts_to_overlay,
        whiteouts_to_aufs: starter::whiteouts_to_aufs,
        create_init_layer: starter::create_init_layer,
        create_write_layer: starter::create_write_layer,
        create_mount_point: starter::create_mount_point,
        create_aufs_mount_point: starter::create_aufs_mount_point,
        predictions: include_str!("lab_07/starter_predictions.toml"),
    },
    solution: SOLUTION,
    mistakes: mistakes::MISTAKES,
    pairs: &[],
    also_right: variants::RIGHT,
    unforeseen: variants::UNFORESEEN,
};
