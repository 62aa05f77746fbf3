//! A command line in Chinese: the help, and what clap says of a mistake.
//!
//! clap itself speaks English only. `mydocker` and `lab` both use this.

pub mod help;
pub mod mistake;
