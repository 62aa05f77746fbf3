//! `lab grade --all`: the grades of a class.

mod confined;
mod course;
mod grading;
mod handed_in;
mod names;
mod outcome;
mod output;
mod refusal;
mod reports;
mod submission;
mod tree;

use std::fs::{self, File, TryLockError};
use std::io;
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::process::{self, ExitCode};
use std::sync::Mutex;
use std::thread;

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use labkit::graders;
use labkit::lab::Lab;
use labkit::need::{self, Need};
use labkit::report;
use rust_i18n::t;

pub use confined::Task;
use course::Course;
use handed_in::{HandedIn, OURS};
use outcome::{Graded, Memory, Outcome};
use output::Output;
use submission::Submission;

use crate::session::Session;
use crate::trouble::Trouble;

/// The exit code after Ctrl-C, as a shell gives it: 128 and the signal.
const INTERRUPTED: i32 = 130;

#[derive(Args)]
#[command(next_help_heading = "For a class")]
pub struct ClassArguments {
    /// Grade every submission: each directory in DIR is one. The exit code is 0 if
    /// each got an outcome, whatever it is, and 2 if one could not be graded
    #[arg(long, value_name = "DIR", conflicts_with_all = ["lab", "junit", "gradescope", "classroom"])]
    pub all: Option<PathBuf>,
    /// Only this lab; can be given several times
    #[arg(long = "lab", id = "labs", value_name = "LAB", requires = "all", conflicts_with = "lab")]
    labs: Vec<String>,
    /// How many submissions to grade at once [default: one per processor]
    #[arg(long, value_name = "N", requires = "all", conflicts_with = "lab")]
    jobs: Option<NonZero<usize>>,
    /// Write one line per submission and lab
    #[arg(long, value_name = "FILE", requires = "all", conflicts_with = "lab")]
    csv: Option<PathBuf>,
}

/// Grades a class. `json` is a file for all that is known.
pub fn execute(
    session: &Session,
    class: &Path,
    arguments: &ClassArguments,
    json: Option<&Path>,
) -> Result<ExitCode, Trouble> {
    let labs: Vec<&Lab> = match arguments.labs.as_slice() {
        [] => session.checkout.labs.iter().collect(),
        names => names.iter().map(|name| session.checkout.lab(name)).collect::<Result<_, _>>()?,
    };
    if !class.is_dir() {
        return Ok(refuse(session, "class.no-folder", class));
    }
    // Before the hours that grading may take.
    for file in arguments.csv.as_deref().into_iter().chain(json) {
        if !parent(file).is_dir() {
            return Ok(refuse(session, "class.no-place", file));
        }
    }
    let class = class.canonicalize().map_err(|error| Trouble::cannot("open", class, error))?;
    let csv = arguments.csv.as_deref().map(Output::open).transpose()?;
    let json = json.map(Output::open).transpose()?;
    let own: Vec<PathBuf> = csv.iter().chain(&json).map(|it| it.path.clone()).collect();
    let HandedIn { submissions, skipped } =
        handed_in::read(&session.checkout, &class, &labs, &own)?;
    if submissions.is_empty() {
        eprint!("{}", reports::skipped(session, &skipped));
        return Err(Trouble::NoSubmissions { class });
    }
    let folder = class.join(OURS);
    let _lock = lock(&folder)?;
    let work = folder.join("work");
    let shared = clean_folder(&work)?.join("shared");
    fs::create_dir(&shared).map_err(|error| Trouble::cannot("mkdir", &shared, error))?;
    let course = Course::prepare(session, &labs, shared)?;
    warn_of_changed_graders(session);

    let wanted: Vec<(&Submission, &Lab)> =
        submissions.iter().flat_map(|it| labs.iter().map(move |&lab| (it, lab))).collect();
    let class = Class { session, course: &course, memory: Memory { folder }, work: work.clone() };
    let jobs = arguments.jobs.or_else(|| thread::available_parallelism().ok());
    let graded = class.grade_all(&wanted, jobs.map_or(1, NonZero::get));
    fs::remove_dir_all(&work).map_err(|error| Trouble::cannot("rm -r", &work, error))?;
    let graded = graded?;

    csv.map_or(Ok(()), |file| file.write(&reports::csv(session, &graded)))?;
    let write_json =
        |file: Output| file.write(reports::json(session, &graded, &skipped).as_bytes());
    json.map_or(Ok(()), write_json)?;
    print!("{}", reports::table(session, &submissions, &labs, &graded));
    if !skipped.is_empty() {
        print!("\n{}", reports::skipped(session, &skipped));
    }
    Ok(if !graded.iter().all(|it| it.outcome.is_final()) {
        ExitCode::from(Trouble::EXIT_CODE)
    } else {
        ExitCode::SUCCESS
    })
}

