//! Exams of whole programs: what is graded is executed by the grader's own processes in
//! the sandbox, and is asked only for what its command line says.

use std::collections::BTreeMap;
use std::env;
use std::panic::{self, AssertUnwindSafe};
use std::path::Path;
use std::process::ExitCode;

use crate::exam::{ASKS_WHAT_IS_LACKING, ask, confused, graded_here, judge, report_on, tell};
use crate::host::Host;
use crate::lab::Lab;
use crate::need::{self, Lacking, Need};
use crate::sandbox::grade_in_sandbox;
use crate::verdict::{Finding, Verdict};

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
    /// lab.toml is invalid.
    pub fn lab(&self) -> Lab {
        Lab::parse(self.lab_toml).unwrap_or_else(|error| panic!("lab.toml: {error}"))
    }

    /// The promises that cannot be graded on this machine and as this user.
    pub fn lacking(&self) -> BTreeMap<&'static str, Lacking> {
        let lacking = |promise: &Promise<A>| Some((promise.name, need::seal(promise.needs).err()?));
        self.promises.iter().filter_map(lacking).collect()
    }

    /// Grades one promise, in the process made for it. `guarded` is the lab's
    /// directory, of which the answer sees a copy.
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
    ) -> mydocker_kernel::Result<Verdict> {
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
    ) -> mydocker_kernel::Result<Verdict> {
        let found = self.promises.iter().find(|it| it.name == promise);
        let promise = found.unwrap_or_else(|| panic!("no promise {promise:?}"));
        let needs = [needs, promise.needs].concat();
        let seal = match need::seal(&needs) {
            Ok(seal) => seal,
            Err(lacking) => return Ok(Verdict::NotGradable(lacking)),
        };
        let groups = needs.contains(&Need::ControlGroups);
        grade_in_sandbox(seal, groups, None, guarded, |host| {
            let check = AssertUnwindSafe(|| (promise.check)(answers, host));
            let outcome = panic::catch_unwind(check).unwrap_or_else(|panic| Err(confused(&*panic)));
            let outcome = outcome.map_err(|finding| finding.or_printed(host.printed()));
            judge(host.harm(), outcome)
        })
    }
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

    let promises = exam.promises.iter().map(|promise| promise.name).collect();
    report_on(exam.lab(), promises, folder, ask)
}
