//! Grades for machines.

mod classroom;
mod gradescope;
mod json;
mod junit;

use crate::grade::Grade;
use crate::session::Session;

/// A form in which another program wants grades.
#[derive(Debug, Clone, Copy)]
pub enum Format {
    Json,
    JUnit,
    Gradescope,
    Classroom,
}

impl Format {
    /// The grades in this form.
    pub fn write(self, session: &Session, grades: &[Grade]) -> String {
        match self {
            Format::Json => json::write(session, grades),
            Format::JUnit => junit::write(session, grades),
            Format::Gradescope => gradescope::write(session, grades),
            Format::Classroom => classroom::write(session, grades),
        }
    }
}
