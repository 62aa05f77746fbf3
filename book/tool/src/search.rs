//! Search in the Chinese edition.
//!
//! mdbook's index is one of words between blanks, and Chinese has none: the
//! Chinese edition looks through the pages' text instead, which the index
//! carries along. See `theme/search-chinese.js`.

use std::fs;
use std::path::Path;

use anyhow::Result;

use crate::{checkout, page};

/// Lets the edition in `folder` be searched in Chinese.
///
/// # Errors
/// mdbook's search is no longer as it was.
pub fn find_chinese(folder: &Path) -> Result<()> {
    // Behind the library and before mdbook's script, which uses it.
    let library = page::file_named(folder, "elasticlunr")?;
    let ours = checkout::read(&checkout::book().join("theme/search-chinese.js"))?;
    fs::write(&library, checkout::read(&library)? + "\n" + &ours)?;
    Ok(())
}
