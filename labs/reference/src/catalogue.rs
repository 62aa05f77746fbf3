//! What is known of one lab's answers.

use labkit::exam::Exam;
use labkit::verdict::Verdict;

/// A wrong answer, and what the graders must say of it.
pub struct Mistake<A> {
    /// What is wrong, in a few words: `umount_without_detach`.
    pub name: &'static str,
    /// The diagnosis on each promise that it breaks.
    pub code: &'static str,
    /// The solution with one function replaced.
    pub answers: A,
}

/// The answers to one lab.
pub struct Catalogue<A: 'static> {
    /// The lab.
    pub exam: &'static Exam<A>,
    /// What the student begins with.
    pub starter: A,
    /// What keeps every promise.
    pub solution: A,
    /// What breaks some.
    pub mistakes: &'static [Mistake<A>],
}

impl<A> Catalogue<A> {
    /// Grades the answer called `answer`: `starter`, `solution` or a mistake.
    ///
    /// # Errors
    /// The sandbox cannot be made.
    ///
    /// # Panics
    /// There is no such answer or promise.
    pub fn examine(&self, answer: &str, promise: &str) -> mydocker::Result<Verdict> {
        let answers = match answer {
            "starter" => &self.starter,
            "solution" => &self.solution,
            name => {
                let found = self.mistakes.iter().find(|mistake| mistake.name == name);
                &found.unwrap_or_else(|| panic!("no answer {name:?}")).answers
            }
        };
        self.exam.examine(answers, promise, None)
    }
}
