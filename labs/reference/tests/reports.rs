//! How each diagnosis reads, in both languages: the report on the first mistake in the
//! snapshots of `matrix` and `programs` that gets it.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;

use lab_09_grader::later;
use lab_reference::lab_11;
use lab_reference::{lab_01, lab_02, lab_03, lab_04, lab_05, lab_06, lab_07, lab_08, lab_10};
use labkit::lab::Lab;
use labkit::language::Language;
use labkit::recorded::{self, Recorded};
use libtest_mimic::{Arguments, Failed, Trial};

fn main() -> ExitCode {
    let mut mistakes: BTreeMap<String, Vec<(String, Recorded)>> = BTreeMap::new();
    for (mistake, recorded) in snapshots() {
        mistakes.entry(recorded.code.clone()).or_default().push((mistake, recorded));
    }
    let trials = mistakes
        .into_iter()
        .map(|(code, mistakes)| Trial::test(code.clone(), move || reads(&code, &mistakes)));
    libtest_mimic::run(&Arguments::from_args(), trials.collect()).exit_code()
}

/// No report on one of these mistakes lacks a word, and the first is a snapshot.
fn reads(code: &str, mistakes: &[(String, Recorded)]) -> Result<(), Failed> {
    for (mistake, recorded) in mistakes {
        let report = report(mistake, recorded);
        if report.contains("%{") {
            return Err(format!("{mistake}: a word of its text is missing:\n{report}").into());
        }
    }
    let (mistake, recorded) = &mistakes[0];
    insta::assert_snapshot!(code.replace('/', "__"), report(mistake, recorded));
    Ok(())
}

fn report(mistake: &str, recorded: &Recorded) -> String {
    let lab = lab(mistake);
    Language::ALL.map(|language| recorded.report(&lab, language)).join("\n\n")
}

/// What each mistake gets, in the order of their names.
fn snapshots() -> BTreeMap<String, Recorded> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/snapshots");
    recorded::all(&directory).unwrap_or_else(|error| panic!("{error}"))
}

/// The lab that a mistake is one of, by the name of its snapshot.
fn lab(mistake: &str) -> Lab {
    match recorded::lab_of(mistake).expect("a mistake's snapshot") {
        "01" => lab_01::CATALOGUE.lab(),
        "02" => lab_02::CATALOGUE.lab(),
        "03" => lab_03::CATALOGUE.lab(),
        "04" => lab_04::CATALOGUE.lab(),
        "05" => lab_05::CATALOGUE.lab(),
        "06" => lab_06::CATALOGUE.lab(),
        "07" => lab_07::CATALOGUE.lab(),
        "08" => lab_08::CATALOGUE.lab(),
        "09" => later::LATER.lab(),
        "10" => lab_10::CATALOGUE.lab(),
        "11" => lab_11::CATALOGUE.lab(),
        number => panic!("no lab {number:?}"),
    }
}
