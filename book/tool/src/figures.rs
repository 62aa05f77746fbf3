//! Figures: recorded from runs, kept in `book/figures`, drawn at each build.
//!
//! A recording holds what a run has shown, without what differs from machine
//! to machine: numbers, folders, the host's other mounts. So a test can record
//! once more and compare.

pub mod layers;
mod normal;
pub mod player;
pub mod record;
pub mod recording;
mod texts;

/// Text between HTML tags.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
