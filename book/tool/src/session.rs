//! The sessions on a page: ` ```console ` blocks below `<!-- session … -->`.
//!
//! The tests run them, and a reader can type them into the machine in the page.

use std::process::Command as Process;

use anyhow::{Context, Result, ensure};
use serde::Serialize;

/// A block of a page: commands, and what they print.
pub struct Block {
    /// Of its first line, counted from 1.
    pub line: usize,
    /// Who runs it.
    pub who: Who,
    /// In the order in which they are typed.
    pub commands: Vec<Command>,
}

/// Who runs a block.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Who {
    /// Whoever runs the tests, by itself.
    Anybody,
    /// Root, after the page's blocks before it.
    Root,
    /// Root too, for those after it: what it prints is not the same everywhere.
    Setup,
}

/// A command of a session.
#[derive(Clone, Serialize)]
pub struct Command {
    /// As it is typed; several lines if a quote goes on.
    pub words: String,
    /// What the book shows of its output.
    pub shown: String,
}

/// Who runs the block below this line; none if it is not such a comment.
pub fn who(line: &str) -> Option<Who> {
    match line.trim() {
        "<!-- session -->" => Some(Who::Anybody),
        "<!-- session: root -->" => Some(Who::Root),
        "<!-- session: setup -->" => Some(Who::Setup),
        _ => None,
    }
}

/// The marked blocks of a page.
///
/// # Errors
/// What follows such a comment is no block of commands.
pub fn blocks(markdown: &str) -> Result<Vec<Block>> {
    let mut blocks = Vec::new();
    let mut lines = markdown.lines().enumerate();
    while let Some((_, line)) = lines.next() {
        let Some(who) = who(line) else { continue };
        // Between them stands, at most, what keeps the block from the translators.
        let is_between = |line: &str| matches!(line.trim(), "" | "<!-- i18n:skip -->");
        let fence = lines.by_ref().find(|(_, line)| !is_between(line));
        let (number, fence) = fence.context("a session is a block below its comment")?;
        ensure!(
            fence.trim() == "```console",
            "line {}: a session is a ```console block",
            number + 1
        );
        let body: Vec<&str> =
            lines.by_ref().map(|(_, line)| line).take_while(|line| line.trim() != "```").collect();
        let commands = commands(&body).with_context(|| format!("line {}", number + 1))?;
        blocks.push(Block { line: number + 1, who, commands });
    }
    Ok(blocks)
}

fn commands(body: &[&str]) -> Result<Vec<Command>> {
    let mut commands: Vec<Command> = Vec::new();
    let mut lines = body.iter();
    while let Some(line) = lines.next() {
        let prompted = line.strip_prefix("$ ").or_else(|| line.strip_prefix("# "));
        if let Some(words) = prompted {
            let mut words = words.to_owned();
            while !is_whole(&words)?
                && let Some(more) = lines.next()
            {
                words = format!("{words}\n{more}");
            }
            commands.push(Command { words, shown: String::new() });
        } else {
            let command = commands.last_mut().context("a session begins with a command")?;
            command.shown += line;
            command.shown.push('\n');
        }
    }
    Ok(commands)
}

/// Whether no quote and no `if` is still open.
fn is_whole(words: &str) -> Result<bool> {
    let check = Process::new("bash").args(["-n", "-c", words]).output().context("bash")?;
    Ok(check.status.success())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quote_goes_on_in_the_next_line() {
        let page = "<!-- session: root -->\n<!-- i18n:skip -->\n```console\n# sh -c 'echo a\necho b'\na\nb\n$ id -u\n0\n```\n";
        let blocks = blocks(page).unwrap();
        let commands = &blocks[0].commands;
        assert!(blocks[0].who == Who::Root && blocks[0].line == 3);
        assert_eq!(
            commands.iter().map(|it| (&*it.words, &*it.shown)).collect::<Vec<_>>(),
            [("sh -c 'echo a\necho b'", "a\nb\n"), ("id -u", "0\n")]
        );
    }

    #[test]
    fn a_comment_without_its_block_is_refused() {
        let error = blocks("<!-- session -->\n\ntext\n").err().unwrap().to_string();
        assert_eq!(error, "line 3: a session is a ```console block");
    }
}
