//! Lab 09: the starter, the solution, the right program in sh and every wrong one,
//! on every promise.

use std::fs;
use std::process::ExitCode;

use lab_09_grader::adapter::{Adapter, Folders};
use lab_09_grader::program::Program;
use lab_09_grader::{EXAM, request};
use lab_reference::lab_09::mistakes::MISTAKES;
use lab_reference::lab_09::{CRATE, PROGRAM, with_adapter};
use labkit::exam;
use labkit::language::Language;
use labkit::look::Look;
use labkit::report;
use labkit::verdict::{Finding, NOT_WRITTEN, Verdict};
use libtest_mimic::{Arguments, Completion, Failed, Trial};
use mydocker::mountinfo::{MountTable, difference};

/// Programs that do what no mydocker should, with the verdict on the first promise.
const MISBEHAVING: [(&str, &str, &str); 5] = [
    ("does_nothing", "exit 0", "mydocker/did-not-run"),
    ("only_prints", "echo exam:pid=1; echo exam:changed=yes", "mydocker/did-not-run"),
    ("hangs", "sleep 100", "answer/hung"),
    ("starts_processes_without_end", "while :; do sleep 9 & done", "answer/too-many-processes"),
    ("deletes_what_it_finds", "rm -rf /root/* /tmp/*/home", "harm/files-changed"),
];

