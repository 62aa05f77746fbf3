//! Lab 09: the starter, the solution, the right program in sh and every wrong one,
//! on every promise.

use std::fs;
use std::path::Path;
use std::process::{Command, ExitCode};

use lab_09_grader::adapter::{Adapter, Folders};
use lab_09_grader::later;
use lab_09_grader::program::Program;
use lab_09_grader::{EXAM, request};
use lab_reference::lab_09::later_mistakes::LATER_MISTAKES;
use lab_reference::lab_09::mistakes::{AUFS_MISSING, ELSEWHERE, MISTAKES};
use lab_reference::lab_09::{BOXES, CRATE, LATER, Mistake, PROGRAM, with_adapter};
use labkit::language::Language;
use labkit::places::LAB;
use labkit::recorded::Recorded;
use labkit::report;
use labkit::verdict::{Evidence, Finding, NOT_WRITTEN, Verdict};
use labkit::{exam, machine};
use libtest_mimic::{Arguments, Completion, Failed, Trial};

/// Programs that do what no mydocker should, with the verdict on the first promise.
const MISBEHAVING: [(&str, &str, &str); 6] = [
    ("does_nothing", "exit 0", "mydocker/did-not-run"),
    ("only_prints", "echo exam:pid=1; echo exam:changed=yes", "mydocker/did-not-run"),
    ("hangs", "sleep 100", "answer/hung"),
    ("starts_processes_without_end", "while :; do sleep 9 & done", "answer/too-many-processes"),
    ("kills_everybody", "kill -9 -1", "answer/parent-killed"),
    ("deletes_what_it_finds", "rm -rf /root/* /tmp/*/home", "harm/files-changed"),
];

/// The program of the stages that come after the lab.
const IN_THE_BACKGROUND: &str = "later";

/// Two mistakes in one program.
const TWO: [[&str; 2]; 9] = [
    ["exit_code_lost", "dev_left_empty"],
    ["no_pid_namespace", "descriptors_inherited"],
    ["proc_not_mounted", "environment_empty"],
    ["chroot_only", "low_descriptors_closed"],
    ["write_layer_kept", "arguments_dropped"],
    ["no_clean_up", "modes_lost"],
    ["volume_ignored", "hidden_files_forgotten"],
    ["the_root_stays", "descriptors_inherited"],
    ["image_written", "signal_lost"],
];

fn main() -> ExitCode {
    // A process of this program that a trial has started, to grade one promise.
    if let Some(asked) = exam::graded_here() {
        let (program, promise) = asked.split_once('/').expect("PROGRAM/PROMISE");
        return exam::tell(request::examine(&called(program), promise));
    }

    machine::stand_apart().expect("root may have a mount namespace");
    let mut trials = vec![
        Trial::ignorable_test("solution", || keeps_all("solution")),
        Trial::ignorable_test("starter", starter),
        Trial::ignorable_test("right::on_a_terminal", || keeps_all("right")),
        Trial::ignorable_test("right::with_pipes", || keeps_all("right_with_pipes")),
        Trial::ignorable_test("right::with_proc_after_the_pivot", || keeps_all("proc_later")),
        Trial::ignorable_test("right::with_the_adapter_of_the_page", || keeps_all("crate")),
        Trial::ignorable_test("right::in_python_with_names_of_its_own", in_python),
        Trial::ignorable_test("later::right::in_sh", || keeps_all(IN_THE_BACKGROUND)),
        Trial::ignorable_test("later::right::in_other_ways", || keeps_all("otherwise")),
        Trial::test("what_the_adapter_does_not_tell_is_not_gradable", not_told),
    ];
    for (mistakes, of) in [(MISTAKES, "mistake"), (LATER_MISTAKES, "later::mistake")] {
        for mistake in mistakes {
            let name = format!("{of}::{}", mistake.name);
            trials.push(Trial::ignorable_test(name, || try_mistake(mistake.name, mistake.code)));
        }
    }
    for names in TWO {
        let name = format!("two::{}_and_{}", names[0], names[1]);
        trials.push(Trial::ignorable_test(name, move || try_two(names)));
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
        "boxes" => Program {
            content: BOXES[0].into(),
            adapter: Adapter::parse(BOXES[1]).expect("an adapter"),
        },
        "right_with_pipes" => {
            Program { adapter: Adapter { terminal: false, ..right.adapter }, ..right }
        }
        IN_THE_BACKGROUND => in_the_background(LATER[0]),
        "otherwise" => in_the_background(&otherwise()),
        "right_without_folders" => {
            let mut adapter = Adapter { folders: Folders::default(), ..right.adapter };
            adapter.volume = None;
            adapter.run.retain(|word| word != "{volume}");
            Program { adapter, ..right }
        }
        name if LATER_MISTAKES.iter().any(|it| it.name == name) => {
            in_the_background(&mistake_called(name).made_in(LATER[0]))
        }
        // One mistake, or several with a comma between them.
        names => {
            let made = |program: String, name| mistake_called(name).made_in(&program);
            in_sh(&names.split(',').fold(PROGRAM.to_owned(), made))
        }
    }
}

