//! Plain English, by a list of refused phrases; and a Chinese edition without
//! English left in it. The rules are in book/STYLE.md.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use labkit::language::Language;
use labkit::recorded;
use mydocker_book::checkout::{self, ROOT};
use regex::Regex;

/// What no English text of ours says, and what to say instead.
const REFUSED: &[(&str, &str)] = &[
    (r"\bsuch an? one\b", "say what it is"),
    (r"\bfor else\b", "otherwise"),
    (r", for (whoever|nobody|it is|it has|they are|there is|there are|the kernel)\b", "because"),
    (r"\b(is|are) no hindrance\b", "does not prevent"),
    (r"\bof which all\b", "all of which, or two sentences"),
    (r"\bbe it (a|an|one|the|by|that)\b", "even if it is, whether"),
    (
        r"\b[Ww]ho (unmounts|reads|deletes|follows|makes text|sorts|removes|asks whether)\b",
        "if you",
    ),
    (r"\b[Oo]ne (script|test|file|directory|line|point|comment) a \w+", "one X per Y"),
    (
        r"\b(a|one) (file|line|test|job|step|point|folder|directory|comment|case|process|script) an? (file|line|test|job|step|point|folder|directory|comment|case|student|promise|lab|submission|subject|processor)\b",
        "one X per Y",
    ),
    (r"\b[Oo]ut with one foot\b", "say what is outside and what is inside"),
    (r"\bis no (UTF|character|hindrance)", "is not"),
    (r"\b[Mm]end(s|ed)? (it|that|this)\b", "fix"),
    (r"\bgo on from there\.", "say what to do next"),
    (r"\bnames? of a folder\b", "directory name"),
    (r"\b[Ww]hoever\b", "you, anybody, the process that"),
    (r"\b(outside|inside) of\b", "outside, inside"),
    (r"\bcalls? to the kernel\b", "system call"),
    (r"\bby chance\b", "at random"),
    (r"\btakes it that\b", "assumes that"),
    (r"\bbe (it|they|anything)\b.{0,40}\bor not\b", "whether it is"),
    (r"\b(container|command) that runs\b[^ ]", "running container"),
];

/// Terms that have one name. Code, paths and the keys of files are not looked at.
const TERMS: &[(&str, &str)] = &[
    (r"(?i)\bfolders?\b", "directory"),
    (r"(?i)\b(a|one|two|the) blanks?\b", "space"),
    (r"\buser root\b", "root user"),
];

/// A piece of text and where it is.
struct Text {
    place: String,
    words: String,
}

#[test]
fn english_is_plain() {
    let rules: Vec<(Regex, &str)> = REFUSED
        .iter()
        .chain(TERMS)
        .map(|(phrase, instead)| (Regex::new(phrase).expect("a regular expression"), *instead))
        .collect();
    let mut complaints = Vec::new();
    for text in english() {
        for (phrase, instead) in &rules {
            if let Some(found) = phrase.find(&text.words) {
                let (place, found) = (&text.place, found.as_str());
                complaints.push(format!("{place}: {found:?}; better: {instead}"));
            }
        }
    }
    assert!(complaints.is_empty(), "see book/STYLE.md\n{}", complaints.join("\n"));
}

#[test]
fn no_english_sentence_is_left_in_chinese() {
    // Six words in a row: a name, a command or a man page's title has fewer.
    let sentence = Regex::new(r"(?:\b[A-Za-z][a-z']+[ ,]+){5}[a-z']+\b").expect("an expression");
    // A comma after each is a list of names.
    let is_list = |words: &str| words.matches(", ").count() == words.matches(' ').count();
    let mut complaints = Vec::new();
    for text in chinese() {
        let mut found = sentence.find_iter(&text.words).map(|found| found.as_str());
        if let Some(found) = found.find(|found| !is_list(found)) {
            complaints.push(format!("{}: {found}", text.place));
        }
    }
    assert!(complaints.is_empty(), "English in Chinese:\n{}", complaints.join("\n"));
}

/// All English that a person reads, without code.
fn english() -> Vec<Text> {
    let mut texts = Vec::new();
    for file in files("md") {
        let markdown = read(&file);
        let english = markdown.split("\n## 中文").next().unwrap_or_default();
        // This page quotes what is refused.
        if !file.ends_with("STYLE.md") && !is_chinese(&file) {
            texts.extend(prose(&file, english));
        }
    }
    for file in files("toml") {
        for (number, line) in read(&file).lines().enumerate() {
            if let Some((_, english)) = line.split_once("en = \"") {
                let english = english.split("zh = \"").next().unwrap_or_default();
                texts.push(Text { place: place(&file, number), words: without_code(english) });
            }
        }
    }
    texts
}

