//! Nothing is missing that a student, a teacher or the graders need; each test
//! names what is.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use lab_reference::catalogue::Catalogue;
use lab_reference::lab_11;
use lab_reference::{
    lab_01, lab_02, lab_03, lab_04, lab_05, lab_06, lab_07, lab_08, lab_09, lab_10,
};
use labkit::contract::{self, Contract, FILE};
use labkit::graders;
use labkit::lab::{Diagnosis, Lab, kit_diagnoses};
use labkit::language::Words;
use labkit::recorded::NOT_OF_A_MISTAKE;

/// Rungs of a ladder of hints: concept, where to look, man page, nearly the code.
const RUNGS: usize = 4;

/// Mistakes of all labs together.
const MISTAKES: usize = 45;

/// A lab and what is known of its answers.
struct Facts {
    lab: Lab,
    folder: PathBuf,
    promises: Vec<&'static str>,
    /// Name and code.
    mistakes: Vec<(&'static str, &'static str)>,
}

fn facts<A>(catalogue: &'static Catalogue<A>) -> Facts {
    let lab = catalogue.lab();
    Facts {
        folder: labs().join(lab.folder()),
        promises: catalogue.promises().into_iter().map(|(name, _)| name).collect(),
        mistakes: catalogue.mistakes.iter().map(|mistake| (mistake.name, mistake.code)).collect(),
        lab,
    }
}

/// The answers to lab 09 are programs; so are those to the stages after it.
fn facts_of_programs() -> Facts {
    let exams = [&lab_09_grader::EXAM, &lab_09_grader::later::LATER];
    let promises = exams.iter().flat_map(|exam| exam.promises);
    let mistakes = lab_09::mistakes::MISTAKES.iter().chain(lab_09::later_mistakes::LATER_MISTAKES);
    let lab = exams[1].lab();
    Facts {
        folder: labs().join(lab.folder()),
        promises: promises.map(|promise| promise.name).collect(),
        mistakes: mistakes.map(|it| (it.name, it.code)).collect(),
        lab,
    }
}

fn all() -> Vec<Facts> {
    vec![
        facts(&lab_01::CATALOGUE),
        facts(&lab_02::CATALOGUE),
        facts(&lab_03::CATALOGUE),
        facts(&lab_04::CATALOGUE),
        facts(&lab_05::CATALOGUE),
        facts(&lab_06::CATALOGUE),
        facts(&lab_07::CATALOGUE),
        facts(&lab_08::CATALOGUE),
        facts_of_programs(),
        facts(&lab_10::CATALOGUE),
        facts(&lab_11::CATALOGUE),
    ]
}

fn labs() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the folder labs")
}

/// Fails with all complaints at once.
fn assert_none(complaints: Vec<String>) {
    assert!(complaints.is_empty(), "\n{}", complaints.join("\n"));
}

#[test]
fn every_lab_has_a_catalogue() {
    let folders = fs::read_dir(labs()).expect("the folder labs").flatten();
    let names = folders.filter_map(|folder| folder.file_name().into_string().ok());
    let there: BTreeSet<String> =
        names.filter(|name| name.starts_with(|it: char| it.is_ascii_digit())).collect();
    let known = all().iter().map(|facts| facts.lab.folder()).collect();
    assert_eq!(there, known);
}

#[test]
fn every_lab_has_its_files() {
    let mut missing = Vec::new();
    for facts in all() {
        let solution = format!("reference/src/lab_{}/solution.rs", facts.lab.number);
        let files = ["README.md", "src/lib.rs", "tests/grade.rs"].map(|it| facts.folder.join(it));
        missing.extend(files.into_iter().chain([labs().join(solution)]).filter(|it| !it.exists()));
        let readme = fs::read_to_string(facts.folder.join("README.md")).unwrap_or_default();
        if !readme.contains("\n## 中文\n") {
            missing.push(facts.folder.join("README.md, its part \"## 中文\""));
        }
    }
    assert_none(missing.iter().map(|path| format!("missing: {}", path.display())).collect());
}

#[test]
fn every_promise_has_its_text_and_every_text_its_promise() {
    for facts in all() {
        let texts: Vec<&str> = facts.lab.promises.iter().map(|text| text.name.as_str()).collect();
        assert_eq!(facts.promises, texts, "lab {}", facts.lab.number);
        for promise in &facts.lab.promises {
            let is_it = |function: &labkit::lab::Function| function.name == promise.function;
            assert!(facts.lab.functions.iter().any(is_it), "no function {:?}", promise.function);
        }
    }
}

