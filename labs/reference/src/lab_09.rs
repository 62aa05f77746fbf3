//! Lab 09: whole programs.

pub mod mistakes;

use lab_09_grader::adapter::{Adapter, SHIPPED};
use lab_09_grader::program::Program;

/// A program that keeps every promise, in sh, with the folders of the blog.
pub static PROGRAM: &str = include_str!("lab_09/mydocker.sh");

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
        self.changes.iter().fold(PROGRAM.to_owned(), |program, (right, wrong)| {
            let count = program.matches(right).count();
            assert_eq!(count, 1, "{}: {right:?} is there {count} times", self.name);
            program.replace(right, wrong)
        })
    }
}

/// A program in sh, with the adapter for the blog's folders.
///
/// # Panics
/// Never: a test parses the adapter.
pub fn in_the_blogs_folders(program: &str) -> Program {
    let (_, adapter) = SHIPPED.iter().find(|(name, _)| *name == "blog").expect("it is shipped");
    Program {
        content: program.as_bytes().to_owned(),
        adapter: Adapter::parse(adapter).expect("it is tested"),
    }
}