/// All Chinese that a person reads, without code.
fn chinese() -> Vec<Text> {
    let mut texts = Vec::new();
    for file in files("md") {
        let markdown = read(&file);
        match markdown.split_once("\n## 中文") {
            Some((before, chinese)) => {
                let first = before.lines().count();
                texts.extend(prose(&file, chinese).into_iter().map(|mut text| {
                    text.place = format!("{} (after line {first})", text.place);
                    text
                }));
            }
            None if is_chinese(&file) => texts.extend(prose(&file, &markdown)),
            None => {}
        }
    }
    for file in files("toml") {
        for (number, line) in read(&file).lines().enumerate() {
            if let Some((_, chinese)) = line.split_once("zh = \"") {
                texts.push(Text { place: place(&file, number), words: without_code(chinese) });
            }
        }
    }
    texts.extend(chinese_reports());
    let po = checkout::book().join("po/zh-CN.po");
    for (number, line) in read(&po).lines().enumerate() {
        if let Some(chinese) = line.strip_prefix("msgstr \"") {
            texts.push(Text { place: place(&po, number), words: without_code(chinese) });
        }
    }
    texts
}

/// The Chinese reports on all wrong answers, without what the answer printed, the mount
/// tables and what the kernel or Rust said.
fn chinese_reports() -> Vec<Text> {
    static OTHERS: LazyLock<Regex> = LazyLock::new(|| {
        let tables = r"\b(rw|ro)\b.*(shared|private|master|slave|-)";
        let said = r"panic|Err\(|error|UTF-8|out of bounds|out of range|quoted|No such file";
        let listed = r"\.words bin|failed to fill|etc/a\.\.b|archives must have";
        Regex::new(&format!("{tables}|{said}|{listed}")).expect("a regular expression")
    });
    let labs = checkout::labs().expect("the labs");
    let snapshots = recorded::all(&ROOT.join("labs/reference/tests/snapshots"));
    let mut texts = Vec::new();
    for (name, mut recorded) in snapshots.expect("the snapshots") {
        let number = recorded::lab_of(&name).expect("a mistake's snapshot");
        let lab = labs.iter().find(|lab| lab.number == number).expect("the lab");
        recorded.printed.clear();
        let report = recorded.report(lab, Language::Chinese);
        let lines = report.lines().enumerate().filter(|(_, line)| !OTHERS.is_match(line));
        texts.extend(lines.map(|(number, line)| Text {
            place: format!("{name}.snap, line {} of its report", number + 1),
            words: without_code(line),
        }));
    }
    texts
}

/// Whether a page is all Chinese: `README.zh.md`.
fn is_chinese(file: &Path) -> bool {
    file.to_string_lossy().ends_with(".zh.md")
}

/// The lines of a page that are not code.
fn prose(file: &Path, markdown: &str) -> Vec<Text> {
    let mut is_code = false;
    let mut texts = Vec::new();
    for (number, line) in markdown.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            is_code = !is_code;
        } else if !is_code && !line.starts_with("    ") {
            texts.push(Text { place: place(file, number), words: without_code(line) });
        }
    }
    texts
}

/// A line without code: what stands in backticks, in quotes, in the address of a
/// link or in braces, and what a hint has without backticks.
fn without_code(line: &str) -> String {
    static CODE: LazyLock<Regex> = LazyLock::new(|| {
        let marked = r#"`[^`]*`|\]\([^)]*\)|%?\{[^}]*\}|\\"[^"\\]*\\"|“[^”]*”|<[^>]*>"#;
        let plain = r"folders?\.\w+|\[folders\]|\(&?folder[,)]";
        Regex::new(&format!("{marked}|{plain}")).expect("a regular expression")
    });
    CODE.replace_all(line, "…").into_owned()
}

fn place(file: &Path, number: usize) -> String {
    format!("{}:{}", file.strip_prefix(&*ROOT).unwrap_or(file).display(), number + 1)
}

fn read(file: &Path) -> String {
    fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

/// The files of the checkout with this ending that have our own words in them.
fn files(ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut directories = vec![ROOT.clone()];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(&directory).expect("a directory").flatten() {
            let path = entry.path();
            let name = entry.file_name();
            let name = name.to_string_lossy();
            let is_ours =
                !name.starts_with('.') && !["target", "out", "node_modules"].contains(&&*name);
            if path.is_dir() && !path.is_symlink() && is_ours {
                directories.push(path);
            } else if path.extension().is_some_and(|it| it == ending) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}