#[test]
fn every_code_is_raised_by_a_mistake() {
    let mut complaints = Vec::new();
    for facts in all() {
        for diagnosis in &facts.lab.diagnoses {
            let code = &diagnosis.code;
            if !facts.mistakes.iter().any(|(_, raised)| raised == code) {
                complaints.push(format!("nobody raises {code}"));
            }
            if !code.starts_with(&format!("{}/", facts.lab.name)) {
                complaints.push(format!("{code} does not begin with the lab's name"));
            }
        }
    }
    let misbehaving = [include_str!("../../kit/tests/misbehaving.rs"), include_str!("programs.rs")];
    for diagnosis in kit_diagnoses() {
        let code = diagnosis.code;
        if code != "answer/unforeseen"
            && !misbehaving.iter().any(|it| it.contains(&format!("{code:?}")))
        {
            complaints.push(format!("nobody raises {code}"));
        }
    }
    assert_none(complaints);
}

#[test]
fn every_mistake_has_a_diagnosis() {
    let mut complaints = Vec::new();
    let mut count = 0;
    for facts in all() {
        let mut names = BTreeSet::new();
        for (name, code) in &facts.mistakes {
            count += 1;
            if facts.lab.diagnosis(code).is_none() {
                complaints.push(format!("lab {}, {name}: no {code}", facts.lab.number));
            }
            if !names.insert(name) {
                complaints.push(format!("lab {}: {name} twice", facts.lab.number));
            }
        }
    }
    assert_none(complaints);
    assert!(count >= MISTAKES, "only {count} mistakes");
}

/// A snapshot of a mistake or a code that is gone would still be read.
#[test]
fn every_snapshot_has_its_mistake_or_its_code() {
    let mut known = BTreeSet::from([NOT_OF_A_MISTAKE.to_owned()]);
    for facts in all() {
        let (number, texts) = (&facts.lab.number, facts.lab.diagnoses.iter());
        known.extend(texts.map(|text| format!("reports__{}", text.code.replace('/', "__"))));
        for (mistake, code) in &facts.mistakes {
            known.insert(match number.as_str() {
                "09" => format!("programs__{mistake}"),
                _ => format!("matrix__lab_{number}__{mistake}"),
            });
            // Some get a diagnosis of the kit's.
            known.insert(format!("reports__{}", code.replace('/', "__")));
        }
    }
    let snapshots = fs::read_dir(labs().join("reference/tests/snapshots")).expect("snapshots");
    let names = snapshots.flatten().map(|snapshot| snapshot.path());
    let names = names.filter_map(|path| Some(path.file_stem()?.to_string_lossy().into_owned()));
    let stale = names.filter(|name| !known.contains(name));
    assert_none(stale.map(|name| format!("of nothing: {name}.snap")).collect());
}

#[test]
fn every_text_is_there_in_both_languages() {
    let mut complaints = Vec::new();
    for facts in all() {
        let lab = &facts.lab;
        check(&lab.title, "title", &mut complaints);
        check(&lab.blog, "blog", &mut complaints);
        for function in &lab.functions {
            check_ladder(&function.hints, &function.name, &mut complaints);
        }
        for promise in &lab.promises {
            check(&promise.promised, &promise.name, &mut complaints);
        }
        lab.diagnoses.iter().for_each(|diagnosis| check_diagnosis(diagnosis, &mut complaints));
    }
    kit_diagnoses().iter().for_each(|diagnosis| check_diagnosis(diagnosis, &mut complaints));
    assert_none(complaints);
}

fn check_diagnosis(diagnosis: &Diagnosis, complaints: &mut Vec<String>) {
    check(&diagnosis.seen, &format!("{}, seen", diagnosis.code), complaints);
    check(&diagnosis.why, &format!("{}, why", diagnosis.code), complaints);
    check_ladder(&diagnosis.hints, &diagnosis.code, complaints);
}

