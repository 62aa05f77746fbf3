//! Shell sessions of the book are run, and must print what the book shows.
//!
//! `<!-- session -->` above a block: it stands alone, whoever runs it.
//! `<!-- session: root -->`: with the others of its page it is one session of
//! root, in a mount namespace of its own; `<!-- session: setup -->`: so too, but
//! what it prints is different on each machine.

mod comparable;
mod shell;

use std::path::{Path, PathBuf};

use harness::host::Host;
use mydocker_book::checkout;
use mydocker_book::session::{self, Block, Who};

use comparable::comparable;

#[test]
fn sessions_print_what_the_book_shows() {
    let mut differences = Vec::new();
    for page in pages() {
        for block in blocks(&page).iter().filter(|block| block.who == Who::Anybody) {
            let mydocker = checkout::program("mydocker").expect("mydocker");
            let host = Host::new(mydocker.to_str().expect("its path"));
            let printed = shell::anybody(&host, &mydocker, &block.commands);
            differences.extend(compare(&page, &[block], &printed));
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

#[test]
#[cfg_attr(not(can_root), ignore = "these sessions are root's")]
fn roots_sessions_print_what_the_book_shows() {
    let mut differences = Vec::new();
    for page in pages() {
        let blocks = blocks(&page);
        let blocks: Vec<&Block> = blocks.iter().filter(|block| block.who != Who::Anybody).collect();
        if !blocks.is_empty() {
            let commands: Vec<_> =
                blocks.iter().flat_map(|block| block.commands.iter().cloned()).collect();
            let printed = shell::root(&commands);
            differences.extend(compare(&page, &blocks, &printed));
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

/// Every page in English; the Chinese ones have the same sessions.
fn pages() -> Vec<PathBuf> {
    let source = checkout::book().join("src");
    let files = [source.clone(), source.join("reference")];
    let files = files.iter().flat_map(|folder| std::fs::read_dir(folder).expect("the pages"));
    let files = files.map(|entry| entry.expect("a page").path());
    let mut pages: Vec<_> =
        files.filter(|path| path.extension().is_some_and(|it| it == "md")).collect();
    pages.sort();
    pages
}

fn blocks(page: &Path) -> Vec<Block> {
    let blocks = checkout::read(page).and_then(|markdown| session::blocks(&markdown));
    blocks.unwrap_or_else(|error| panic!("{}: {error:#}", page.display()))
}

/// What the commands of these blocks have printed against what the book shows.
fn compare(page: &Path, blocks: &[&Block], printed: &[String]) -> Vec<String> {
    let mut printed = printed.iter();
    let mut differences = Vec::new();
    for block in blocks {
        for command in &block.commands {
            let empty = String::new();
            let printed = printed.next().unwrap_or(&empty);
            let (shown, seen) = (comparable(&command.shown), comparable(printed));
            if shown != seen && block.who != Who::Setup {
                let name = page.strip_prefix(checkout::book()).unwrap_or(page).display();
                let (line, words) = (block.line, &command.words);
                differences.push(format!(
                    "book/{name}:{line}: {words}\n-- the book shows\n{shown}\n-- it prints\n{seen}"
                ));
            }
        }
    }
    differences
}
