//! What mdbook's own page lacks: the switch to the other language, and its
//! words in Chinese.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use labkit::language::Language;
use serde::Deserialize;

use crate::{checkout, edition};

/// The words of mdbook's pages in Chinese: `theme/zh-CN.toml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Interface {
    /// What the book is, for search engines.
    pub description: String,
    /// On each page, around the text.
    page: Vec<[String; 2]>,
    /// In the script that shows what was found.
    search: Vec<[String; 2]>,
}

impl Interface {
    /// Reads them.
    ///
    /// # Errors
    /// The file is not as it must be.
    pub fn read() -> Result<Interface> {
        let path = checkout::book().join("theme/zh-CN.toml");
        toml::from_str(&checkout::read(&path)?).with_context(|| format!("in {}", path.display()))
    }
}

/// Finishes all pages of an edition.
///
/// # Errors
/// mdbook's pages are no longer as they were: a place or a word is not found.
pub fn finish(language: Language, folder: &Path, interface: &Interface) -> Result<()> {
    for page in pages(folder)? {
        let html = checkout::read(&page)?;
        let path = page.strip_prefix(folder)?;
        let mut finished = add_switch(language, path, &html)?;
        if language == Language::Chinese {
            finished = translate(&finished, &interface.page)
                .with_context(|| format!("{}", path.display()))?;
        }
        fs::write(&page, finished)?;
    }
    if language == Language::Chinese {
        let script = file_named(folder, "searcher")?;
        let translated = replace_all(&checkout::read(&script)?, &interface.search)?;
        fs::write(&script, translated)?;
    }
    Ok(())
}

/// The HTML files, without the table of contents that stands in for a script,
/// and without the other edition.
pub fn pages(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut pages = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() && !path.ends_with(edition::code(Language::Chinese)) {
            pages.extend(self::pages(&path)?);
        } else if path.extension().is_some_and(|it| it == "html") && !path.ends_with("toc.html") {
            pages.push(path);
        }
    }
    pages.sort();
    Ok(pages)
}

/// A script whose name mdbook has given a hash to.
pub fn file_named(folder: &Path, name: &str) -> Result<PathBuf> {
    let is_it = |path: &PathBuf| {
        let file = path.file_name().unwrap_or_default().to_string_lossy();
        file.starts_with(&format!("{name}-")) && file.ends_with(".js")
    };
    let paths = fs::read_dir(folder)?.flatten().map(|entry| entry.path());
    paths.into_iter().find(is_it).with_context(|| format!("mdbook has written no {name}-….js"))
}

/// A link to the same page in the other language.
fn add_switch(language: Language, path: &Path, html: &str) -> Result<String> {
    let other = match language {
        Language::English => Language::Chinese,
        Language::Chinese => Language::English,
    };
    let up = "../".repeat(path.components().count() - 1);
    let there = match other {
        Language::English => format!("{up}../{}", path.display()),
        Language::Chinese => format!("{up}{}/{}", edition::code(other), path.display()),
    };
    let (code, name) = (edition::code(other), edition::name(other));
    let buttons = "<div class=\"right-buttons\">";
    let (before, after) =
        html.split_once(buttons).with_context(|| format!("{}: no {buttons}", path.display()))?;
    let before = before.replacen(
        "</head>",
        &format!("<link rel=\"alternate\" hreflang=\"{code}\" href=\"{there}\">\n    </head>"),
        1,
    );
    Ok(format!(
        "{before}{buttons}\n<a class=\"other-language\" href=\"{there}\" lang=\"{code}\" \
         hreflang=\"{code}\" rel=\"alternate\">{name}</a>{after}"
    ))
}

/// mdbook's words around the text, never those in it.
fn translate(html: &str, words: &[[String; 2]]) -> Result<String> {
    let (before, rest) = html.split_once("<main>").context("no <main>")?;
    let (text, after) = rest.rsplit_once("</main>").context("no </main>")?;
    // A text of mdbook's that stands before and after the page's own.
    let around = replace_all(&format!("{before}<main>{after}"), words)?;
    let (before, after) = around.split_once("<main>").context("no <main>")?;
    Ok(format!("{before}<main>{text}</main>{after}"))
}

fn replace_all(text: &str, words: &[[String; 2]]) -> Result<String> {
    let mut translated = text.to_owned();
    for [english, chinese] in words {
        ensure!(translated.contains(english.as_str()), "mdbook has no {english:?} any more");
        translated = translated.replace(english.as_str(), chinese);
    }
    Ok(translated)
}