/// A program like that of the stages that come after the lab.
fn in_the_background(text: &str) -> Program {
    let adapter = Adapter::parse(LATER[1]).expect("an adapter");
    Program { content: text.into(), adapter }
}

/// The same with the image packed out of the container's own root, and entered by the
/// nsenter of util-linux, which dies of the signal that its command died of.
fn otherwise() -> String {
    let pack = "    tar -cf \"$2.tar\" -C \"$2.view\" .\n";
    let through_proc = "    read -r pid <\"${1%/mnt}/pid\"\n    \
        cd \"/proc/$pid/root\"\n    set -- \"$1\" \"$2\" *\n    image=$2\n    shift 2\n    \
        for name; do\n        case $name in\n            dev|proc|sys|volume) \
        mkdir \"$image.part/$name\" ;;\n            *) set -- \"$@\" \"$name\" ;;\n        \
        esac\n        shift\n    done\n    tar -cf \"$image.tar\" \"$@\"\n    set -- - \"$image\"\n";
    [(pack, through_proc), ("exec nsenter", "exec /usr/bin/nsenter")].iter().fold(
        LATER[0].to_owned(),
        |program, (one, other)| {
            assert_eq!(program.matches(one).count(), 1, "{one}: the program has changed");
            program.replace(one, other)
        },
    )
}

/// The promises that a program is made for.
fn promises(program: &str) -> Vec<&'static str> {
    let is_later = LATER_MISTAKES.iter().any(|it| it.name == program)
        || [IN_THE_BACKGROUND, "otherwise"].contains(&program);
    let exam = if is_later { &later::LATER } else { &EXAM };
    exam.promises.iter().map(|promise| promise.name).collect()
}

/// The mistake of this name.
fn mistake_called(name: &str) -> &'static Mistake {
    let mistake = MISTAKES.iter().chain(LATER_MISTAKES).find(|mistake| mistake.name == name);
    mistake.unwrap_or_else(|| panic!("no program {name:?}"))
}

/// The diagnosis of a mistake on a promise, if it breaks that alone, as its snapshot
/// says.
fn diagnosis_on(mistake: &Mistake, promise: &str) -> Option<&'static str> {
    let file = format!("tests/snapshots/programs__{}.snap", mistake.name);
    let recorded = Recorded::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join(file));
    let broken = recorded.expect("the mistake has a snapshot").breaks;
    broken.iter().any(|it| it == promise).then(|| expected(mistake, promise))
}

/// The diagnosis that a promise must hear of a mistake.
fn expected(mistake: &Mistake, promise: &str) -> &'static str {
    let mut others = ELSEWHERE.iter();
    let other = others.find(|other| (other.0, other.1) == (mistake.name, promise));
    other.map_or(mistake.code, |other| other.2)
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
    let mut outcome = Outcome { kept: Vec::new(), broken: Vec::new(), not_gradable: Vec::new() };
    for promise in promises(program) {
        match exam::ask(&format!("{program}/{promise}"))? {
            Verdict::Kept => outcome.kept.push(promise),
            Verdict::Broken(finding) => outcome.broken.push((promise, finding)),
            Verdict::NotGradable(lacking) => outcome
                .not_gradable
                .push((promise, report::not_gradable(lacking, Language::English))),
        }
    }
    let changes = machine::changes()?;
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

/// The starter keeps nothing, because nothing is written yet: `run` is the first.
fn starter() -> Result<Completion, Failed> {
    let outcome = grade("starter")?;
    let is_of_run = |it: &Finding| it.words.get("function").is_some_and(|name| name == "run");
    let is_other =
        |(_, finding): &&(_, Finding)| finding.code != NOT_WRITTEN || !is_of_run(finding);
    let others: Vec<_> = outcome.broken.iter().filter(is_other).collect();
    if !outcome.kept.is_empty() || !others.is_empty() {
        return Err(format!("kept: {:?}; {others:#?}", outcome.kept).into());
    }
    Ok(Completion::Completed)
}

