//! One lab of one submission: compiled, graded, and nothing of it left.

use std::fs;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};

use labkit::lab::Lab;
use labkit::record::Records;
use nix::sys::signal::Signal;

use super::confined::{COMPILE_AT_MOST, Compile, Ended, GRADE_AT_MOST, SHARED, Task, WORK};
use super::course::{AnswerCrate, Course};
use super::outcome::{Doing, Outcome};
use super::submission::Submission;
use crate::checkout::Checkout;

/// The exit codes of rustc that are an answer's fault.
const COMPILE_ERROR: i32 = 1;
const COMPILER_CRASHED: i32 = 101;

/// A folder for one submission while it is graded: a small checkout.
struct Work<'a> {
    course: &'a Course,
    folder: PathBuf,
}

/// Grades one lab of a submission, in a new folder `work`.
pub fn grade(
    checkout: &Checkout,
    course: &Course,
    lab: &Lab,
    submission: &Submission,
    work: PathBuf,
) -> Outcome {
    let crates = course.with_earlier(&lab.number);
    if !submission.answers.contains_key(&lab.number) {
        return Outcome::Missing;
    }
    let theirs = crates.iter().filter_map(|(number, _)| submission.answers.get(*number));
    if let Some((place, refusal)) = theirs.clone().find_map(|answers| answers.refused.clone()) {
        return Outcome::Refused { place, refusal };
    }
    let work = Work { course, folder: work };
    let outcome = work
        .furnish(checkout, submission, &crates)
        .and_then(|()| work.grade(lab, &crates))
        .unwrap_or_else(|error| Outcome::NotGraded { said: error.to_string() });
    // Whatever is still there when this fails is removed by the next run.
    let _ = fs::remove_dir_all(&work.folder);
    outcome
}

