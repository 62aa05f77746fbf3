//! Both editions as HTML.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use labkit::language::Language;
use mdbook_driver::MDBook;
use mdbook_driver::config::Config;
use mdbook_i18n_helpers::preprocessors::Gettext;

use crate::expand::Expand;
use crate::page::Interface;
use crate::prepare::Prepare;
use crate::{checkout, edition, machine, page, search};

/// Where the book is built: `book/out`, the Chinese edition in `zh-CN` below.
pub fn destination() -> PathBuf {
    checkout::book().join("out")
}

/// Builds both editions into a folder. What was built there before stays until
/// they are ready.
///
/// # Errors
/// A page or a directive on it is not as it must be.
pub fn build(destination: &Path) -> Result<()> {
    let fresh = destination.with_extension("new");
    for language in Language::ALL {
        build_edition(language, &edition::folder(language, &fresh))?;
    }
    if machine::is_built() {
        machine::add(&fresh)?;
    }
    let old = destination.with_extension("old");
    if destination.exists() {
        fs::rename(destination, &old).context("the book that was built before")?;
    }
    fs::rename(&fresh, destination).context("the new book")?;
    if old.exists() {
        fs::remove_dir_all(&old).context("the book that was built before")?;
    }
    Ok(())
}

fn build_edition(language: Language, folder: &Path) -> Result<()> {
    let interface = Interface::read()?;
    let mut config = Config::from_disk(checkout::book().join("book.toml"))?;
    config.book.language = Some(edition::code(language).to_owned());
    if language == Language::Chinese {
        config.book.description = Some(interface.description.clone());
    }
    config.build.build_dir = folder.to_owned();
    let mut book = MDBook::load_with_config(checkout::book(), config)?;
    book.with_preprocessor(Prepare).with_preprocessor(Gettext).with_preprocessor(Expand);
    book.build()?;
    page::finish(language, folder, &interface)?;
    if machine::is_built() {
        machine::link(language, folder)?;
    }
    if language == Language::Chinese {
        search::find_chinese(folder)?;
    }
    Ok(())
}
