//! Every starter, solution and mistake of every lab, on every promise.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::{Arc, OnceLock};

use lab_reference::catalogue::{Catalogue, HARMFUL, Mistake, Pair, Variant};
use lab_reference::lab_11;
use lab_reference::{lab_01, lab_02, lab_03, lab_04, lab_05, lab_06, lab_07, lab_08, lab_10};
use labkit::language::Language;
use labkit::need::Need;
use labkit::recorded::Recorded;
use labkit::report;
use labkit::verdict::Verdict;
use labkit::{act, exam, machine};
use libtest_mimic::{Arguments, Completion, Failed, Trial};

fn main() -> ExitCode {
    // A process in a sandbox that is to answer.
    if let Some(which) = act::asked() {
        match which.split_once('/').expect("LAB/ANSWER") {
            ("01", answer) => lab_01::CATALOGUE.answer(answer),
            ("02", answer) => lab_02::CATALOGUE.answer(answer),
            ("03", answer) => lab_03::CATALOGUE.answer(answer),
            ("04", answer) => lab_04::CATALOGUE.answer(answer),
            ("05", answer) => lab_05::CATALOGUE.answer(answer),
            ("06", answer) => lab_06::CATALOGUE.answer(answer),
            ("07", answer) => lab_07::CATALOGUE.answer(answer),
            ("08", answer) => lab_08::CATALOGUE.answer(answer),
            ("10", answer) => lab_10::CATALOGUE.answer(answer),
            ("11", answer) => lab_11::CATALOGUE.answer(answer),
            (lab, _) => panic!("no lab {lab:?}"),
        }
    }
    // A process of this program that a trial has started, to grade one promise.
    if let Some(what) = exam::graded_here() {
        let parts: Vec<&str> = what.split('/').collect();
        let [lab, answer, promise] = parts[..] else { panic!("not LAB/ANSWER/PROMISE: {what}") };
        return exam::tell(match lab {
            "lab_01" => lab_01::CATALOGUE.examine("01", answer, promise),
            "lab_02" => lab_02::CATALOGUE.examine("02", answer, promise),
            "lab_03" => lab_03::CATALOGUE.examine("03", answer, promise),
            "lab_04" => lab_04::CATALOGUE.examine("04", answer, promise),
            "lab_05" => lab_05::CATALOGUE.examine("05", answer, promise),
            "lab_06" => lab_06::CATALOGUE.examine("06", answer, promise),
            "lab_07" => lab_07::CATALOGUE.examine("07", answer, promise),
            "lab_08" => lab_08::CATALOGUE.examine("08", answer, promise),
            "lab_10" => lab_10::CATALOGUE.examine("10", answer, promise),
            "lab_11" => lab_11::CATALOGUE.examine("11", answer, promise),
            _ => panic!("no lab {lab:?}"),
        });
    }

    machine::stand_apart().expect("root may have a mount namespace");
    let mut trials = Vec::new();
    trials.extend(trials_of("lab_01", &lab_01::CATALOGUE));
    trials.extend(trials_of("lab_02", &lab_02::CATALOGUE));
    trials.extend(trials_of("lab_03", &lab_03::CATALOGUE));
    trials.extend(trials_of("lab_04", &lab_04::CATALOGUE));
    trials.extend(trials_of("lab_05", &lab_05::CATALOGUE));
    trials.extend(trials_of("lab_06", &lab_06::CATALOGUE));
    trials.extend(trials_of("lab_07", &lab_07::CATALOGUE));
    trials.extend(trials_of("lab_08", &lab_08::CATALOGUE));
    trials.extend(trials_of("lab_10", &lab_10::CATALOGUE));
    trials.extend(trials_of("lab_11", &lab_11::CATALOGUE));
    let mut arguments = Arguments::from_args();
    arguments.test_threads.get_or_insert_with(exam::at_once);
    libtest_mimic::run(&arguments, trials).exit_code()
}