/// Says what is wrong with a path of the command line.
fn refuse(session: &Session, key: &str, path: &Path) -> ExitCode {
    eprintln!("lab: {}", t!(key, locale = session.locale(), path = path.display()));
    ExitCode::from(Trouble::EXIT_CODE)
}

/// The folder that a file is in.
fn parent(file: &Path) -> &Path {
    match file.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    }
}

/// What all jobs use.
struct Class<'a> {
    session: &'a Session,
    course: &'a Course,
    memory: Memory,
    work: PathBuf,
}

impl Class<'_> {
    /// Grades in `jobs` threads, and remembers each outcome at once.
    fn grade_all<'a>(
        &self,
        wanted: &[(&'a Submission, &'a Lab)],
        jobs: usize,
    ) -> Result<Vec<Graded<'a>>, Trouble> {
        let bar = ProgressBar::new(wanted.len() as u64);
        let style = ProgressStyle::with_template("{bar:30} {pos}/{len}  {eta}  {wide_msg}");
        bar.set_style(style.expect("a template"));
        self.say_what_is_kept_when_interrupted(&bar);
        let waiting = Mutex::new(wanted.iter().enumerate());
        let next = || waiting.lock().expect("no thread panics").next();
        let work = || -> Result<Vec<(usize, Graded<'a>)>, Trouble> {
            let mut done = Vec::new();
            while let Some((index, &(submission, lab))) = next() {
                bar.set_message(format!("{} {}", submission.name, lab.number));
                let outcome = self.grade(submission, lab, index)?;
                done.push((index, Graded { submission, lab, outcome }));
                bar.inc(1);
            }
            Ok(done)
        };
        let done = thread::scope(|scope| {
            let workers: Vec<_> = (0..jobs).map(|_| scope.spawn(work)).collect();
            let joined = workers.into_iter().map(|it| it.join().expect("no thread panics"));
            joined.collect::<Result<Vec<_>, _>>()
        });
        bar.finish_and_clear();
        let mut all: Vec<(usize, Graded)> = done?.into_iter().flatten().collect();
        all.sort_by_key(|(index, _)| *index);
        Ok(all.into_iter().map(|(_, graded)| graded).collect())
    }

    /// What was graded is on the disk, and what is left is work for another day.
    fn say_what_is_kept_when_interrupted(&self, bar: &ProgressBar) {
        let (bar, locale) = (bar.clone(), self.session.locale());
        // It fails only where a handler is set already, and this is the first.
        let _ = ctrlc::set_handler(move || {
            let (done, all) = (bar.position(), bar.length().unwrap_or_default());
            bar.finish_and_clear();
            eprintln!("lab: {}", t!("class.interrupted", locale = locale, done = done, all = all));
            process::exit(INTERRUPTED);
        });
    }

    fn grade(&self, submission: &Submission, lab: &Lab, index: usize) -> Result<Outcome, Trouble> {
        // What can be graded depends on who grades, and on the machine.
        let grader = format!("{:?}", Need::ALL.map(|need| need::seal(&[need])));
        let key = submission.key(self.course, &lab.number, &grader);
        if let Some(outcome) = self.memory.recall(&submission.folder, &lab.number, &key) {
            return Ok(outcome);
        }
        let work = self.work.join(index.to_string());
        let outcome = grading::grade(&self.session.checkout, self.course, lab, submission, work);
        self.memory
            .keep(&submission.folder, &lab.number, key, &outcome)
            .map_err(|error| Trouble::cannot("write", &self.memory.folder, error))?;
        Ok(outcome)
    }
}

/// Makes a folder and keeps others out of it while the file is open.
fn lock(folder: &Path) -> Result<File, Trouble> {
    let cannot = |error| Trouble::cannot("open", folder, error);
    fs::create_dir_all(folder).map_err(cannot)?;
    let file = File::create(folder.join("lock")).map_err(cannot)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(Trouble::ClassInUse { folder: folder.to_owned() }),
        Err(TryLockError::Error(error)) => Err(cannot(error)),
    }
}

/// Makes a folder without what a killed run has left in it.
fn clean_folder(folder: &Path) -> Result<&Path, Trouble> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(Trouble::cannot("rm -r", folder, error));
        }
        _ => {}
    }
    fs::create_dir(folder).map_err(|error| Trouble::cannot("mkdir", folder, error))?;
    Ok(folder)
}

fn warn_of_changed_graders(session: &Session) {
    let changed = graders::changed(&session.checkout.top.join("labs")).unwrap_or_default();
    if !changed.is_empty() {
        eprintln!("{}\n", report::graders_changed(&changed, session.language));
    }
}
