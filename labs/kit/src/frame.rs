//! How a grader comes to its verdict: facts, then a diagnosis, then a judgement.
//!
//! ```text
//! observe (an act, and what the kernel shows)  ->  facts
//! diagnose (the first rule that holds of the facts)  ->  a code
//! judge (whether the promise is kept)  ->  Ok, or a finding with its evidence
//! ```
//!
//! Facts know nothing of rules. A rule is a predicate over facts and says only what
//! was seen. What no rule explains is `LAB/unforeseen`, with the evidence.

use crate::describe::Failure;
use crate::verdict::{Evidence, Finding};

/// What a function returned that returns nothing but an error.
pub type Returned = Result<(), Failure>;

/// What `%{name}` in the texts of diagnoses stands for.
pub type Words = Vec<(&'static str, String)>;

/// What was seen of an answer.
pub trait Facts {
    /// What the texts of the diagnoses may say of it.
    fn words(&self) -> Words;
}

/// The word `error`, if an error was returned.
pub fn error_of<T>(returned: &Result<T, Failure>) -> Words {
    returned.as_ref().err().map(|failure| ("error", failure.to_string())).into_iter().collect()
}

/// What is wrong, and how that is seen.
pub struct Rule<F> {
    /// The diagnosis: `old-root-still-mounted` of this lab, or one of the kit,
    /// `answer/did-nothing`.
    pub code: &'static str,
    /// Whether it holds for the facts.
    pub holds: fn(&F) -> bool,
}

/// A rule of a table.
pub const fn rule<F>(code: &'static str, holds: fn(&F) -> bool) -> Rule<F> {
    Rule { code, holds }
}

/// The rules that can explain why a promise on a function is broken, the most
/// specific first: of several that hold, the first one is the diagnosis.
pub struct Rules<F: 'static> {
    /// The lab's name, which its codes begin with: `pivot-root`.
    pub lab: &'static str,
    /// The student's function.
    pub function: &'static str,
    /// The tables, from the first to the last. Promises share those that can break
    /// any of them, and have others that only break their own.
    pub tables: &'static [&'static [Rule<F>]],
}

impl<F: Facts> Rules<F> {
    /// What is wrong; nothing if no rule holds.
    pub fn diagnose(&self, facts: &F) -> Option<Finding> {
        let found = self.tables.iter().copied().flatten().find(|rule| (rule.holds)(facts))?;
        Some(self.finding(found.code, facts))
    }

    /// A finding with all words that the facts have.
    pub fn finding(&self, code: &str, facts: &F) -> Finding {
        let code = if code.contains('/') { code.to_owned() } else { self.code(code) };
        let finding = Finding::new(code).word("function", self.function);
        facts.words().into_iter().fold(finding, |finding, (name, value)| finding.word(name, value))
    }

    /// Says that a promise is kept, or what is wrong, with the evidence.
    ///
    /// # Errors
    /// The promise is not kept.
    pub fn judge(
        &self,
        facts: &F,
        kept: bool,
        evidence: impl FnOnce() -> Vec<Evidence>,
    ) -> Result<(), Finding> {
        if kept {
            return Ok(());
        }
        let diagnosis = self.diagnose(facts);
        let finding = diagnosis.unwrap_or_else(|| self.finding("unforeseen", facts));
        Err(finding.with(evidence()))
    }

    fn code(&self, code: &str) -> String {
        format!("{}/{code}", self.lab)
    }
}
