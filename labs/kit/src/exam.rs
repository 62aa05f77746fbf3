//! A lab's tests: each promise is one, graded in a process of its own.

use std::any::Any;
use std::collections::BTreeMap;
use std::env;
use std::panic::{self, AssertUnwindSafe};
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::sync::{Arc, Mutex};

use libtest_mimic::{Arguments, Completion, Trial};

use crate::answer::{digest, files};
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

/// One thing that must hold of an answer.
pub struct Promise<A: 'static> {
    /// The name of the test: what must hold, `old_root_is_unreachable`.
    pub name: &'static str,
    /// What it takes to find out.
    pub needs: &'static [Need],
    /// Finds out, on a fresh host.
    pub check: fn(&A, &Host) -> Result<(), Finding>,
}

/// A lab's promises and its texts.
pub struct Exam<A: 'static> {
    /// The text of its `lab.toml`.
    pub lab_toml: &'static str,
    /// All that must hold.
    pub promises: &'static [Promise<A>],
}

impl<A> Exam<A> {
    /// The lab's texts.
    ///
    /// # Panics
    /// lab.toml is not as it must be.
    pub fn lab(&self) -> Lab {
        Lab::parse(self.lab_toml).unwrap_or_else(|error| panic!("lab.toml: {error}"))
    }

    /// The promises that cannot be graded on this machine and as this user.
    pub fn lacking(&self) -> BTreeMap<&'static str, Lacking> {
        let lacking = |promise: &Promise<A>| Some((promise.name, need::seal(promise.needs).err()?));
        self.promises.iter().filter_map(lacking).collect()
    }

    /// Grades one promise, in the process made for it. `guarded` is the lab's
    /// folder, of which the answer sees a copy.
    ///
    /// # Errors
    /// The sandbox cannot be made.
    ///
    /// # Panics
    /// There is no such promise.
    pub fn examine(
        &self,
        answers: &A,
        promise: &str,
        guarded: Option<&Path>,
    ) -> mydocker::Result<Verdict> {
        self.examine_needing(&[], answers, promise, guarded)
    }

    /// Grades one promise of an answer that itself needs something, whatever is
    /// promised. The rest is as in [`Exam::examine`].
    ///
    /// # Errors
    /// The sandbox cannot be made.
    ///
    /// # Panics
    /// There is no such promise.
    pub fn examine_needing(
        &self,
        needs: &[Need],
        answers: &A,
        promise: &str,
        guarded: Option<&Path>,
    ) -> mydocker::Result<Verdict> {
        let found = self.promises.iter().find(|it| it.name == promise);
        let promise = found.unwrap_or_else(|| panic!("no promise {promise:?}"));
        let needs = [needs, promise.needs].concat();
        let seal = match need::seal(&needs) {
            Ok(seal) => seal,
            Err(lacking) => return Ok(Verdict::NotGradable(lacking)),
        };
        let groups = needs.contains(&Need::ControlGroups);
        grade_in_sandbox(seal, groups, guarded, |host| {
            let check = AssertUnwindSafe(|| (promise.check)(answers, host));
            let outcome = panic::catch_unwind(check).unwrap_or_else(|panic| Err(confused(&*panic)));
            let outcome = outcome.map_err(|finding| finding.or_printed(host.printed()));
            judge(host.harm(), outcome)
        })
    }
}

/// An answer that has taken away what the grader stands on: the grader's own
/// panic is all that is known then, if there was no harm to the host.
fn confused(panic: &(dyn Any + Send)) -> Finding {
    let words = panic.downcast_ref::<String>().cloned().or_else(|| {
        let words = panic.downcast_ref::<&str>()?;
        Some((*words).to_owned())
    });
    let evidence = Evidence::differs("the grader's own work", "Ok", words.unwrap_or_default());
    Finding::new("answer/unforeseen").with([evidence])
}

/// Harm to the host outranks everything else, unless the lab knows how it came
/// about: then its finding has a word `harm`.
fn judge(harm: Option<Finding>, outcome: Result<(), Finding>) -> Verdict {
    match (harm, outcome) {
        (None, Ok(())) => Verdict::Kept,
        (Some(_), Err(finding)) if finding.words.contains_key("harm") => Verdict::Broken(finding),
        (Some(harm), Err(finding)) => Verdict::Broken(harm.with(finding.evidence)),
        (Some(harm), Ok(())) => Verdict::Broken(harm),
        (None, Err(finding)) => Verdict::Broken(finding),
    }
}

/// The variable that tells a process that it is to grade, and what.
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
pub fn tell(verdict: mydocker::Result<Verdict>) -> ExitCode {
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
/// The grader itself has failed; in its words.
pub fn ask(what: &str) -> Result<Verdict, String> {
    let mut command = Command::new("/proc/self/exe");
    // The sandbox's folder for temporary files is /tmp, whatever the machine's is.
    command.env(IN_SANDBOX, what).env_remove("TMPDIR").stdin(Stdio::null());
    let output = command.output().map_err(|error| format!("a process for the grader: {error}"))?;
    serde_json::from_slice(&output.stdout).map_err(|_| {
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        format!("the grader has failed ({}): {said}", output.status)
    })
}

/// The `main` of a lab's tests/grade.rs: grades `answers` as `cargo test` is
/// used to, and keeps the verdicts. `folder` is the lab's.
pub fn grade<A>(exam: &'static Exam<A>, answers: &'static A, folder: &str) -> ExitCode {
    let folder = Path::new(folder);
    if let Some(promise) = graded_here() {
        return tell(exam.examine(answers, &promise, Some(folder)));
    }
    if env::var_os(ASKS_WHAT_IS_LACKING).is_some() {
        println!("{}", serde_json::to_string(&exam.lacking()).expect("plain data"));
        return ExitCode::SUCCESS;
    }

    let lab = Arc::new(exam.lab());
    let language = Language::current();
    let labs = folder.parent().expect("a lab's folder lies in labs");
    let graders_changed = graders::changed(labs).unwrap_or_default();
    let answer = Some(digest(&files(folder)));
    let verdicts = Arc::new(Mutex::new(BTreeMap::new()));
    let trials = exam.promises.iter().map(|promise| {
        let (lab, verdicts, name) = (lab.clone(), verdicts.clone(), promise.name);
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

    let conclusion = libtest_mimic::run(&Arguments::from_args(), trials.collect());
    let verdicts = std::mem::take(&mut *verdicts.lock().expect("no trial panics"));
    if !graders_changed.is_empty() {
        println!("{}", report::graders_changed(&graders_changed, language));
    }
    if !verdicts.is_empty() {
        let (lab_number, program) = (lab.number.clone(), None);
        let new = Report { lab: lab_number, at: now(), graders_changed, verdicts, answer, program };
        let top = labs.parent().expect("labs lies in the checkout");
        if let Err(error) = Records::of(top).keep(&lab, new) {
            println!("{}", report::not_kept(&error, language));
        }
    }
    conclusion.exit_code()
}
