//! What the starter uses of the labs before.

pub use crate::lab_04::starter::merge_environment;
