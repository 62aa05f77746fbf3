//! The words of the figures, in both languages: `figures/texts.toml`.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use labkit::language::{Language, Words};
use serde::Deserialize;

use crate::checkout;

/// All of them.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Texts {
    /// A figure's title, by its name.
    pub figures: BTreeMap<String, Words>,
    /// A step, by its name in the trace.
    pub steps: BTreeMap<String, StepWords>,
    /// The words on the figures themselves.
    pub labels: BTreeMap<String, Words>,
}

/// What is said of a step.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StepWords {
    /// Its name; in English it is the one in the trace.
    pub zh: String,
    /// What it is for.
    pub why: Words,
}

impl Texts {
    /// Reads them.
    ///
    /// # Errors
    /// The file is not as it must be; the error names the line.
    pub fn read() -> Result<Texts> {
        let path = checkout::book().join("figures/texts.toml");
        toml::from_str(&checkout::read(&path)?).with_context(|| format!("in {}", path.display()))
    }

    /// A figure's title.
    ///
    /// # Errors
    /// There is none: the figure has no words yet.
    pub fn title(&self, figure: &str, language: Language) -> Result<&str> {
        let words = self.figures.get(figure);
        let words = words.with_context(|| format!("texts.toml has no [figures] {figure}"))?;
        Ok(words.in_language(language))
    }

    /// A step's name and what it is for.
    ///
    /// # Errors
    /// The trace has a step that has no words yet.
    pub fn step<'a>(&'a self, step: &'a str, language: Language) -> Result<(&'a str, &'a str)> {
        let words = self.steps.get(step);
        let words = words.with_context(|| format!("texts.toml has no [steps.{step:?}]"))?;
        let name = match language {
            Language::English => step,
            Language::Chinese => &words.zh,
        };
        Ok((name, words.why.in_language(language)))
    }

    /// A word on the figures.
    ///
    /// # Panics
    /// There is none of this name: each is asked for by a test.
    pub fn label(&self, name: &str, language: Language) -> &str {
        let words =
            self.labels.get(name).unwrap_or_else(|| panic!("texts.toml has no label {name}"));
        words.in_language(language)
    }
}
