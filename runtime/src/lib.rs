//! A minimal container runtime that is written to be read.
//!
//! Start with [`run`]: it holds the two sides of a start, parent and container,
//! each readable from top to bottom. [`workspace`] makes and deletes the layers
//! that a container's files lie on, [`pivot`] and [`dev`] what it sees of the
//! file system, [`image`] the read-only layers from a tar.

pub mod error;
pub mod explain;
pub mod image;
pub mod mountinfo;
pub mod privileges;
pub mod sys;
pub mod trace;
pub mod workspace;

pub use error::{Error, Result};