fn main() -> ExitCode {
    // A process of this program that a trial has started, to grade one promise.
    if let Some(asked) = exam::graded_here() {
        let (program, promise) = asked.split_once('/').expect("PROGRAM/PROMISE");
        return exam::tell(request::examine(&called(program), promise));
    }

    let mut trials = vec![
        Trial::ignorable_test("solution", || keeps_all("solution")),
        Trial::ignorable_test("starter", starter),
        Trial::ignorable_test("right::on_a_terminal", || keeps_all("right")),
        Trial::ignorable_test("right::with_pipes", || keeps_all("right_with_pipes")),
        Trial::ignorable_test("right::with_proc_after_the_pivot", || keeps_all("proc_later")),
        Trial::ignorable_test("right::with_the_adapter_of_the_page", || keeps_all("crate")),
        Trial::test("what_the_adapter_does_not_tell_is_not_gradable", not_told),
    ];
    for mistake in MISTAKES {
        let name = format!("mistake::{}", mistake.name);
        trials.push(Trial::ignorable_test(name, || try_mistake(mistake.name, mistake.code)));
    }
    for (name, _, code) in MISBEHAVING {
        let what = format!("misbehaving::{name}");
        trials.push(Trial::ignorable_test(what, move || misbehave(name, code)));
    }
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

/// The program of this name.
fn called(name: &str) -> Program {
    let in_rust = |path| with_adapter(fs::read(path).expect("cargo has built it"), "lab-09");
    let in_sh = |text: &str| with_adapter(text.as_bytes().to_owned(), "blog");
    let right = in_sh(PROGRAM);
    let misbehaving = MISBEHAVING.iter().find(|(known, ..)| *known == name);
    if let Some((_, command, _)) = misbehaving {
        return in_sh(&format!("#!/bin/busybox sh\n{command}\n"));
    }
    match name {
        "solution" => in_rust(env!("CARGO_BIN_EXE_lab-09-solution")),
        "starter" => in_rust(env!("CARGO_BIN_EXE_lab-09-starter")),
        "right" => right,
        "proc_later" => in_sh(&proc_later()),
        "crate" => Program { content: CRATE.into(), adapter: adapter_of_the_page() },
        "right_with_pipes" => {
            Program { adapter: Adapter { terminal: false, ..right.adapter }, ..right }
        }
        "right_without_folders" => {
            let mut adapter = Adapter { folders: Folders::default(), ..right.adapter };
            adapter.volume = None;
            adapter.run.retain(|word| word != "{volume}");
            Program { adapter, ..right }
        }
        name => {
            let mistake = MISTAKES.iter().find(|mistake| mistake.name == name);
            in_sh(&mistake.unwrap_or_else(|| panic!("no program {name:?}")).program())
        }
    }
}

/// The right program, that mounts /proc when the old root is gone, as the blog's.
fn proc_later() -> String {
    let (before, after) = ("    mount -t proc proc \"$mnt/proc\"\n", "    umount -l .\n    cd /\n");
    assert!(PROGRAM.contains(before) && PROGRAM.contains(after), "the program has changed");
    PROGRAM.replace(before, "").replace(after, &format!("{after}    mount -t proc proc /proc\n"))
}

/// The example of the page on adapters, as it stands there.
fn adapter_of_the_page() -> Adapter {
    let page = include_str!("../../09-mydocker/adapters/README.md");
    let block = page.rsplit("```toml\n").next().and_then(|rest| rest.split("```").next());
    Adapter::parse(block.expect("a block of TOML")).expect("an adapter")
}

/// All promises that are kept, and all that are broken, by one program.
struct Outcome {
    kept: Vec<&'static str>,
    broken: Vec<(&'static str, Finding)>,
    not_gradable: Vec<(&'static str, String)>,
}

/// Grades a program on every promise, and looks that the machine's mount table is
/// as before.
fn grade(program: &str) -> Result<Outcome, Failed> {
    let before = MountTable::read()?;
    let mut outcome = Outcome { kept: Vec::new(), broken: Vec::new(), not_gradable: Vec::new() };
    for promise in EXAM.promises {
        match exam::ask(&format!("{program}/{}", promise.name))? {
            Verdict::Kept => outcome.kept.push(promise.name),
            Verdict::Broken(finding) => outcome.broken.push((promise.name, finding)),
            Verdict::NotGradable(lacking) => outcome
                .not_gradable
                .push((promise.name, report::not_gradable(lacking, Language::English))),
        }
    }
    let changes = difference(&before, &MountTable::read()?);
    if !changes.is_empty() {
        return Err(format!("the machine's mount table has changed: {changes:#?}").into());
    }
    Ok(outcome)
}

/// Nothing is broken; what cannot be graded here is said.
fn keeps_all(program: &str) -> Result<Completion, Failed> {
    let outcome = grade(program)?;
    if !outcome.broken.is_empty() {
        return Err(format!("{:#?}", outcome.broken).into());
    }
    match outcome.not_gradable.into_iter().next() {
        Some((_, why)) => Ok(Completion::ignored_with(why)),
        None => Ok(Completion::Completed),
    }
}

/// The starter keeps nothing, because nothing is written yet.
fn starter() -> Result<Completion, Failed> {
    let outcome = grade("starter")?;
    let is_other = |(_, finding): &&(_, Finding)| finding.code != NOT_WRITTEN;
    let others: Vec<_> = outcome.broken.iter().filter(is_other).collect();
    if !outcome.kept.is_empty() || !others.is_empty() {
        return Err(format!("kept: {:?}; {others:#?}", outcome.kept).into());
    }
    Ok(Completion::Completed)
}

/// Of what an adapter does not tell nothing is said, and the rest is graded.
fn not_told() -> Result<(), Failed> {
    let outcome = grade("right_without_folders")?;
    if !outcome.broken.is_empty() {
        return Err(format!("{:#?}", outcome.broken).into());
    }
    let mut lines = String::new();
    for (promise, why) in outcome.not_gradable {
        lines += &format!("{promise}\n    {why}\n");
    }
    insta::assert_snapshot!("what_the_adapter_does_not_tell", lines);
    Ok(())
}

/// A mistake must break a promise, and get its own code on each that it breaks;
/// the report on the first is a snapshot, in both languages.
fn try_mistake(name: &'static str, code: &str) -> Result<Completion, Failed> {
    let outcome = grade(name)?;
    let Some((first, finding)) = outcome.broken.first() else {
        return match outcome.not_gradable.into_iter().next() {
            Some((_, why)) => Ok(Completion::ignored_with(why)),
            None => Err("it breaks no promise".into()),
        };
    };
    let wrong: Vec<_> = outcome.broken.iter().filter(|(_, it)| it.code != code).collect();
    if !wrong.is_empty() {
        return Err(format!("not {code:?}: {wrong:#?}").into());
    }
    let mut snapshot = String::from("breaks\n");
    for (promise, _) in &outcome.broken {
        snapshot += &format!("    {promise}\n");
    }
    for language in Language::ALL {
        let told = report::broken(&EXAM.lab(), first, finding, language, Look::PLAIN);
        snapshot += &format!("\n{told}\n");
    }
    insta::assert_snapshot!(name, snapshot);
    Ok(Completion::Completed)
}

/// What a program does to the machine or to the grader is told by name.
fn misbehave(program: &str, code: &str) -> Result<Completion, Failed> {
    let promise = EXAM.promises[0].name;
    match exam::ask(&format!("{program}/{promise}"))? {
        Verdict::Broken(finding) if finding.code == code => Ok(Completion::Completed),
        Verdict::NotGradable(lacking) => {
            Ok(Completion::ignored_with(report::not_gradable(lacking, Language::English)))
        }
        verdict => Err(format!("not {code:?}: {verdict:#?}").into()),
    }
}