fn check_ladder(hints: &[Words], what: &str, complaints: &mut Vec<String>) {
    if hints.len() < RUNGS {
        complaints.push(format!("{what}: {} hints, not {RUNGS}", hints.len()));
    }
    for (index, hint) in hints.iter().enumerate() {
        check(hint, &format!("{what}, hint {}", index + 1), complaints);
    }
}

/// Both texts say something, the Chinese one in Chinese unless it is only code,
/// and both speak of the same words of the finding.
fn check(words: &Words, what: &str, complaints: &mut Vec<String>) {
    if words.en.trim().is_empty() {
        complaints.push(format!("{what}: no English"));
    }
    let is_chinese = words.zh.chars().any(|c| ('\u{4e00}'..='\u{9fff}').contains(&c));
    let letters = |text: &str| text.replace(|c: char| !c.is_ascii_alphanumeric(), "");
    let is_code = !letters(&words.zh).is_empty() && letters(&words.zh) == letters(&words.en);
    if !is_chinese && !is_code {
        complaints.push(format!("{what}: no Chinese"));
    }
    if placeholders(&words.en) != placeholders(&words.zh) {
        complaints.push(format!("{what}: the languages differ in their %{{words}}"));
    }
}

fn placeholders(text: &str) -> BTreeSet<&str> {
    text.split("%{").skip(1).filter_map(|rest| Some(rest.split_once('}')?.0)).collect()
}

#[test]
fn a_solution_says_of_its_functions_what_the_starter_says() {
    for facts in all() {
        let read = |name: &str| {
            let path = labs().join(format!("reference/src/lab_{}/{name}.rs", facts.lab.number));
            let text = fs::read_to_string(&path).expect("a file of the reference");
            let is_public = |line: &&str| line.starts_with("///") || line.starts_with("pub fn");
            text.lines().filter(is_public).map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(read("starter"), read("solution"), "lab {}", facts.lab.number);
    }
}

/// The contracts in lab.toml say in Chinese what the comments in src/lib.rs say.
#[test]
fn every_contract_is_there_in_chinese() {
    let mut complaints = Vec::new();
    for facts in all() {
        let path = labs().join(format!("reference/src/lab_{}/starter.rs", facts.lab.number));
        let starter = fs::read_to_string(path).expect("a starter");
        let mut contracts = contract::parse(&starter);
        contracts.retain(|it| it.function != FILE && !it.english.is_empty());
        for Contract { function, english, .. } in &contracts {
            let complain = |what: &str| format!("lab {}: {function}: {what}", facts.lab.number);
            let Some(chinese) = facts.lab.contracts_zh.get(function) else {
                complaints.push(complain("no Chinese in [contracts_zh]"));
                continue;
            };
            if man_pages(english) != man_pages(chinese) {
                complaints.push(complain("the languages name different man pages"));
            }
            if english.contains("# Errors") != chinese.contains("# 错误") {
                complaints.push(complain("\"# Errors\" is \"# 错误\""));
            }
        }
        let is_known =
            |name: &&String| *name == FILE || contracts.iter().any(|it| it.function == **name);
        let unknown = facts.lab.contracts_zh.keys().filter(|name| !is_known(name));
        complaints.extend(unknown.map(|name| format!("lab {}: no {name}", facts.lab.number)));
    }
    assert_none(complaints);
}

/// What looks like `mount(2)`.
fn man_pages(text: &str) -> BTreeSet<&str> {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let page = |(at, _): (usize, &str)| {
        let before = &text[..at];
        let start = before.trim_end_matches(is_word).len();
        let section = text[at + 1..].chars().next()?;
        let closes = text[at + 2..].starts_with(')');
        (start < at && section.is_ascii_digit() && closes).then(|| &text[start..at + 3])
    };
    text.match_indices('(').filter_map(page).collect()
}

/// With UPDATE_GRADERS=1 in the environment the list is written.
#[test]
fn the_list_of_the_graders_files_is_up_to_date() {
    let list = graders::sums(labs()).expect("the labs").join("\n") + "\n";
    let path = labs().join(graders::LIST);
    if std::env::var_os("UPDATE_GRADERS").is_some() {
        fs::write(&path, &list).expect("the list");
    }
    let released = fs::read_to_string(&path).unwrap_or_default();
    let hint = "do: UPDATE_GRADERS=1 cargo test -p lab-reference --test completeness";
    assert!(list == released, "labs/{} is not up to date\n  {hint}", graders::LIST);
}
