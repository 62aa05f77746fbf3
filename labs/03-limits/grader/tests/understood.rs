//! The models of lab 03 answer as kernels do.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use lab_03_grader::kernel::{make_group, version};
use lab_03_grader::model::Version;
use lab_03_grader::understood::understood;
use lab_03_grader::values::Kind;
use labkit::exam;
use labkit::language::Language;
use labkit::need::Need;
use labkit::programs::{Exam, Promise};
use labkit::report;
use labkit::verdict::{Evidence, Finding, Verdict, require};
use libtest_mimic::{Arguments, Completion, Failed, Trial};
use nix::errno::Errno;

/// A line of the recording.
#[derive(Debug)]
struct Said {
    version: Version,
    file: &'static str,
    text: String,
    /// The name of an error, or what the file contains afterwards.
    answer: &'static str,
}

fn all_said() -> impl Iterator<Item = Said> {
    let lines = include_str!("said-by-kernels.txt").lines().filter(|line| !line.starts_with('#'));
    lines.map(|line| {
        let (before, rest) = line.split_once('"').expect("a text");
        let (text, answer) = rest.rsplit_once("\" ").expect("an answer");
        let (number, file) = before.trim().split_once(' ').expect("a version and a file");
        let version = if number == "1" { Version::One } else { Version::Two };
        Said { version, file, text: text.replace(r"\n", "\n"), answer }
    })
}

fn main() -> ExitCode {
    if let Some(promise) = exam::graded_here() {
        return exam::tell(EXAM.examine(&(), &promise, None));
    }
    let trials = vec![
        Trial::test("a_text_is_understood_as_by_kernels", as_by_kernels),
        Trial::ignorable_test("the_kernel_says_what_was_recorded", by_the_kernel),
    ];
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

fn as_by_kernels() -> Result<(), Failed> {
    for said in all_said() {
        let kind = match said.file {
            "memory.limit_in_bytes" | "memory.max" => Kind::Memory,
            "memory.memsw.limit_in_bytes" | "memory.swap.max" => Kind::Swap,
            "pids.max" => Kind::Pids,
            _ => continue,
        };
        let read = match understood(said.version, kind, &said.text) {
            Ok(None) => kind.no_limit(said.version).to_owned(),
            Ok(Some(number)) => number.to_string(),
            Err(errno) => format!("{errno:?}"),
        };
        // Version 1 also compares its two limits with each other.
        let is_order = said.version == Version::One && said.answer == "EINVAL" && read != "EINVAL";
        if read != said.answer && !(is_order && said.text.parse::<u64>().is_ok()) {
            return Err(format!("{said:?}, understood as {read}").into());
        }
    }
    Ok(())
}

/// The kernel is asked in a sandbox, which has its own control groups.
const EXAM: Exam<()> = Exam {
    lab_toml: "",
    promises: &[Promise { name: "said", needs: &[Need::ControlGroups], check: |(), _| said() }],
};

fn by_the_kernel() -> Result<Completion, Failed> {
    match exam::ask("said")? {
        Verdict::Kept => Ok(Completion::Completed),
        Verdict::NotGradable(lacking) => {
            Ok(Completion::ignored_with(report::not_gradable(lacking, Language::English)))
        }
        Verdict::Broken(finding) => Err(format!("{finding:#?}").into()),
    }
}

fn said() -> Result<(), Finding> {
    let group = make_group("said");
    let mut differing = Vec::new();
    for said in all_said().filter(|said| said.version == version()) {
        let folder = if said.file == "pids.max" { &group.pids } else { &group.memory };
        let file = folder.join(said.file);
        // Not every kernel counts swap.
        if !file.exists() {
            continue;
        }
        let seen = write(&file, &said.text);
        let is_none = |text: &str| text == "-1" || text.parse().is_ok_and(|it: u64| it > 1 << 62);
        if seen != said.answer && !(is_none(&seen) && is_none(said.answer)) {
            let what = format!("write {} {:?}", said.file, said.text);
            differing.push(Evidence::differs(what, said.answer, seen));
        }
    }
    require(differing.is_empty(), || differing, || None, "kit/unforeseen")
}

/// The name of the error of one write(2), or what the file contains after it.
fn write(file: &Path, text: &str) -> String {
    let written =
        OpenOptions::new().write(true).open(file).and_then(|mut it| it.write_all(text.as_bytes()));
    match written {
        Ok(()) => fs::read_to_string(file).unwrap_or_default().trim().to_owned(),
        Err(error) => {
            format!("{:?}", Errno::from_raw(error.raw_os_error().unwrap_or_default()))
        }
    }
}
