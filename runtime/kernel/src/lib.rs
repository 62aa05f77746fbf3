//! What the kernel is asked, and what it answers.
//!
//! [`sys`] holds the system calls by which a container is made; [`mountinfo`] the
//! table that shows what they did; [`error`], [`on_path`] and [`explain`] what a
//! failure says. The runtime, the labs and the tests stand on this.

pub mod calls;
pub mod cause;
pub mod delete;
pub mod error;
pub mod explain;
pub mod file_systems;
pub mod folder;
pub mod limit;
pub mod lock;
pub mod mountinfo;
pub mod namespaces;
pub mod on_path;
pub mod overlay_options;
pub mod pivot;
pub mod printable;
pub mod privileges;
pub mod process_limits;
pub mod store_file;
pub mod surroundings;
pub mod sys;
mod without_openat2;

pub use error::{Error, Result};
pub use on_path::{OnPath, if_there};
