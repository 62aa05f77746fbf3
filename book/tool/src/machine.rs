//! The machine in the page: a Linux that runs in the reader's browser.
//!
//! `scripts/book machine` builds it into `target/machine`. A book that is built
//! when it is not there has nothing of it.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use labkit::language::Language;

use crate::checkout::{self, ROOT};
use crate::page;
use crate::session::{self, Block, Who};

/// What marks the places for the page's script.
const SESSION: &str = "<div class=\"session\"";
const EXPERIMENT: &str = "<div class=\"session experiment\"";

/// Where the machine is built.
fn built() -> PathBuf {
    ROOT.join("target/machine")
}

/// Where its pages' scripts are.
fn scripts() -> PathBuf {
    checkout::book().join("machine/page")
}

/// The machine's state, and where it is told what it consists of.
const MANIFEST: &str = "machine.json";

/// Whether there is one for the book.
pub fn is_built() -> bool {
    built().join(MANIFEST).is_file()
}

/// The places for the buttons of a page: after each line that marks a session
/// of root, its commands.
///
/// # Errors
/// A session is not as it must be.
pub fn mark_sessions(markdown: &str) -> Result<String> {
    let mut blocks = session::blocks(markdown)?.into_iter();
    let mut marked = String::new();
    for line in markdown.lines() {
        marked += line;
        marked.push('\n');
        if session::who(line).is_some() {
            let block = blocks.next().context("as many blocks as comments")?;
            if block.who != Who::Anybody {
                marked += &place(&block)?;
            }
        }
    }
    Ok(marked)
}

fn place(block: &Block) -> Result<String> {
    let commands = serde_json::to_string(&block.commands)?;
    let commands = commands.replace('&', "&amp;").replace('\'', "&#39;").replace('<', "&lt;");
    // What a session prints while it makes things ready is not compared.
    let who = if block.who == Who::Root { "root" } else { "setup" };
    Ok(format!("{SESSION} data-who=\"{who}\" data-commands='{commands}' hidden></div>\n\n"))
}

/// `{{#experiment}}`: the place for the button of the introduction's experiment.
pub fn experiment() -> String {
    if is_built() { format!("{EXPERIMENT} hidden></div>\n") } else { String::new() }
}

/// Puts the machine beside the pages of the whole book.
///
/// # Errors
/// A file cannot be copied.
pub fn add(book: &Path) -> Result<()> {
    let folder = book.join("machine");
    copy(&built(), &folder)?;
    copy(&scripts(), &folder)
}

/// Lets the pages of an edition that have a place for it load it.
///
/// # Errors
/// A page cannot be read or written.
pub fn link(language: Language, edition: &Path) -> Result<()> {
    let way = match language {
        Language::English => "",
        Language::Chinese => "../",
    };
    for path in page::pages(edition)? {
        // All chapters on one page are not one session.
        if path.ends_with("print.html") {
            continue;
        }
        let html = checkout::read(&path)?;
        if !html.contains(SESSION) && !html.contains(EXPERIMENT) {
            continue;
        }
        let depth = path.strip_prefix(edition)?.components().count() - 1;
        let machine = format!("{}{way}machine", "../".repeat(depth));
        let style = |name| format!("<link rel=\"stylesheet\" href=\"{machine}/{name}.css\">\n    ");
        let head = style("xterm") + &style("machine") + "</head>";
        let body =
            format!("<script type=\"module\" src=\"{machine}/page.js\"></script>\n    </body>");
        let html = html.replacen("</head>", &head, 1).replacen("</body>", &body, 1);
        fs::write(&path, html)?;
    }
    Ok(())
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from).with_context(|| from.display().to_string())? {
        let entry = entry?;
        let there = to.join(entry.file_name());
        match entry.file_type()?.is_dir() {
            true => copy(&entry.path(), &there)?,
            false => drop(fs::copy(entry.path(), there)?),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roots_sessions_get_a_place_with_their_commands() {
        let page = "<!-- session: root -->\n```console\n# echo 'a<b'\na<b\n```\n";
        let place = "<div class=\"session\" data-who=\"root\" data-commands='[{\"words\":\"echo &#39;a&lt;b&#39;\",\
                     \"shown\":\"a&lt;b\\n\"}]' hidden></div>\n\n";
        let (comment, block) = page.split_once('\n').unwrap();
        assert_eq!(mark_sessions(page).unwrap(), format!("{comment}\n{place}{block}"));
    }

    #[test]
    fn other_sessions_and_pages_are_as_they_were() {
        let page = "text\n\n<!-- session -->\n```console\n$ id -u\n```\n";
        assert_eq!(mark_sessions(page).unwrap(), page);
    }
}
