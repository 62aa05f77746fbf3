//! Where things lie in this repository.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use anyhow::{Context, Result};
use labkit::lab::Lab;

/// The folder of the repository.
pub static ROOT: LazyLock<PathBuf> = LazyLock::new(|| {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).expect("book/tool is in it").to_owned()
});

/// The folder of the book.
pub fn book() -> PathBuf {
    ROOT.join("book")
}

/// A file as text.
///
/// # Errors
/// It cannot be read; the error names it.
pub fn read(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

/// A program of this workspace, as it was built beside this one.
///
/// # Errors
/// It is not there.
pub fn program(name: &str) -> Result<PathBuf> {
    let this = std::env::current_exe().context("where is this program?")?;
    // A test is a folder deeper than a program: deps/.
    let found = this.ancestors().skip(1).take(2).map(|folder| folder.join(name));
    found.into_iter().find(|path| path.is_file()).with_context(|| {
        format!("the program {name} is not built yet: use scripts/book, which does it")
    })
}

/// Every lab, in the order of their numbers.
///
/// # Errors
/// A `lab.toml` cannot be read or is not as it must be.
pub fn labs() -> Result<Vec<Lab>> {
    let mut labs = Vec::new();
    for entry in std::fs::read_dir(ROOT.join("labs"))? {
        let file = entry?.path().join("lab.toml");
        if file.is_file() {
            // What only `cargo lab check` grades stands behind it.
            let later = file.with_file_name("later.toml");
            let later = if later.is_file() { read(&later)? } else { String::new() };
            let lab = Lab::parse(&(read(&file)? + &later));
            labs.push(lab.with_context(|| format!("in {}", file.display()))?);
        }
    }
    labs.sort_by(|a, b| a.number.cmp(&b.number));
    Ok(labs)
}
