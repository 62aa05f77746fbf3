//! The subcommands: their arguments and what they print.

pub mod bytes;
pub mod containers;
pub mod image;
pub mod mounts;
pub mod root;
pub mod run;
