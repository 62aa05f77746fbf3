//! The Chinese edition's words: `po/zh-CN.po`.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, anyhow, ensure};
use labkit::language::Language;
use mdbook_driver::MDBook;
use mdbook_driver::config::Config;
use mdbook_i18n_helpers::renderers::Xgettext;
use polib::po_file;

use crate::prepare::Prepare;
use crate::{checkout, edition};

/// The file of the translators.
pub fn po() -> PathBuf {
    let name = format!("{}.po", edition::code(Language::Chinese));
    checkout::book().join("po").join(name)
}

/// Writes what is to be translated into a fresh folder, as `messages.pot`.
///
/// # Errors
/// A page is not as it must be.
pub fn extract() -> Result<tempfile::TempDir> {
    let folder = tempfile::tempdir()?;
    let mut config = Config::from_disk(checkout::book().join("book.toml"))?;
    config.build.build_dir = folder.path().to_owned();
    // Lines of pages would change with each edit.
    config.set("output.xgettext.granularity", 0)?;
    let mut book = MDBook::load_with_config(checkout::book(), config)?;
    book.with_preprocessor(Prepare);
    book.execute_build_process(&Xgettext)?;
    Ok(folder)
}

/// The template in a folder that [`extract`] has made: alone, or beside what
/// else mdbook writes.
pub fn template(folder: &tempfile::TempDir) -> PathBuf {
    let alone = folder.path().join("messages.pot");
    if alone.exists() { alone } else { folder.path().join("xgettext/messages.pot") }
}

/// Updates the translators' file: new messages are empty, changed ones fuzzy,
/// those that are gone are dropped.
///
/// # Errors
/// gettext's tools fail.
pub fn update() -> Result<()> {
    let folder = extract()?;
    let (template, po) = (template(&folder), po());
    let mut command = if po.exists() {
        let mut merge = Command::new("msgmerge");
        merge.args(["--update", "--quiet", "--backup=none", "--no-location", "--no-wrap"]);
        merge.arg(&po).arg(&template);
        merge
    } else {
        let mut init = Command::new("msginit");
        init.args(["--no-translator", "--no-wrap", "--locale=zh_CN.UTF-8"]);
        init.arg("--input").arg(&template).arg("--output-file").arg(&po);
        init
    };
    let status = command.status().with_context(|| format!("{command:?}"))?;
    ensure!(status.success(), "{command:?}: {status}");
    let obsolete = Command::new("msgattrib")
        .args(["--no-obsolete", "--no-wrap", "--output-file"])
        .args([&po, &po])
        .status()
        .context("msgattrib")?;
    ensure!(obsolete.success(), "msgattrib: {obsolete}");
    Ok(())
}

/// What is to be translated and is not, or not surely: the English texts.
///
/// # Errors
/// A page or the translators' file is not as it must be.
pub fn missing() -> Result<Vec<String>> {
    let folder = extract()?;
    let read = |path: PathBuf| {
        po_file::parse(&path).map_err(|error| anyhow!("{}: {error}", path.display()))
    };
    let (wanted, translated) = (read(template(&folder))?, read(po())?);
    let is_done = |text: &str| {
        let message = translated.find_message(None, text, None);
        message.is_some_and(|it| it.is_translated() && !it.is_fuzzy())
    };
    let missing = wanted.messages().filter(|message| !is_done(message.msgid()));
    Ok(missing.map(|message| message.msgid().to_owned()).collect())
}
