//! A lab's tests: each promise is one test, graded in its own process.

use std::any::Any;
use std::collections::BTreeMap;
use std::env;
use std::num::NonZero;
use std::panic::{self, AssertUnwindSafe};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::available_parallelism;

use libtest_mimic::{Arguments, Completion, Trial};
use serde::{Deserialize, Serialize};

use crate::act::{self, Performable};
use crate::answer::{digest, files};
use crate::answering::Program;
use crate::graders;
use crate::host::Host;
use crate::lab::Lab;
use crate::language::Language;
use crate::look::Look;
use crate::need::{self, Lacking, Need};
use crate::record::{Records, Report, now};
use crate::report;
use crate::sandbox::grade_in_sandbox;
use crate::verdict::{Evidence, Finding, Verdict};
use mydocker_kernel::OnPath;

/// One thing that must hold of an answer.
pub struct Promise {
    /// The name of the test: what must hold, `old_root_is_unreachable`.
    pub name: &'static str,
    /// What it takes to find out.
    pub needs: &'static [Need],
    /// Finds out, on a fresh host.
    pub judge: fn(&Host) -> Result<(), Finding>,
    /// Whether that takes about a second. Others take a tenth of one.
    pub is_long: bool,
}

impl Promise {
    /// A promise that needs only the sandbox.
    pub const fn new(name: &'static str, judge: fn(&Host) -> Result<(), Finding>) -> Promise {
        Promise { name, needs: &[], judge, is_long: false }
    }

    /// The same, but it takes this to find out.
    pub const fn needing(self, needs: &'static [Need]) -> Promise {
        Promise { needs, ..self }
    }

    /// The same, but it takes so long that it is graded first, and the others beside it.
    pub const fn long(self) -> Promise {
        Promise { is_long: true, ..self }
    }
}

/// A lab's promises and its texts.
pub struct Exam {
    /// The text of its `lab.toml`.
    pub lab_toml: &'static str,
    /// All that must hold.
    pub promises: &'static [Promise],
}

/// What a process was made to grade.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Task {
    /// The lab's number.
    pub lab: String,
    /// The name of the promise.
    pub promise: String,
    /// The program with the answer in it: it is only executed in the sandbox.
    pub program: PathBuf,
    /// Which answer, where the program has several.
    pub answer: String,
    /// The lab's directory, of which the answer sees a copy.
    pub guarded: Option<PathBuf>,
}

impl Exam {
    /// The lab's texts.
    ///
    /// # Panics
    /// lab.toml is invalid.
    pub fn lab(&self) -> Lab {
        Lab::parse(self.lab_toml).unwrap_or_else(|error| panic!("lab.toml: {error}"))
    }

    /// The promises that cannot be graded on this machine and as this user.
    pub fn lacking(&self) -> BTreeMap<&'static str, Lacking> {
        let lacking = |promise: &Promise| Some((promise.name, need::seal(promise.needs).err()?));
        self.promises.iter().filter_map(lacking).collect()
    }

    /// The names of the promises, in the order in which they are best graded.
    fn in_order(&self) -> Vec<&'static str> {
        let (long, short) = self.promises.iter().partition::<Vec<_>, _>(|it| it.is_long);
        long.into_iter().chain(short).map(|promise| promise.name).collect()
    }

    /// Grades one promise, in the process made for it.
    ///
    /// # Errors
    /// The program cannot be read, or the sandbox cannot be made.
    ///
    /// # Panics
    /// There is no such promise.
    pub fn examine(&self, task: &Task) -> mydocker_kernel::Result<Verdict> {
        let found = self.promises.iter().find(|it| it.name == task.promise);
        let promise = found.unwrap_or_else(|| panic!("no promise {:?}", task.promise));
        let seal = match need::seal(promise.needs) {
            Ok(seal) => seal,
            Err(lacking) => return Ok(Verdict::NotGradable(lacking)),
        };
        let groups = promise.needs.contains(&Need::ControlGroups);
        let program = Program::open(&task.program, &task.answer).on("open", &task.program)?;
        grade_in_sandbox(seal, groups, Some(program), task.guarded.as_deref(), |host| {
            let check = AssertUnwindSafe(|| (promise.judge)(host));
            let outcome = panic::catch_unwind(check).unwrap_or_else(|panic| Err(confused(&*panic)));
            let outcome = outcome.map_err(|finding| finding.or_printed(host.printed()));
            judge(host.harm(), outcome)
        })
    }
}

