//! A minimal container runtime that is written to be read.
//!
//! Start with [`run`]: it holds the two sides of a start, parent and container,
//! each readable from top to bottom. [`workspace`] makes and deletes the layers
//! that a container's files lie on, [`pivot`] and [`dev`] what it sees of the
//! file system, [`image`] the read-only layers from a tar.

pub mod capabilities;
pub mod channel;
pub mod container;
pub mod dev;
pub mod doctor;
pub mod error;
pub mod explain;
mod folder;
pub mod image;
pub mod limits;
mod lock;
pub mod mountinfo;
pub mod pivot;
mod printable;
pub mod privileges;
pub mod proc;
pub mod program;
pub mod run;
pub mod supervise;
pub mod sys;
pub mod terminal;
pub mod trace;
pub mod volume;
pub mod workspace;

pub use error::{Error, Result};
