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

/// An answer with a name.
pub struct Variant<A> {
    /// What is particular about it.
    pub name: &'static str,
    /// The solution with one function replaced.
    pub answers: A,
}

/// An answer with two faults at once: neither may answer for what the other has
/// broken.
pub struct Pair<A> {
    /// Both, in a few words.
    pub name: &'static str,
    /// Each promise that is broken, and the code of the fault that breaks it.
    pub broken: &'static [(&'static str, &'static str)],
    /// The solution with two things wrong.
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
    /// What has two of them.
    pub pairs: &'static [Pair<A>],
    /// What keeps every promise in other ways than the solution.
    pub also_right: &'static [Variant<A>],
    /// What breaks some in ways that no rule foresees.
    pub unforeseen: &'static [Variant<A>],
}

impl<A> Catalogue<A> {
    fn named(&self, name: &str) -> Option<&A> {
        let mistakes = self.mistakes.iter().map(|mistake| (mistake.name, &mistake.answers));
        let pairs = self.pairs.iter().map(|pair| (pair.name, &pair.answers));
        let variants = self.also_right.iter().chain(self.unforeseen);
        let variants = variants.map(|variant| (variant.name, &variant.answers));
        let mut all = mistakes.chain(pairs).chain(variants);
        all.find(|(known, _)| *known == name).map(|(_, answers)| answers)
    }

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
            name => self.named(name).unwrap_or_else(|| panic!("no answer {name:?}")),
        };
        self.exam.examine(answers, promise, None)
    }
}
