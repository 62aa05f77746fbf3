//! `{{#tasks}}` and `{{#promises}}`.

use anyhow::{Result, bail};
use labkit::lab::Lab;
use labkit::language::Language;

use super::readme;
use super::words::{markdown, pick};

/// The task in the lab's README.md: what stands there between what must hold
/// and how to run the grader.
pub fn tasks(lab: &Lab, language: Language) -> Result<String> {
    let path = format!("labs/{}/README.md", lab.folder());
    let part = readme::part(&path, language)?;
    let sections = sections(&part);
    let [_able, _must_hold, tasks @ .., _how_to_run] = &sections[..] else {
        bail!(
            "{path} needs these sections: what you will be able to do, what must always hold, the task, how to run it"
        );
    };
    Ok(match tasks {
        // The chapter has its own heading for it.
        [only] => only.split_once('\n').map_or("", |(_heading, text)| text).to_owned(),
        several => several.iter().map(|section| format!("#{section}")).collect(),
    })
}

/// The `##` sections, each with its heading.
fn sections(part: &str) -> Vec<String> {
    let mut sections: Vec<String> = Vec::new();
    for line in part.lines() {
        if line.starts_with("## ") {
            sections.push(String::new());
        }
        if let Some(section) = sections.last_mut() {
            *section += line;
            *section += "\n";
        }
    }
    sections
}

/// What must hold, as the names of the tests and their sentences.
pub fn promises(lab: &Lab, language: Language) -> String {
    let mut table = match language {
        Language::English => "| test | promise |\n|---|---|\n".to_owned(),
        Language::Chinese => "| 测试 | 承诺 |\n|---|---|\n".to_owned(),
    };
    for function in &lab.functions {
        for promise in lab.promises.iter().filter(|it| it.function == function.name) {
            let promised = markdown(&promise.promised, language);
            table += &format!("| `{}` | {promised} |\n", promise.name);
        }
    }
    let command = format!("cargo test -p lab-{} {}", lab.number, lab.promises[0].name);
    let lead = pick(language, "One alone", "单独运行一个测试");
    format!("{table}\n{lead}: `{command}`\n")
}