/// A trial for the starter and the solution on each promise, and for each mistake.
fn trials_of<A: Sync>(lab: &'static str, catalogue: &'static Catalogue<A>) -> Vec<Trial> {
    let mut trials = Vec::new();
    for (promise, _) in catalogue.promises() {
        for answer in ["starter", "solution"] {
            let what = format!("{lab}/{answer}/{promise}");
            trials.push(Trial::ignorable_test(what.replace('/', "::"), move || {
                match (answer, ask(&what)?) {
                    (_, Verdict::NotGradable(lacking)) => {
                        let why = report::not_gradable(lacking, Language::English);
                        Ok(Completion::ignored_with(why))
                    }
                    ("starter", verdict) if verdict.is_not_written() => Ok(Completion::Completed),
                    ("solution", Verdict::Kept) => Ok(Completion::Completed),
                    (_, verdict) => Err(format!("{verdict:#?}").into()),
                }
            }));
        }
    }
    let examiner = Arc::new(Examiner::new(lab, catalogue));
    for variant in catalogue.also_right {
        let name = format!("{lab}::also_right::{}", variant.name);
        let (examiner, expected) = (examiner.clone(), None);
        trials.push(Trial::test(name, move || try_variant(&examiner, variant, expected)));
    }
    for variant in catalogue.unforeseen {
        let name = format!("{lab}::unforeseen::{}", variant.name);
        let (examiner, expected) = (examiner.clone(), Some(catalogue.lab().unforeseen()));
        trials.push(Trial::test(name, move || try_variant(&examiner, variant, expected)));
    }
    for pair in catalogue.pairs {
        let name = format!("{lab}::pair::{}", pair.name);
        let examiner = examiner.clone();
        trials.push(Trial::test(name, move || try_pair(&examiner, pair)));
    }
    for mistake in catalogue.mistakes {
        let name = format!("{lab}::mistake::{}", mistake.name);
        let examiner = examiner.clone();
        trials.push(Trial::ignorable_test(name, move || try_mistake(&examiner, mistake)));
    }
    trials
}

/// Grades the answers to one lab.
struct Examiner<A: 'static> {
    lab: &'static str,
    catalogue: &'static Catalogue<A>,
    /// What becomes of a promise if a call of a function breaks it: function, promise.
    where_it_harms: BTreeMap<(&'static str, &'static str), OnceLock<Result<Verdict, Failed>>>,
}

impl<A> Examiner<A> {
    fn new(lab: &'static str, catalogue: &'static Catalogue<A>) -> Examiner<A> {
        let promises = catalogue.promises();
        let functions = catalogue.functions.iter().map(|function| function.name);
        let pairs = functions.flat_map(|function| {
            promises.iter().map(move |(promise, _)| ((function, *promise), OnceLock::new()))
        });
        let where_it_harms = pairs.collect();
        Examiner { lab, catalogue, where_it_harms }
    }

    /// The verdict on an answer. A promise that no call of a function breaks does not call
    /// it, and so cannot tell another one from the solution's.
    fn grade(&self, name: &str, answers: &A, promise: &'static str) -> Result<Verdict, Failed> {
        let replaced = self.catalogue.replaced(answers).into_iter();
        let verdicts = replaced.map(|function| self.where_it_harms(function, promise));
        let verdicts = verdicts.collect::<Result<Vec<_>, _>>()?;
        let is_called = verdicts.iter().any(|it| matches!(it, Verdict::Broken(_)));
        match verdicts.into_iter().next() {
            Some(verdict) if !is_called => Ok(verdict),
            // Where no function is another one, something else is.
            _ => ask(&format!("{}/{name}/{promise}", self.lab)),
        }
    }

    fn where_it_harms(
        &self,
        function: &'static str,
        promise: &'static str,
    ) -> Result<Verdict, Failed> {
        let what = format!("{}/{HARMFUL}{function}/{promise}", self.lab);
        self.where_it_harms[&(function, promise)].get_or_init(|| ask(&what)).clone()
    }
}