impl Task {
    /// That of this process, if it was made to grade.
    pub fn of_this_process() -> Option<Task> {
        serde_json::from_str(&graded_here()?).ok()
    }

    /// Has a new process of this program do it.
    ///
    /// # Errors
    /// The grader itself failed, with its message.
    pub fn ask(&self) -> Result<Verdict, String> {
        ask(&serde_json::to_string(self).expect("plain data"))
    }
}

/// An answer took away something that the grader relies on. Then the grader's own panic
/// is all that is known, if there was no harm to the host.
pub(crate) fn confused(panic: &(dyn Any + Send)) -> Finding {
    let words = panic.downcast_ref::<String>().cloned().or_else(|| {
        let words = panic.downcast_ref::<&str>()?;
        Some((*words).to_owned())
    });
    let evidence = Evidence::differs("the grader's own work", "Ok", words.unwrap_or_default());
    Finding::new("answer/unforeseen").with([evidence])
}

/// Harm to the host outranks everything else, unless the lab knows the cause. Then its
/// finding has a word `harm`.
pub(crate) fn judge(harm: Option<Finding>, outcome: Result<(), Finding>) -> Verdict {
    match (harm, outcome) {
        (None, Ok(())) => Verdict::Kept,
        (Some(_), Err(finding)) if finding.words.contains_key("harm") => Verdict::Broken(finding),
        (Some(harm), Err(finding)) => Verdict::Broken(harm.with(finding.evidence)),
        (Some(harm), Ok(())) => Verdict::Broken(harm),
        (None, Err(finding)) => Verdict::Broken(finding),
    }
}

/// The variable that tells a process to grade, and what.
const IN_SANDBOX: &str = "LABKIT_GRADES";

/// The variable that asks a lab's tests what they cannot grade here and why: a
/// line of JSON, `{"PROMISE": LACKING}`.
pub const ASKS_WHAT_IS_LACKING: &str = "LABKIT_LACKING";

/// What this process was made to grade, if it was.
pub fn graded_here() -> Option<String> {
    env::var(IN_SANDBOX).ok()
}

