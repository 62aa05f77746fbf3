//! The command `lab`, as a student and a teacher use it.

mod checking;
mod contracts;
mod files;
mod fixture;
mod formats;
mod grading;
mod hints;
mod overview;
mod troubles;
mod watching;