/// A variant must keep every promise that can be graded here; or else, where a
/// code is expected, break some, and get that code on each.
fn try_variant<A>(
    examiner: &Examiner<A>,
    variant: &Variant<A>,
    expected: Option<String>,
) -> Result<(), Failed> {
    let mut broken = Vec::new();
    for (promise, _) in examiner.catalogue.promises() {
        let verdict = examiner.grade(variant.name, &variant.answers, promise)?;
        if let Verdict::Broken(finding) = verdict {
            broken.push(finding);
        }
    }
    let is_as_expected = broken.iter().all(|finding| Some(&finding.code) == expected.as_ref());
    if is_as_expected && broken.is_empty() == expected.is_none() {
        return Ok(());
    }
    Err(format!("not {expected:?}: {broken:#?}").into())
}

/// Each promise that a pair breaks gets the code of the fault that breaks it.
fn try_pair<A>(examiner: &Examiner<A>, pair: &Pair<A>) -> Result<(), Failed> {
    let mut broken = Vec::new();
    let mut not_gradable = Vec::new();
    for (promise, _) in examiner.catalogue.promises() {
        match examiner.grade(pair.name, &pair.answers, promise)? {
            Verdict::Kept => {}
            Verdict::Broken(finding) => broken.push((promise, finding.code)),
            Verdict::NotGradable(_) => not_gradable.push(promise),
        }
    }
    let gradable = pair.broken.iter().filter(|(promise, _)| !not_gradable.contains(promise));
    let expected: Vec<_> = gradable.map(|(promise, code)| (*promise, (*code).to_owned())).collect();
    if broken == expected {
        return Ok(());
    }
    Err(format!("not {expected:#?}\nbut {broken:#?}").into())
}

/// A mistake must break a promise, and get its own code on each that it breaks; what was
/// found on the first is a snapshot. How it reads: the test `reports`.
fn try_mistake<A>(examiner: &Examiner<A>, mistake: &Mistake<A>) -> Result<Completion, Failed> {
    let catalogue = examiner.catalogue;
    let mut broken = Vec::new();
    let mut reason = None;
    for (promise, _) in catalogue.promises() {
        match examiner.grade(mistake.name, &mistake.answers, promise)? {
            Verdict::Kept => {}
            Verdict::Broken(finding) => broken.push((promise, finding)),
            Verdict::NotGradable(lacking) => reason = Some(lacking),
        }
    }
    if broken.is_empty() {
        return match reason {
            Some(lacking) => {
                Ok(Completion::ignored_with(report::not_gradable(lacking, Language::English)))
            }
            None => Err("it breaks no promise".into()),
        };
    }
    let wrong: Vec<_> = broken.iter().filter(|(_, it)| it.code != mistake.code).collect();
    if !wrong.is_empty() {
        return Err(format!("not {:?}: {wrong:#?}", mistake.code).into());
    }

    // The snapshot is the same whoever grades: what only root can find out is
    // left out of it, unless there is nothing else.
    const USUAL: [Need; 2] = [Need::Overlay, Need::Deciding];
    let is_for_all = |name: &str| {
        let promises = catalogue.promises();
        let promise = promises.iter().find(|(promise, _)| *promise == name);
        promise.is_some_and(|(_, needs)| needs.iter().all(|need| USUAL.contains(need)))
    };
    let for_all: Vec<_> = broken.iter().filter(|(name, _)| is_for_all(name)).cloned().collect();
    let shown = if for_all.is_empty() { &broken } else { &for_all };

    let breaks = shown.iter().map(|(promise, _)| *promise);
    let snapshot = toml::to_string_pretty(&Recorded::new(&catalogue.lab(), breaks, &shown[0].1))?;
    insta::assert_snapshot!(format!("{}__{}", examiner.lab, mistake.name), snapshot);
    Ok(Completion::Completed)
}

/// Grades, and looks that the machine's mount table is as before.
fn ask(what: &str) -> Result<Verdict, Failed> {
    let verdict = exam::ask(what)?;
    let changes = machine::changes()?;
    if !changes.is_empty() {
        return Err(format!("the machine's mount table has changed: {changes:#?}").into());
    }
    Ok(verdict)
}
