//! The subcommands: their arguments and what they print.

pub mod bytes;
pub mod chinese;
pub mod commit;
pub mod containers;
pub mod driver;
pub mod ending;
pub mod exec;
pub mod image;
pub mod logs;
pub mod mounts;
pub mod output;
pub mod ps;
pub mod root;
pub mod run;
