//! What a wrong answer gets, as the snapshots of labs/reference record it.

use std::collections::BTreeMap;
use std::path::Path;
use std::{fs, io};

use serde::{Deserialize, Serialize};

use crate::lab::{Diagnosis, Lab};
use crate::language::Language;
use crate::look::Look;
use crate::report;
use crate::verdict::{Evidence, Finding};

/// The snapshot that lists what is not gradable, not what a mistake gets.
pub const NOT_OF_A_MISTAKE: &str = "programs__what_the_adapter_does_not_tell";

/// The number of the lab whose mistake a snapshot is about; None if the snapshot is of
/// another kind.
pub fn lab_of(snapshot: &str) -> Option<&str> {
    match snapshot.strip_prefix("matrix__lab_") {
        Some(rest) => rest.get(..2),
        // The programs of lab 09 are graded apart.
        None if snapshot == NOT_OF_A_MISTAKE => None,
        None => snapshot.starts_with("programs__").then_some("09"),
    }
}

/// What each snapshot in a directory records, by its name.
///
/// # Errors
/// One cannot be read, or is not a recording.
pub fn all(snapshots: &Path) -> io::Result<BTreeMap<String, Recorded>> {
    let mut all = BTreeMap::new();
    for entry in fs::read_dir(snapshots)? {
        let path = entry?.path();
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        if lab_of(&name).is_some() {
            let recorded = Recorded::read(&path)
                .map_err(|error| io::Error::other(format!("{}: {error}", path.display())))?;
            all.insert(name, recorded);
        }
    }
    Ok(all)
}

/// The promises that a mistake breaks, and what was found on the first of them: facts,
/// not how a report puts them.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recorded {
    /// The promises, in the lab's order; never empty.
    pub breaks: Vec<String>,
    /// The diagnosis.
    pub code: String,
    /// What the answer has printed.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub printed: String,
    /// What `%{name}` in the diagnosis's texts stands for.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub words: BTreeMap<String, String>,
    /// What the witness saw.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub evidence: Vec<Evidence>,
}

impl Recorded {
    /// The record of a mistake that breaks these promises, with the finding on the first.
    /// Words that no text of the diagnosis has are nobody's concern, and left out.
    pub fn new<'a>(
        lab: &Lab,
        breaks: impl IntoIterator<Item = &'a str>,
        finding: &Finding,
    ) -> Recorded {
        let Finding { code, mut words, evidence, printed } = finding.clone();
        let breaks = breaks.into_iter().map(str::to_owned).collect();
        if let Some(Diagnosis { seen, why, hints, .. }) = lab.diagnosis(&code) {
            let texts = [vec![seen, why], hints].concat();
            words.retain(|word, _| {
                let placeholder = format!("%{{{word}}}");
                texts.iter().any(|text| text.en.contains(&placeholder))
            });
        }
        Recorded { breaks, code, printed, words, evidence }
    }

    /// Reads a snapshot: a header of insta between two lines of `---`, then TOML.
    ///
    /// # Errors
    /// The file cannot be read, or is something else.
    pub fn read(snapshot: &Path) -> io::Result<Recorded> {
        let text = fs::read_to_string(snapshot)?;
        let toml = text.splitn(3, "---\n").nth(2).unwrap_or_default();
        toml::from_str(toml).map_err(io::Error::other)
    }

    /// What a student is told of the first broken promise.
    pub fn report(&self, lab: &Lab, language: Language) -> String {
        let finding = Finding {
            code: self.code.clone(),
            words: self.words.clone(),
            evidence: self.evidence.clone(),
            printed: self.printed.clone(),
        };
        report::broken(lab, &self.breaks[0], &finding, language, Look::PLAIN)
    }
}