impl Work<'_> {
    /// Copies what was given to the students, with the submission's answers.
    fn furnish(
        &self,
        checkout: &Checkout,
        submission: &Submission,
        crates: &[(&String, &AnswerCrate)],
    ) -> io::Result<()> {
        fs::create_dir_all(self.out())?;
        for (number, answer) in crates {
            let folder = self.lab(answer);
            let given = checkout.top.join("labs").join(&answer.folder);
            for part in ["src", "tests"] {
                copy(&given.join(part), &folder.join(part))?;
            }
            let lab = checkout.labs.iter().find(|lab| lab.number == **number).expect("it is there");
            for file in checkout.answers(lab) {
                let name = file.file.strip_prefix(&given).unwrap_or(&file.file);
                let handed_in = submission.answers.get(*number);
                match handed_in.and_then(|it| it.files.get(&name.display().to_string())) {
                    Some(content) => fs::write(folder.join(name), content)?,
                    None => fs::copy(&file.starter, folder.join(name)).map(drop)?,
                }
            }
        }
        Ok(())
    }

    fn grade(&self, lab: &Lab, crates: &[(&String, &AnswerCrate)]) -> io::Result<Outcome> {
        for (number, answer) in crates {
            let name = format!("lab_{number}");
            let library = ["--crate-type=lib", "--crate-name", &name, "src/lib.rs"];
            if let Some(outcome) = self.compile(answer, &library, &answer.uses, &answer.earlier)? {
                return Ok(outcome);
            }
        }
        let answer = &self.course.crates[&lab.number];
        let own_and_earlier =
            [answer.earlier.as_slice(), std::slice::from_ref(&lab.number)].concat();
        if let Some(program) = &answer.program {
            let name = program.replace('-', "_");
            let output = format!("{WORK}/out/{program}");
            let arguments = ["--crate-name", &name, "-o", &output, "src/main.rs"];
            if let Some(outcome) =
                self.compile(answer, &arguments, &answer.uses, &own_and_earlier)?
            {
                return Ok(outcome);
            }
        }
        let uses = [answer.uses.as_slice(), &answer.tests_use].concat();
        let arguments = ["--crate-name", "grade", "tests/grade.rs"];
        if let Some(outcome) = self.compile(answer, &arguments, &uses, &own_and_earlier)? {
            return Ok(outcome);
        }
        let task = Task::Grade {
            grader: self.course.graders.get(&lab.number).cloned(),
            program: self.out().join("grade"),
            folder: self.lab(answer),
        };
        let ended = task.run()?;
        Ok(match Records::of(&self.folder).report(lab) {
            _ if has_run_out_of_time(&ended) => {
                let doing = Doing::Grading { seconds: GRADE_AT_MOST };
                Outcome::TookTooLong { doing, said: ended.said }
            }
            Some(report) if report.verdicts.len() == lab.promises.len() => {
                Outcome::Graded { report }
            }
            _ => Outcome::NotGraded { said: ended.said },
        })
    }

    /// Compiles one crate of an answer; nothing if that has succeeded.
    fn compile(
        &self,
        answer: &AnswerCrate,
        arguments: &[&str],
        uses: &[String],
        answers: &[String],
    ) -> io::Result<Option<Outcome>> {
        let mut all: Vec<String> = arguments.iter().map(|&it| it.to_owned()).collect();
        let source = all.pop().expect("the source comes last");
        all.push(format!("{WORK}/labs/{}/{source}", answer.folder));
        let mut add = |words: &[&str]| all.extend(words.iter().map(|&it| it.to_owned()));
        add(&["--edition", &answer.edition, "--out-dir", &format!("{WORK}/out")]);
        add(&["--sysroot", &self.course.sysroot.display().to_string()]);
        // As cargo is told in .cargo/config.toml, so that all can be linked.
        add(&["-Crelocation-model=static", "-Ctarget-feature=+crt-static"]);
        add(&["--cap-lints=allow", "--color=never", "-Cstrip=symbols", "-Cmetadata=class"]);
        add(&[&format!("--remap-path-prefix={WORK}/=")]);
        for folder in [SHARED.to_owned(), format!("{WORK}/out")] {
            add(&["-L", &format!("dependency={folder}")]);
        }
        for used in uses {
            let (name, file) = used.split_once('=').expect("NAME=FILE");
            add(&["--extern", &format!("{name}={SHARED}/{file}")]);
        }
        for number in answers {
            add(&["--extern", &format!("lab_{number}={WORK}/out/liblab_{number}.rlib")]);
        }
        let task = Task::Compile(Compile {
            sysroot: self.course.sysroot.clone(),
            shared: self.course.shared.clone(),
            work: self.folder.clone(),
            arguments: all,
            environment: self.environment(answer),
        });
        let ended = task.run()?;
        Ok(match ended.status.code() {
            Some(0) => None,
            Some(COMPILE_ERROR | COMPILER_CRASHED) => {
                Some(Outcome::DoesNotCompile { said: ended.said })
            }
            None if has_run_out_of_time(&ended) => {
                let what = format!("labs/{}/{source}", answer.folder);
                let doing = Doing::Compiling { what, seconds: COMPILE_AT_MOST };
                Some(Outcome::TookTooLong { doing, said: ended.said })
            }
            _ => Some(Outcome::NotGraded { said: ended.said }),
        })
    }

    /// What cargo tells a crate: where it will be when it runs.
    fn environment(&self, answer: &AnswerCrate) -> Vec<(String, String)> {
        let shown = |path: PathBuf| path.display().to_string();
        let mut all = vec![("CARGO_MANIFEST_DIR".to_owned(), shown(self.lab(answer)))];
        if let Some(program) = &answer.program {
            all.push((format!("CARGO_BIN_EXE_{program}"), shown(self.out().join(program))));
        }
        all
    }

    fn lab(&self, answer: &AnswerCrate) -> PathBuf {
        self.folder.join("labs").join(&answer.folder)
    }

    fn out(&self) -> PathBuf {
        self.folder.join("out")
    }
}

fn has_run_out_of_time(ended: &Ended) -> bool {
    ended.status.signal() == Some(Signal::SIGALRM as i32)
}

/// Copies a folder of files.
fn copy(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            fs::copy(entry.path(), to.join(entry.file_name()))?;
        }
    }
    Ok(())
}