/// Prints the verdict for the process that asked; the end of a process for
/// which [`graded_here`] is something.
pub fn tell(verdict: mydocker_kernel::Result<Verdict>) -> ExitCode {
    match verdict {
        Ok(verdict) => {
            println!("{}", serde_json::to_string(&verdict).expect("a verdict"));
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// Has a new process of this program grade `what`.
///
/// # Errors
/// The grader itself failed, with its message.
pub fn ask(what: &str) -> Result<Verdict, String> {
    let mut command = Command::new("/proc/self/exe");
    // The sandbox's directory for temporary files is /tmp, whatever the machine's is.
    command.env(IN_SANDBOX, what).env_remove("TMPDIR").stdin(Stdio::null());
    let output = command.output().map_err(|error| format!("a process for the grader: {error}"))?;
    serde_json::from_slice(&output.stdout).map_err(|_| {
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        format!("the grader has failed ({}): {said}", output.status)
    })
}

/// The `main` of a lab's tests/grade.rs, on the student's own machine: grades
/// `answers` as `cargo test` is used to, and keeps the verdicts. `folder` is the
/// lab's.
///
/// One program plays both parts here. The process that decides never calls what
/// the student wrote; the one that answers is this program once more, in the
/// sandbox.
pub fn grade<A>(
    exam: &'static Exam,
    acts: &[&dyn Performable<A>],
    answers: &'static A,
    folder: &str,
) -> ExitCode {
    if act::asked().is_some() {
        act::answer(acts, answers);
    }
    if let Some(task) = Task::of_this_process() {
        return tell(exam.examine(&task));
    }
    let folder = Path::new(folder);
    if env::var_os(ASKS_WHAT_IS_LACKING).is_some() {
        println!("{}", serde_json::to_string(&exam.lacking()).expect("plain data"));
        return ExitCode::SUCCESS;
    }

    let (number, guarded) = (exam.lab().number, folder.to_owned());
    let task = move |promise: &str| Task {
        lab: number.clone(),
        promise: promise.to_owned(),
        program: PathBuf::from("/proc/self/exe"),
        answer: String::new(),
        guarded: Some(guarded.clone()),
    };
    report_on(exam.lab(), exam.in_order(), folder, move |promise| task(promise).ask())
}

/// The variable that names the program with the answer in it, and the one that
/// names the lab's directory, for a grader that contains no answer.
pub const PROGRAM: &str = "LABKIT_PROGRAM";
/// See [`PROGRAM`].
pub const FOLDER: &str = "LABKIT_FOLDER";

/// The `main` of a grader that contains no code of an answer: grades the program that
/// [`PROGRAM`] names in the way of `cargo test`, and keeps the verdicts. That program is
/// only executed in the sandbox.
pub fn grade_program(exam: &'static Exam) -> ExitCode {
    if let Some(task) = Task::of_this_process() {
        return tell(exam.examine(&task));
    }
    if env::var_os(ASKS_WHAT_IS_LACKING).is_some() {
        println!("{}", serde_json::to_string(&exam.lacking()).expect("plain data"));
        return ExitCode::SUCCESS;
    }
    let (Some(program), Some(folder)) = (env::var_os(PROGRAM), env::var_os(FOLDER)) else {
        eprintln!("{PROGRAM} and {FOLDER} must be set: this program is for `cargo lab grade`");
        return ExitCode::from(NOT_GRADED);
    };
    let (program, folder) = (PathBuf::from(program), PathBuf::from(folder));
    let (number, guarded) = (exam.lab().number, folder.clone());
    let task = move |promise: &str| Task {
        lab: number.clone(),
        promise: promise.to_owned(),
        program: program.clone(),
        answer: String::new(),
        guarded: Some(guarded.clone()),
    };
    report_on(exam.lab(), exam.in_order(), &folder, move |promise| task(promise).ask())
}

/// Has each promise graded by `ask`, says so as `cargo test` is used to, and keeps
/// the verdicts.
pub(crate) fn report_on(
    lab: Lab,
    promises: Vec<&'static str>,
    folder: &Path,
    ask: impl Fn(&str) -> Result<Verdict, String> + Clone + Send + 'static,
) -> ExitCode {
    let lab = Arc::new(lab);
    let language = Language::current();
    let labs = folder.parent().expect("a lab's directory lies in labs");
    let graders_changed = graders::changed(labs).unwrap_or_default();
    let answer = Some(digest(&files(folder)));
    let verdicts = Arc::new(Mutex::new(BTreeMap::new()));
    let trials = promises.into_iter().map(|name| {
        let (lab, verdicts, ask) = (lab.clone(), verdicts.clone(), ask.clone());
        Trial::ignorable_test(name, move || {
            let verdict = ask(name)?;
            let outcome = match &verdict {
                Verdict::Kept => Ok(Completion::Completed),
                Verdict::Broken(finding) => {
                    Err(report::broken(&lab, name, finding, language, Look::of_stdout()).into())
                }
                Verdict::NotGradable(lacking) => {
                    Ok(Completion::ignored_with(report::not_gradable(*lacking, language)))
                }
            };
            verdicts.lock().expect("no trial panics").insert(name.to_owned(), verdict);
            outcome
        })
    });

    let mut arguments = Arguments::from_args();
    arguments.test_threads.get_or_insert_with(at_once);
    let conclusion = libtest_mimic::run(&arguments, trials.collect());
    // A filter that no promise's name matches.
    let asks_for_nothing = arguments.filter.is_some() && !arguments.list;
    let verdicts = std::mem::take(&mut *verdicts.lock().expect("no trial panics"));
    if !graders_changed.is_empty() {
        println!("{}", report::graders_changed(&graders_changed, language));
    }
    if !verdicts.is_empty() {
        let new = Report {
            lab: lab.number.clone(),
            at: now(),
            graders_changed,
            verdicts: verdicts.clone(),
            answer,
            ..Report::default()
        };
        let top = labs.parent().expect("labs lies in the checkout");
        if let Err(error) = Records::of(top).keep(&lab, new) {
            println!("{}", report::not_kept(&error, language));
        }
    }
    // If nothing was found out, that is not a success.
    let nothing = match verdicts.is_empty() {
        true => asks_for_nothing.then(|| report::nothing_matches(&lab, language)),
        false => report::nothing_gradable(&lab, &verdicts, language),
    };
    if let Some(why) = nothing {
        println!("{why}");
        return ExitCode::from(NOT_GRADED);
    }
    conclusion.exit_code()
}

/// How many promises are graded at once. Half of the time, a grading only waits: for the
/// kernel, or for an answer that waits itself.
pub fn at_once() -> usize {
    2 * available_parallelism().map_or(1, NonZero::get)
}

/// The exit code of a lab's tests where nothing could be graded.
const NOT_GRADED: u8 = 2;
