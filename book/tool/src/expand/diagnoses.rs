//! `{{#diagnoses}}`, and the end of each chapter: what the labs' reports say.

use labkit::lab::{Diagnosis, Lab, kit_diagnoses};
use labkit::language::Language;

use super::words::{markdown, pick};

/// All of them, by lab.
pub fn all(labs: &[Lab], language: Language) -> String {
    let title = pick(language, "In every lab", "所有实验共有");
    let mut page = format!("## {title} {{#every-lab}}\n\n");
    for diagnosis in kit_diagnoses() {
        page += &entry(&diagnosis, language);
    }
    for lab in labs {
        let title = lab.title.in_language(language);
        let chapter = pick(language, "Chapter", "章节");
        let page_link = lab.page.replace(".html", ".md");
        page += &format!("## {}: {title} {{#{}}}\n\n", lab.number, lab.name);
        page += &format!("{chapter}: [{title}](../{page_link})\n\n");
        for diagnosis in &lab.diagnoses {
            page += &entry(diagnosis, language);
        }
    }
    page
}

fn entry(diagnosis: &Diagnosis, language: Language) -> String {
    let anchor = anchor(&diagnosis.code);
    format!("### `{}` {{#{anchor}}}\n\n{}\n", diagnosis.code, texts(diagnosis, language))
}

/// The end of a lab's chapter, where its reports send their readers. Folded,
/// for a first reader is not to be told the answers.
pub fn appendix(lab: &Lab, language: Language) -> String {
    let title = pick(language, "What a report can say", "报告可能给出的诊断");
    let lead = pick(
        language,
        "Each diagnosis of this lab, with its first hint. Those of all labs: [Diagnoses](reference/diagnoses.md).",
        "本实验的每个诊断及其第一条提示。全部实验的诊断见[诊断代码](reference/diagnoses.md)。",
    );
    let mut page = format!("\n## {title} {{#reports}}\n\n{lead}\n\n");
    let mut unforeseen = lab.diagnosis(&lab.unforeseen()).expect("the kit has a text for it");
    unforeseen.code = lab.unforeseen();
    let every = kit_diagnoses();
    let every = every.iter().filter(|it| it.code != "answer/unforeseen");
    for diagnosis in lab.diagnoses.iter().chain([&unforeseen]).chain(every) {
        page += &format!(
            "<details class=\"diagnosis\" id=\"{}\">\n<summary><code>{}</code></summary>\n\n{}\n</details>\n\n",
            anchor(&diagnosis.code),
            diagnosis.code,
            texts(diagnosis, language)
        );
    }
    page
}

/// What follows the `#` in a report's link.
fn anchor(code: &str) -> String {
    code.replace('/', "-")
}

fn texts(diagnosis: &Diagnosis, language: Language) -> String {
    let seen = pick(language, "Seen", "看到的");
    let why = pick(language, "Why it matters", "为什么重要");
    let hint = pick(language, "First hint", "第一条提示");
    let mut texts = format!("- **{seen}:** {}\n", markdown(&diagnosis.seen, language));
    texts += &format!("- **{why}:** {}\n", markdown(&diagnosis.why, language));
    if let Some(first) = diagnosis.hints.first() {
        texts += &format!("- **{hint}:** {}\n", markdown(first, language));
    }
    if language == Language::Chinese { texts.replace(":** ", "：** ") } else { texts }
}
