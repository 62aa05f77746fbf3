//! Why an answer is not taken.

use labkit::language::Language;
use rust_i18n::t;
use serde::{Deserialize, Serialize};

/// Why what was handed in is none that may be compiled.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "why", rename_all = "kebab-case")]
pub enum Refusal {
    /// A link: in a zip any, in a directory one that leads out of it.
    Link,
    /// A directory, a device, a socket.
    NoFile,
    /// More than an answer may have.
    TooLarge,
    /// A zip with more files than anybody writes.
    TooManyFiles,
    /// A zip with two files of this name.
    Twice,
    /// A zip that wants a password.
    Encrypted,
    /// In the words of the kernel, or of what reads zips.
    NotReadable { error: String },
    /// Answers in several directories; which are meant is not said.
    SeveralPlaces { places: String },
}

impl Refusal {
    pub fn text(&self, language: Language) -> String {
        let locale = language.locale();
        let text = match self {
            Refusal::Link => t!("refused.link", locale = locale),
            Refusal::NoFile => t!("refused.no-file", locale = locale),
            Refusal::TooLarge => t!("refused.too-large", locale = locale),
            Refusal::TooManyFiles => t!("refused.too-many-files", locale = locale),
            Refusal::Twice => t!("refused.twice", locale = locale),
            Refusal::Encrypted => t!("refused.encrypted", locale = locale),
            Refusal::NotReadable { error } => {
                t!("refused.not-readable", locale = locale, error = error)
            }
            Refusal::SeveralPlaces { places } => {
                t!("refused.several-places", locale = locale, places = places)
            }
        };
        text.into_owned()
    }
}
