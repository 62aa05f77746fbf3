//! `{{#readme}}`: a file that has an English part and, under `## 中文`, a
//! Chinese one.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use labkit::language::Language;

use crate::checkout::{self, ROOT};
use crate::prepare::anchor;

/// The heading above the Chinese part.
const CHINESE: &str = "\n## 中文\n";

/// The part in one language, without the title, as sections of a page. Both
/// parts get the anchors of the English headings.
pub fn part(path: &str, language: Language) -> Result<String> {
    let text = checkout::read(&ROOT.join(path))?;
    let (english, chinese) =
        text.split_once(CHINESE).with_context(|| format!("{path}: no ## 中文"))?;
    let english = english.split_once('\n').map_or("", |(_title, rest)| rest);
    // One level higher: they are below `## 中文` in the file.
    let chinese = chinese.replace("\n###", "\n##");
    let anchors: Vec<String> = headings(english).map(anchor).collect();
    ensure!(
        anchors.len() == headings(&chinese).count(),
        "{path}: the Chinese part has other sections than the English one"
    );
    let part = match language {
        Language::English => english,
        Language::Chinese => &chinese,
    };
    let mut anchors = anchors.iter();
    let mut anchored = String::new();
    for line in part.lines() {
        anchored += line;
        if line.starts_with("##") {
            anchored += &format!(" {{#{}}}", anchors.next().expect("as many as headings"));
        }
        anchored += "\n";
    }
    let folder = Path::new(path).parent().unwrap_or(Path::new(""));
    Ok(name_files(&anchored, folder))
}

fn headings(part: &str) -> impl Iterator<Item = &str> {
    part.lines().filter(|line| line.starts_with("##"))
}

/// Links to files of the repository lead nowhere in the book: the files are
/// named instead.
fn name_files(markdown: &str, folder: &Path) -> String {
    let mut named = String::new();
    let mut rest = markdown;
    while let Some(start) = rest.find("](") {
        let (before, after) = (&rest[..start], &rest[start + 2..]);
        let (Some(open), Some(close)) = (before.rfind('['), after.find(')')) else { break };
        let target = &after[..close];
        if target.contains("://") || target.starts_with('#') {
            named += &rest[..start + 2 + close + 1];
        } else {
            named += &before[..open];
            named += &format!("`{}`", normal(&folder.join(target)).display());
        }
        rest = &after[close + 1..];
    }
    named + rest
}

/// Without `..`.
fn normal(path: &Path) -> std::path::PathBuf {
    let mut normal = std::path::PathBuf::new();
    for part in path.components() {
        match part {
            std::path::Component::ParentDir => drop(normal.pop()),
            part => normal.push(part),
        }
    }
    normal
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_named_and_pages_linked() {
        let folder = Path::new("labs/06-pivot-root");
        let named =
            name_files("see [src/lib.rs](src/lib.rs), [x](../kit/a.rs), [y](https://z)", folder);
        assert_eq!(named, "see `labs/06-pivot-root/src/lib.rs`, `labs/kit/a.rs`, [y](https://z)");
    }
}
