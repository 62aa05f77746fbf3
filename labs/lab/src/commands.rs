//! What the command line offers: one file per command.

pub mod check;
pub mod completions;
pub mod doctor;
pub mod grade;
pub mod handout;
pub mod hint;
pub mod overview;
pub mod reset;
pub mod show;
pub mod solution;
pub mod watch;
