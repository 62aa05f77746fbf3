//! `lab grade`: grades labs and says what is kept and what is not.

use std::path::Path;
use std::process::ExitCode;

use clap::Args;
use labkit::lab::{Lab, PromiseText};
use labkit::record::{Report, now};
use labkit::report;
use labkit::verdict::Verdict;
use rust_i18n::t;
use textwrap::core::display_width;

use super::blame::to_mend;
use super::class;
use super::formats::Format;
use super::grading;
use super::hint::note_hints;
use super::programs;
use super::session::Session;
use super::standing::{Standing, State};
use super::trouble::Trouble;

/// Grade a lab, or all of them
///
/// Your code is compiled and called in a sealed sandbox, once for each promise;
/// what the kernel shows then decides. The first broken promise is explained in
/// full; `cargo lab show` explains the others, and lists what is kept too.
#[derive(Args)]
#[command(after_help = "\
Exit codes:
  0  every promise that can be graded here is kept
  1  a promise is broken or its function is not written yet
  2  it could not be graded: it does not compile, or the graders were changed

For teachers, a report on standard output and nothing else:
  cargo lab grade 06 --gradescope >/autograder/results/results.json
  cargo lab grade 06 --classroom | base64 -w0    the `result` of a GitHub
                                                 Classroom autograding step
  cargo lab grade --all handed-in --lab 06 --csv grades.csv

A submission is a folder with the answers: as in a checkout
(labs/06-pivot-root/src/lib.rs), or 06-pivot-root/lib.rs, or of the only lab
that is graded just lib.rs. What was graded is kept in handed-in/.lab and not
graded again, unless the answer is another one. See labs/teach/README.md.")]
pub struct Arguments {
    /// Which labs; all if none is named
    #[arg(id = "lab", value_name = "LAB")]
    labs: Vec<String>,
    /// Everything that is known, as JSON; with --all into FILE
    #[arg(long, group = "format", value_name = "FILE", num_args = 0..=1)]
    json: Option<Option<String>>,
    /// JUnit XML: a test suite a lab, a test case a promise
    #[arg(long, group = "format")]
    junit: bool,
    /// The results.json of Gradescope: a point a promise
    #[arg(long, group = "format")]
    gradescope: bool,
    /// The result of a GitHub Classroom autograding step, as JSON
    #[arg(long, group = "format")]
    classroom: bool,
    #[command(flatten)]
    class: class::ClassArguments,
}

/// What came out for one lab.
pub struct Grade<'a> {
    pub lab: &'a Lab,
    /// The report, or why there is none, in cargo's or the grader's words.
    pub outcome: Result<Report, String>,
}

impl<'a> Grade<'a> {
    /// Where the lab stands by this grade alone.
    pub fn standing(&self) -> Standing<'a> {
        match &self.outcome {
            Ok(report) => Standing::in_report(self.lab, report),
            Err(_) => Standing::in_report(self.lab, &Report::default()),
        }
    }

    /// Whether it counts: it was graded, by the graders as they were released.
    pub fn counts(&self) -> bool {
        self.outcome.as_ref().is_ok_and(|report| report.graders_changed.is_empty())
    }
}

pub fn execute(session: &Session, arguments: &Arguments) -> Result<ExitCode, Trouble> {
    // `--json 06`: without --all there is no file, so that it is a lab.
    let after_json = arguments.json.as_ref().and_then(Option::as_deref);
    if let Some(folder) = &arguments.class.all {
        return class::execute(session, folder, &arguments.class, after_json.map(Path::new));
    }
    let named = after_json.into_iter().chain(arguments.labs.iter().map(String::as_str));
    let named: Vec<&Lab> =
        named.map(|name| session.checkout.lab(name)).collect::<Result<_, _>>()?;
    let is_named = |lab: &&Lab| named.is_empty() || named.iter().any(|it| it.number == lab.number);
    let labs: Vec<&Lab> = session.checkout.labs.iter().filter(is_named).collect();
    let built = programs::build(session, &labs)?;
    eprint!("{}", built.said);
    let grades: Vec<Grade> = labs.iter().map(|lab| run(session, lab, &built)).collect();
    match arguments.format() {
        Some(format) => println!("{}", format.write(session, &grades)),
        None => grades.iter().for_each(|grade| tell(session, grade)),
    }
    Ok(exit_code(&grades))
}

impl Arguments {
    fn format(&self) -> Option<Format> {
        let formats = [
            (self.json.is_some(), Format::Json),
            (self.junit, Format::JUnit),
            (self.gradescope, Format::Gradescope),
            (self.classroom, Format::Classroom),
        ];
        formats.into_iter().find_map(|(is_wanted, format)| is_wanted.then_some(format))
    }
}

/// Grades one lab by the program that was built for it.
pub fn run<'a>(session: &Session, lab: &'a Lab, built: &programs::Built) -> Grade<'a> {
    let Some(program) = built.programs.get(&lab.number) else {
        return Grade { lab, outcome: Err(built.said.clone()) };
    };
    let started = now();
    let said = grading::said_by(session, lab, program)
        .unwrap_or_else(|error| format!("{}: {error}\n", program.display()));
    if let Some(report) = session.records.report(lab).filter(|report| report.at >= started) {
        return Grade { lab, outcome: Ok(report) };
    }
    eprint!("{said}");
    Grade { lab, outcome: Err(said) }
}

