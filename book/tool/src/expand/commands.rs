//! `{{#commands}}`: a program's help, as it prints it itself, with that of all
//! its subcommands.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};
use labkit::language::Language;

use crate::checkout;

/// The columns of a page on a wide screen.
const COLUMNS: &str = "80";

/// The help of a program and of its subcommands, in one language.
pub fn help(program: &str, language: Language) -> Result<String> {
    let path = checkout::program(program)?;
    let mut page = String::new();
    describe(&path, program, &[], language, &mut page)?;
    Ok(page)
}

fn describe(
    path: &Path,
    program: &str,
    words: &[&str],
    language: Language,
    page: &mut String,
) -> Result<()> {
    // Neither this machine's directories nor its language.
    let output = Command::new(path)
        .args(words)
        .arg("--help")
        .env_clear()
        .env("COLUMNS", COLUMNS)
        .env("LAB_LANG", language.locale())
        .output()
        .with_context(|| format!("cannot start {}", path.display()))?;
    if !output.status.success() {
        bail!("{program} {} --help: {}", words.join(" "), output.status);
    }
    let help = String::from_utf8(output.stdout).context("its help")?;
    let name = match program {
        "lab" => "cargo lab",
        program => program,
    };
    let called = [&[name], words].concat().join(" ");
    let anchor = called.replace(' ', "-");
    page.push_str(&format!(
        "### `{called}` {{#{anchor}}}\n\n```text\n{}\n```\n\n",
        help.trim_end()
    ));
    for subcommand in subcommands(&help) {
        describe(path, program, &[words, &[subcommand]].concat(), language, page)?;
    }
    Ok(())
}

/// The names below `Commands:`, which both languages have.
fn subcommands(help: &str) -> impl Iterator<Item = &str> {
    let is_headline = |line: &&str| *line == "Commands:" || *line == "命令：";
    let names = help.lines().skip_while(move |line| !is_headline(line)).skip(1);
    let names = names.take_while(|line| line.starts_with("  "));
    // What is indented further goes on with the line before.
    let names = names.filter(|line| !line.starts_with("   "));
    names.filter_map(|line| line.split_whitespace().next()).filter(|name| *name != "help")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subcommands_are_found() {
        let help = "Usage: x\n\nCommands:\n  run   Runs it,\n        and more\n  ps    Lists\n  help  Print\n\nOptions:\n  -h\n";
        assert_eq!(subcommands(help).collect::<Vec<_>>(), ["run", "ps"]);
        let chinese = "用法：x\n\n命令：\n  run   运行\n  help  帮助\n\n选项：\n  -h\n";
        assert_eq!(subcommands(chinese).collect::<Vec<_>>(), ["run"]);
    }
}
