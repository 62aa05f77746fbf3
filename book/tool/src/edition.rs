//! The two editions.

use std::path::{Path, PathBuf};

use labkit::language::Language;

/// The language as HTML and gettext name it.
pub fn code(language: Language) -> &'static str {
    match language {
        Language::English => "en",
        Language::Chinese => "zh-CN",
    }
}

/// The language's name in that language.
pub fn name(language: Language) -> &'static str {
    match language {
        Language::English => "English",
        Language::Chinese => "中文",
    }
}

/// The edition with this code; English unless it is known.
pub fn language(code: Option<&str>) -> Language {
    let is = |language: &Language| Some(self::code(*language)) == code;
    Language::ALL.into_iter().find(is).unwrap_or(Language::English)
}

/// The folder of an edition in the folder of the whole book: English is what
/// is found without naming a language.
pub fn folder(language: Language, book: &Path) -> PathBuf {
    match language {
        Language::English => book.to_owned(),
        Language::Chinese => book.join(code(language)),
    }
}