/// Tells the student.
pub fn tell(session: &Session, grade: &Grade) {
    let (locale, look, lab) = (session.locale(), session.look, grade.lab);
    println!("{}", look.bold(&format!("{}: {}", lab.folder(), session.words(&lab.title))));
    let Ok(report) = &grade.outcome else {
        println!("{}", look.indented(2, &t!("grade.failed", locale = locale)));
        session.advise(lab, &["grade LAB"]);
        println!();
        return;
    };
    let standing = grade.standing();
    let open = open_promises(session, &standing);
    if !open.is_empty() {
        println!("{open}\n");
    }
    println!("{}\n", summary(session, &standing));
    if !report.graders_changed.is_empty() {
        println!("{}\n", report::graders_changed(&report.graders_changed, session.language));
    }
    match to_mend(session, lab, &standing, report) {
        Some(promise) => {
            explain(session, lab, promise, report);
            let place = session.place(lab, promise);
            let next = t!("grade.next", locale = locale, place = place);
            println!("\n{}", look.indented(0, &next));
            session.advise(lab, &["grade LAB", "show LAB", "hint LAB"]);
        }
        None => all_kept(session, lab),
    }
    println!();
}

/// That nothing is left to do in a lab.
pub fn all_kept(session: &Session, lab: &Lab) {
    let text = t!("grade.all-kept", locale = session.locale(), number = lab.number);
    println!("{}", session.look.indented(0, &text));
    session.advise(lab, &["solution LAB", "next"]);
}

/// A line a promise: symbol, word, name.
pub fn promises(session: &Session, standing: &Standing) -> String {
    let line = |(promise, state): &(&PromiseText, State)| (*state, promise.name.clone());
    lines(session, &standing.promises.iter().map(line).collect::<Vec<_>>())
}

/// The same of what is not kept: of a lab with thirty promises the report is to
/// fit on the screen too. What is not written takes a line a function.
pub fn open_promises(session: &Session, standing: &Standing) -> String {
    let mut open: Vec<(State, String)> = Vec::new();
    let mut functions: Vec<&str> = Vec::new();
    for (promise, state) in &standing.promises {
        let function = promise.function.as_str();
        let is_same = |(it, other): &&(&PromiseText, State)| {
            it.function == function && *other == State::NotWritten
        };
        match (*state, standing.promises.iter().filter(is_same).count()) {
            (State::Kept, _) => {}
            (State::NotWritten, 2..) if functions.contains(&function) => {}
            (State::NotWritten, count @ 2..) => {
                functions.push(function);
                let locale = session.locale();
                let text = t!("grade.all-of", locale = locale, function = function, count = count);
                open.push((State::NotWritten, text.into_owned()));
            }
            (state, _) => open.push((state, promise.name.clone())),
        }
    }
    lines(session, &open)
}

/// A line for each: symbol, word, name.
fn lines(session: &Session, named: &[(State, String)]) -> String {
    let (locale, look) = (session.locale(), session.look);
    let word = |state: &State| t!(format!("state.{}", state.key()), locale = locale);
    let words: Vec<_> = named.iter().map(|(state, _)| word(state)).collect();
    let widest = words.iter().map(|word| display_width(word)).max().unwrap_or(0);
    let mut lines = Vec::new();
    for ((state, name), word) in named.iter().zip(&words) {
        let padding = " ".repeat(widest - display_width(word));
        lines.push(format!("  {} {word}{padding}  {name}", state.symbol(look)));
        if let State::NotGradable(lacking) = state {
            let why = report::lacking(*lacking, session.language);
            lines.push(look.indented(widest + 6, &why));
        }
    }
    lines.join("\n")
}

/// `3 of 17 kept, 4 broken, 10 not written yet`.
pub fn summary(session: &Session, standing: &Standing) -> String {
    let locale = session.locale();
    let (kept, total) = (standing.kept(), standing.total());
    let mut text = t!("list.kept", locale = locale, kept = kept, total = total).into_owned();
    for key in ["broken", "not-written", "not-gradable"] {
        let count = standing.count(key);
        if count > 0 {
            let word = t!(format!("state.{key}"), locale = locale);
            text += &t!("grade.and", locale = locale, count = count, word = word);
        }
    }
    text
}

/// One promise that is not kept, in full; with that its first hint was shown.
pub fn explain(session: &Session, lab: &Lab, promise: &PromiseText, report: &Report) {
    let Some(Verdict::Broken(finding)) = report.verdicts.get(&promise.name) else { return };
    // Where that cannot be noted, the hint comes once more.
    let _ = note_hints(session, lab, promise, &finding.code, 1);
    println!("{}", session.look.bold(&promise.name));
    println!("{}", report::broken(lab, &promise.name, finding, session.language, session.look));
}

fn exit_code(grades: &[Grade]) -> ExitCode {
    if !grades.iter().all(Grade::counts) {
        return ExitCode::from(Trouble::EXIT_CODE);
    }
    let all_kept = grades.iter().all(|grade| grade.standing().first_open().is_none());
    if all_kept { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
