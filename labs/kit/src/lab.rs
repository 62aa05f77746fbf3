//! A lab's texts: `lab.toml`.

use serde::{Deserialize, Serialize};

use crate::language::Words;

/// What the kit itself can find wrong with an answer, whatever the lab.
pub static KIT_TOML: &str = include_str!("../kit.toml");

/// A lab as its `lab.toml` describes it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lab {
    /// `06`.
    pub number: String,
    /// `pivot-root`: the folder is `06-pivot-root`, the codes begin with it.
    pub name: String,
    /// What the lab is about.
    pub title: Words,
    /// Which article of the blog it belongs to.
    pub blog: Words,
    /// The chapter of the book.
    pub page: String,
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
    /// From the concept over where to look and the man page to nearly the code.
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
    /// From the concept over where to look and the man page to nearly the code.
    pub hints: Vec<Words>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Kit {
    diagnoses: Vec<Diagnosis>,
}

impl Lab {
    /// Parses a `lab.toml`.
    ///
    /// # Errors
    /// It is not as it must be; the error names the line.
    pub fn parse(text: &str) -> Result<Lab, toml::de::Error> {
        toml::from_str(text)
    }

    /// `06-pivot-root`.
    pub fn folder(&self) -> String {
        format!("{}-{}", self.number, self.name)
    }

    /// The text of a promise, also by a name that it had before.
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

    /// The diagnosis with this code: the lab's, else the kit's. What was not
    /// foreseen has the same text in every lab.
    pub fn diagnosis(&self, code: &str) -> Option<Diagnosis> {
        let find = |all: &[Diagnosis], code: &str| all.iter().find(|d| d.code == code).cloned();
        find(&self.diagnoses, code).or_else(|| {
            let is_unforeseen = code == self.unforeseen();
            find(&kit_diagnoses(), if is_unforeseen { "answer/unforeseen" } else { code })
        })
    }

    /// The hints for a broken promise: those of its diagnosis; for a function
    /// that is not written, those of the function.
    pub fn hints(&self, promise: &str, code: &str) -> Vec<Words> {
        if code == crate::verdict::NOT_WRITTEN {
            let function = self.promise(promise).map(|promise| promise.function.as_str());
            let found = self.functions.iter().find(|f| Some(f.name.as_str()) == function);
            return found.map(|function| function.hints.clone()).unwrap_or_default();
        }
        self.diagnosis(code).map(|diagnosis| diagnosis.hints).unwrap_or_default()
    }
}

/// What the kit itself can find wrong.
///
/// # Panics
/// Never: kit.toml is part of the program, and a test parses it.
pub fn kit_diagnoses() -> Vec<Diagnosis> {
    toml::from_str::<Kit>(KIT_TOML).expect("kit.toml").diagnoses
}
