//! A lab's texts: `lab.toml`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::language::Words;
use crate::verdict::{Finding, NOT_WRITTEN, PANICKED};

/// What the kit itself can find wrong with an answer, whatever the lab.
pub static KIT_TOML: &str = include_str!("../kit.toml");

/// A lab as its `lab.toml` describes it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lab {
    /// `06`.
    pub number: String,
    /// `pivot-root`: the directory is `06-pivot-root`, the codes begin with it.
    pub name: String,
    /// What the lab is about.
    pub title: Words,
    /// Which article of the blog it belongs to.
    pub blog: Words,
    /// The chapter of the book.
    pub page: String,
    /// The Chinese of the comments in src/lib.rs: that above each function, by the
    /// function's name, and that at the top of the file, as `file`.
    #[serde(default)]
    pub contracts_zh: BTreeMap<String, String>,
    /// The functions that the student writes.
    pub functions: Vec<Function>,
    /// What must hold of them, in the order in which they are best kept.
    pub promises: Vec<PromiseText>,
    /// What can be wrong.
    pub diagnoses: Vec<Diagnosis>,
}

/// A function that the student writes.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Function {
    /// Its name.
    pub name: String,
    /// From the concept, through where to look and the man page, to nearly the code.
    pub hints: Vec<Words>,
}

/// One promise in words.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PromiseText {
    /// `old_root_is_unreachable`: the name of the test.
    pub name: String,
    /// The names that it had before, so that progress is not lost.
    #[serde(default)]
    pub formerly: Vec<String>,
    /// The function that keeps it.
    pub function: String,
    /// What must hold.
    pub promised: Words,
}

/// One thing that can be wrong.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Diagnosis {
    /// `pivot-root/old-root-still-mounted`; never changes.
    pub code: String,
    /// What was seen; `%{name}` stands for a word of the finding.
    pub seen: Words,
    /// Why it matters.
    pub why: Words,
    /// From the concept, through where to look and the man page, to nearly the code.
    pub hints: Vec<Words>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Kit {
    diagnoses: Vec<Diagnosis>,
    panics: Vec<Panic>,
}

/// The hints for one kind of panic.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Panic {
    /// A panic is of this kind if one of these is among its words.
    #[serde(default)]
    words: Vec<String>,
    /// It is also of this kind if its place begins with this.
    #[serde(default)]
    place: Option<String>,
    hints: Vec<Words>,
}

impl Lab {
    /// Parses a `lab.toml`.
    ///
    /// # Errors
    /// It is invalid. The error names the line.
    pub fn parse(text: &str) -> Result<Lab, toml::de::Error> {
        toml::from_str(text)
    }

    /// `06-pivot-root`.
    pub fn folder(&self) -> String {
        format!("{}-{}", self.number, self.name)
    }

    /// The text of a promise, by its present or an earlier name.
    pub fn promise(&self, name: &str) -> Option<&PromiseText> {
        let is = |promise: &&PromiseText| {
            promise.name == name || promise.formerly.iter().any(|old| old == name)
        };
        self.promises.iter().find(is)
    }

    /// The code for a broken promise that no rule explains.
    pub fn unforeseen(&self) -> String {
        format!("{}/unforeseen", self.name)
    }

    /// The diagnosis with this code: the lab's, otherwise the kit's. Unforeseen findings have
    /// the same text in every lab.
    pub fn diagnosis(&self, code: &str) -> Option<Diagnosis> {
        let find = |all: &[Diagnosis], code: &str| all.iter().find(|d| d.code == code).cloned();
        find(&self.diagnoses, code).or_else(|| {
            let is_unforeseen = code == self.unforeseen();
            find(&kit_diagnoses(), if is_unforeseen { "answer/unforeseen" } else { code })
        })
    }

    /// The hints for a broken promise: those of its diagnosis; for a function
    /// that is not written, those of the function; for a panic, those that fit
    /// its words.
    pub fn hints(&self, promise: &str, finding: &Finding) -> Vec<Words> {
        if finding.code == NOT_WRITTEN {
            let function = self.promise(promise).map(|promise| promise.function.as_str());
            let found = self.functions.iter().find(|f| Some(f.name.as_str()) == function);
            return found.map(|function| function.hints.clone()).unwrap_or_default();
        }
        let of_panic = (finding.code == PANICKED).then(|| panic_hints(finding)).flatten();
        let of_diagnosis = || self.diagnosis(&finding.code).map(|diagnosis| diagnosis.hints);
        of_panic.or_else(of_diagnosis).unwrap_or_default()
    }
}

/// The hints for the first kind of panic that this one is of, if there is one.
fn panic_hints(finding: &Finding) -> Option<Vec<Words>> {
    let word = |name: &str| finding.words.get(name).map(String::as_str).unwrap_or_default();
    let (words, place) = (word("words"), word("place"));
    let is_of = |panic: &Panic| {
        panic.words.iter().any(|part| words.contains(part.as_str()))
            || panic.place.as_deref().is_some_and(|beginning| place.starts_with(beginning))
    };
    kit().panics.into_iter().find(is_of).map(|panic| panic.hints)
}

/// What the kit itself can find wrong.
///
/// # Panics
/// Never: kit.toml is part of the program, and a test parses it.
pub fn kit_diagnoses() -> Vec<Diagnosis> {
    kit().diagnoses
}

fn kit() -> Kit {
    toml::from_str(KIT_TOML).expect("kit.toml")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first hint for a panic, if it is of a kind that has its own.
    fn first_hint(words: &str, place: &str) -> Option<String> {
        let finding = Finding::new(PANICKED).word("words", words).word("place", place);
        Some(panic_hints(&finding)?[0].en.clone())
    }

    #[test]
    fn the_hints_for_a_panic_fit_its_words() {
        let here = "labs/03-limits/src/lib.rs:7";
        for (words, place, hint) in [
            ("attempt to multiply with overflow", here, "A number"),
            ("index out of bounds: the len is 5 but the index is 9", here, "An index"),
            ("range end index 16 out of range for slice of length 13", here, "An index"),
            ("mid > len", here, "An index"),
            ("called `Option::unwrap()` on a `None` value", here, "unwrap() turns"),
            ("called `Result::unwrap()` on an `Err` value: Empty", here, "unwrap() and expect()"),
            ("its size: Os { code: 2, kind: NotFound, message: \"\" }", here, "unwrap() and"),
            (
                "unexpected error during closedir",
                "/rustc/59807616e/library/std/src/fs.rs:9",
                "This is",
            ),
        ] {
            let found = first_hint(words, place).unwrap_or_default();
            assert!(found.starts_with(hint), "{words}: {found}");
        }
        assert_eq!(first_hint("no such folder", here), None);
    }

    #[test]
    fn each_kind_of_panic_has_four_hints() {
        assert!(kit().panics.iter().all(|panic| panic.hints.len() == 4));
    }
}
