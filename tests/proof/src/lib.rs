//! What must never happen to a `mydocker`, tried in earnest against the program
//! as it is shipped: every call may fail, every signal may come, the disk may
//! be full, an archive or an image may be hostile.
//!
//! Each subject has a short form, which is one of the tests, and a long form,
//! which `scripts/proof` runs to write a report.

pub mod differential;
pub mod faults;
pub mod full_disk;
pub mod ground;
pub mod hostile_images;
pub mod hostile_tars;
pub mod load;
pub mod parallel;
pub mod process_limit;
pub mod random;
pub mod release;
pub mod report;
pub mod signals;
pub mod two_users;

use std::path::PathBuf;
use std::time::Instant;

use report::Section;

/// How much of it is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// A sample of seconds, spread over all.
    Short,
    /// All of it: minutes.
    Long,
}

/// What every subject is given.
#[derive(Debug)]
pub struct Proof {
    /// The program under proof.
    pub program: PathBuf,
    /// How much of it is tried.
    pub form: Form,
}

impl Proof {
    /// One number for the short form, another one for the long form.
    pub fn pick<T>(&self, short: T, long: T) -> T {
        match self.form {
            Form::Short => short,
            Form::Long => long,
        }
    }
}

/// One thing that is proven.
#[derive(Debug)]
pub struct Subject {
    /// Its name in reports and on the command line.
    pub name: &'static str,
    /// What holds if the proof succeeds, in a sentence.
    pub promise: &'static str,
    /// Why it cannot be tried on this machine or by this user, if so.
    pub lacking: fn() -> Option<String>,
    /// Tries it, and writes down what was seen.
    pub prove: fn(&Proof, &mut Section),
}

/// All of them, in the order of the report.
pub const SUBJECTS: [&Subject; 9] = [
    &faults::SUBJECT,
    &signals::SUBJECT,
    &load::SUBJECT,
    &process_limit::SUBJECT,
    &full_disk::SUBJECT,
    &two_users::SUBJECT,
    &hostile_tars::SUBJECT,
    &differential::SUBJECT,
    &hostile_images::SUBJECT,
];

impl Subject {
    /// Tries it here, or says why it cannot be tried.
    pub fn run(&self, proof: &Proof) -> Section {
        let begun = Instant::now();
        let mut section = Section::new(self.name, self.promise);
        match (self.lacking)() {
            Some(reason) => section.ignored = Some(reason),
            None => (self.prove)(proof, &mut section),
        }
        section.seconds = begun.elapsed().as_secs_f64();
        section
    }
}
