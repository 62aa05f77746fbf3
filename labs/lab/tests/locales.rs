//! The texts of the kit and of the command are whole: both languages, with the
//! same placeholders.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use labkit::language::Language;
use toml::Table;

/// The crates that have texts.
const CRATES: [&str; 2] = [".", "../kit"];

/// Every text of a crate: its key, and what belongs to it.
fn texts(folder: &str) -> Vec<(String, Table)> {
    let mut texts = Vec::new();
    for file in files(&Path::new(folder).join("locales"), "toml") {
        let content = fs::read_to_string(&file).expect("a text file");
        let table: Table = content.parse().unwrap_or_else(|error| panic!("{file:?}: {error}"));
        let keyed = table.into_iter().filter_map(|(key, value)| match value {
            toml::Value::Table(words) => Some((key, words)),
            _ => None,
        });
        texts.extend(keyed);
    }
    texts
}

/// The files below a folder that end so.
fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder").flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(files(&path, ending));
        } else if path.extension().is_some_and(|it| it == ending) {
            found.push(path);
        }
    }
    found
}

/// The names in `%{name}`.
fn placeholders(text: &str) -> BTreeSet<&str> {
    text.split("%{").skip(1).filter_map(|rest| Some(rest.split_once('}')?.0)).collect()
}

#[test]
fn every_text_is_there_in_both_languages_with_the_same_placeholders() {
    let mut complaints = Vec::new();
    for (key, words) in CRATES.into_iter().flat_map(texts) {
        let [english, chinese] = Language::ALL.map(|language| {
            words.get(language.locale()).and_then(toml::Value::as_str).unwrap_or_default()
        });
        if english.is_empty() || chinese.is_empty() {
            complaints.push(format!("{key}: a language is missing"));
        } else if placeholders(english) != placeholders(chinese) {
            complaints.push(format!("{key}: {english:?} and {chinese:?}"));
        }
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

#[test]
fn every_text_that_is_asked_for_is_there() {
    let mut missing = Vec::new();
    for folder in CRATES {
        let keys: BTreeSet<String> = texts(folder).into_iter().map(|(key, _)| key).collect();
        for file in files(&Path::new(folder).join("src"), "rs") {
            let source = fs::read_to_string(&file).expect("a source file");
            for asked in source.split("t!(").skip(1) {
                // Keys that are put together at run time are not looked at.
                let Some(literal) = asked.trim_start().strip_prefix('"') else { continue };
                let key = literal.split('"').next().unwrap_or_default();
                let is_key = key.contains('.') && !key.contains(['{', ' ']);
                if is_key && !keys.contains(key) {
                    missing.push(format!("{file:?}: {key}"));
                }
            }
        }
    }
    assert!(missing.is_empty(), "{}", missing.join("\n"));
}
