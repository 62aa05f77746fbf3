//! What is known of one lab's answers.

use std::fs;
use std::path::{Path, PathBuf};

use labkit::act::{self, Performable};
use labkit::exam::{Exam, Task};
use labkit::lab::Lab;
use labkit::need::Need;
use labkit::places::LAB;
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

/// One of the functions that a student writes.
pub struct Function<A> {
    /// Its name.
    pub name: &'static str,
    /// Where it is in an answer: two answers with one place have one function.
    pub place: fn(&A) -> *const (),
    /// The solution, where a call of this function breaks whatever is promised.
    pub harmful: A,
}

/// The [`Function`]s of these names, each with a `_` for an argument.
macro_rules! functions {
    ($($name:ident($($argument:tt),*)),+) => {
        &[$($crate::catalogue::Function {
            name: stringify!($name),
            place: |answers| answers.$name as *const (),
            harmful: Answers { $name: |$($argument),*| $crate::catalogue::called(), ..SOLUTION },
        }),+]
    };
}
pub(crate) use functions;

/// Does what no promise passes over, though it may pass over a panic in a function that it
/// is not about: it harms the host.
///
/// # Panics
/// Always.
pub(crate) fn called() -> ! {
    let harmed = fs::write(Path::new(LAB).join("home/thesis.txt"), "it was called");
    panic!("it was called: {harmed:?}")
}

/// The answers to one lab.
pub struct Catalogue<A: 'static> {
    /// The lab.
    pub exam: &'static Exam,
    /// What its answers can be asked to do.
    pub acts: &'static [&'static dyn Performable<A>],
    /// The functions that the student writes, if there are several.
    pub functions: &'static [Function<A>],
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

/// What the name of a solution begins with in which a call of one function does harm.
pub const HARMFUL: &str = "harmful ";

impl<A> Catalogue<A> {
    /// The functions that are not the solution's, as far as they are known.
    pub fn replaced(&self, answers: &A) -> Vec<&'static str> {
        let is_other = |it: &&Function<A>| (it.place)(answers) != (it.place)(&self.solution);
        self.functions.iter().filter(is_other).map(|function| function.name).collect()
    }

    fn named(&self, name: &str) -> Option<&A> {
        let mistakes = self.mistakes.iter().map(|mistake| (mistake.name, &mistake.answers));
        let pairs = self.pairs.iter().map(|pair| (pair.name, &pair.answers));
        let variants = self.also_right.iter().chain(self.unforeseen);
        let variants = variants.map(|variant| (variant.name, &variant.answers));
        let mut all = mistakes.chain(pairs).chain(variants);
        if let Some(function) = name.strip_prefix(HARMFUL) {
            let found = self.functions.iter().find(|it| it.name == function);
            return found.map(|function| &function.harmful);
        }
        match name {
            "starter" => Some(&self.starter),
            "solution" => Some(&self.solution),
            name => all.find(|(known, _)| *known == name).map(|(_, answers)| answers),
        }
    }

    /// The lab's texts.
    pub fn lab(&self) -> Lab {
        self.exam.lab()
    }

    /// The names of the promises, with what each needs.
    pub fn promises(&self) -> Vec<(&'static str, &'static [Need])> {
        self.exam.promises.iter().map(|promise| (promise.name, promise.needs)).collect()
    }

    /// Does what the answer called `answer` is asked for: the end of a process that
    /// was made for it, see [`act::asked`].
    ///
    /// # Panics
    /// There is no such answer.
    pub fn answer(&self, answer: &str) -> ! {
        act::answer(self.acts, self.named(answer).unwrap_or_else(|| panic!("no answer {answer:?}")))
    }

    /// Grades the answer called `answer` of lab `lab`, `06`: `starter`, `solution` or a
    /// mistake.
    ///
    /// # Errors
    /// The sandbox cannot be made.
    ///
    /// # Panics
    /// There is no such answer or promise.
    pub fn examine(
        &self,
        lab: &str,
        answer: &str,
        promise: &str,
    ) -> mydocker_kernel::Result<Verdict> {
        self.exam.examine(&Task {
            answer: format!("{lab}/{answer}"),
            lab: lab.to_owned(),
            promise: promise.to_owned(),
            program: PathBuf::from("/proc/self/exe"),
            guarded: None,
        })
    }
}
