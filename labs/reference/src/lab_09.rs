//! Lab 09: whole programs.

pub mod later_mistakes;
pub mod mistakes;
pub mod solution;
pub mod starter;

use lab_09_grader::adapter::{Adapter, SHIPPED};
use lab_09_grader::program::Program;

/// A program that keeps every promise, in sh, with the folders of the blog.
pub static PROGRAM: &str = include_str!("lab_09/mydocker.sh");

/// Another one, with other folders: the example for whoever writes an adapter.
pub static CRATE: &str = include_str!("lab_09/crate.sh");

/// A third one, in Python, that makes up a name for each container; and its adapter.
pub static BOXES: [&str; 2] = [include_str!("lab_09/boxes.py"), include_str!("lab_09/boxes.toml")];

/// A program whose containers go on in the background, in sh; and its adapter. It keeps
/// the promises of the stages that come after the lab.
pub static LATER: [&str; 2] = [include_str!("lab_09/later.sh"), include_str!("lab_09/later.toml")];

/// A wrong program: the right one with a piece of its text replaced.
pub struct Mistake {
    /// What is wrong, in a few words: `chroot_only`.
    pub name: &'static str,
    /// The diagnosis on each promise that it breaks.
    pub code: &'static str,
    /// What the right program has, once, and what this one has in its place.
    pub changes: &'static [(&'static str, &'static str)],
}

impl Mistake {
    /// The wrong program.
    ///
    /// # Panics
    /// The right one does not have what is to be replaced, or has it twice.
    pub fn program(&self) -> String {
        self.made_in(PROGRAM)
    }

    /// The same mistake in another program that has what is to be replaced.
    ///
    /// # Panics
    /// It does not have that, or has it twice.
    pub fn made_in(&self, program: &str) -> String {
        self.changes.iter().fold(program.to_owned(), |program, (right, wrong)| {
            let count = program.matches(right).count();
            assert_eq!(count, 1, "{}: {right:?} is there {count} times", self.name);
            program.replace(right, wrong)
        })
    }
}

/// A program with an adapter that is shipped.
///
/// # Panics
/// There is no such adapter.
pub fn with_adapter(program: Vec<u8>, name: &str) -> Program {
    let (_, adapter) = SHIPPED.iter().find(|(shipped, _)| *shipped == name).expect("an adapter");
    Program { content: program, adapter: Adapter::parse(adapter).expect("it is tested") }
}