/// Of what an adapter does not tell nothing is said, and the rest is graded.
fn not_told() -> Result<(), Failed> {
    let mut outcome = grade("right_without_folders")?;
    if !outcome.broken.is_empty() {
        return Err(format!("{:#?}", outcome.broken).into());
    }
    for promise in promises(IN_THE_BACKGROUND) {
        let Verdict::NotGradable(lacking) = exam::ask(&format!("right/{promise}"))? else {
            return Err(format!("{promise} was graded").into());
        };
        let why = report::not_gradable(lacking, Language::English);
        outcome.not_gradable.push((promise, why));
    }
    let mut lines = String::new();
    for (promise, why) in outcome.not_gradable {
        lines += &format!("{promise}\n    {why}\n");
    }
    insta::assert_snapshot!("what_the_adapter_does_not_tell", lines);
    Ok(())
}

/// A mistake must break a promise, and get its own code on each that it breaks; what was
/// found on the first is a snapshot. How it reads: the test `reports`.
fn try_mistake(name: &'static str, code: &str) -> Result<Completion, Failed> {
    let outcome = grade(name)?;
    let Some((_, finding)) = outcome.broken.first() else {
        if code == AUFS_MISSING {
            return Ok(Completion::ignored_with("this kernel has AUFS"));
        }
        return match outcome.not_gradable.into_iter().next() {
            Some((_, why)) => Ok(Completion::ignored_with(why)),
            None => Err("it breaks no promise".into()),
        };
    };
    let mistake = mistake_called(name);
    let is_wrong = |(promise, it): &&(&str, Finding)| it.code != expected(mistake, promise);
    let wrong: Vec<_> = outcome.broken.iter().filter(is_wrong).collect();
    if !wrong.is_empty() {
        return Err(format!("not {code:?}: {wrong:#?}").into());
    }
    let finding = of_the_lab(&without_words(finding));
    let breaks = outcome.broken.iter().map(|(promise, _)| *promise);
    let snapshot = toml::to_string_pretty(&Recorded::new(&later::LATER.lab(), breaks, &finding))?;
    insta::assert_snapshot!(name, snapshot);
    Ok(Completion::Completed)
}

/// Each promise that two mistakes break hears of one that breaks it alone.
fn try_two(names: [&'static str; 2]) -> Result<Completion, Failed> {
    let outcome = grade(&names.join(","))?;
    if let Some((_, why)) = outcome.not_gradable.into_iter().next() {
        return Ok(Completion::ignored_with(why));
    }
    let mistakes = names.map(mistake_called);
    let mut wrong = String::new();
    for promise in EXAM.promises.iter().map(|promise| promise.name) {
        let alone: Vec<_> = mistakes.iter().filter_map(|it| diagnosis_on(it, promise)).collect();
        let broken = outcome.broken.iter().find(|(name, _)| *name == promise);
        let code = broken.map_or("kept", |(_, finding)| finding.code.as_str());
        let is_right = if alone.is_empty() { code == "kept" } else { alone.contains(&code) };
        if !is_right {
            wrong += &format!("{promise}: {code}, not {alone:?}\n");
        }
    }
    if wrong.is_empty() { Ok(Completion::Completed) } else { Err(wrong.into()) }
}

/// A program in Python, if that is here.
fn in_python() -> Result<Completion, Failed> {
    let has_calls = Command::new("python3").args(["-c", "import ctypes"]).output();
    match has_calls.is_ok_and(|output| output.status.success()) {
        true => keeps_all("boxes"),
        false => Ok(Completion::ignored_with("there is no python3 with ctypes here")),
    }
}

/// That a program has printed something is a fact; what its busybox said is in other
/// words in each version.
fn without_words(finding: &Finding) -> Finding {
    let mut finding = finding.clone();
    if !finding.printed.trim().is_empty() {
        finding.printed = "(the words of its busybox)".into();
    }
    finding
}

/// Which of the machine's mounts the host has, and can lose, differs from machine to
/// machine: of those that were unmounted there stays /proc, and what is the lab's own.
fn of_the_lab(finding: &Finding) -> Finding {
    let mut finding = finding.clone();
    for evidence in &mut finding.evidence {
        let Evidence::MountTable { changes, .. } = evidence else { continue };
        changes.retain(|change| {
            let place = change.strip_prefix("UMOUNTED ").and_then(|it| it.split(' ').next());
            place.is_none_or(|place| place == "/proc" || Path::new(place).starts_with(LAB))
        });
    }
    finding
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
