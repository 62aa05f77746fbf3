//! The programs that grade: built by cargo, one a lab.

use std::collections::BTreeMap;
use std::env;
use std::io::{self, BufRead, BufReader, IsTerminal, Read};
use std::path::PathBuf;
use std::process::{ChildStdout, Command, Stdio};
use std::thread;
use std::time::Duration;

use indicatif::ProgressBar;
use labkit::lab::Lab;
use rust_i18n::t;
use serde::Deserialize;

use crate::session::Session;
use crate::trouble::Trouble;

/// What cargo has built.
#[derive(Default)]
pub struct Built {
    /// Those with the answers in them, by lab number; a lab that does not compile
    /// has none.
    pub programs: BTreeMap<String, PathBuf>,
    /// Those that decide, without a line of an answer.
    pub graders: BTreeMap<String, PathBuf>,
    /// All files that have come out, by package.
    pub libraries: BTreeMap<String, Vec<PathBuf>>,
    /// cargo's warnings and errors, as it shows them.
    pub said: String,
}

/// A line of cargo's `--message-format json`, as far as it concerns us.
#[derive(Deserialize)]
struct Message {
    package_id: Option<String>,
    #[serde(default)]
    filenames: Vec<PathBuf>,
    executable: Option<PathBuf>,
    manifest_path: Option<PathBuf>,
    target: Option<Target>,
}

#[derive(Deserialize)]
struct Target {
    name: String,
}

/// Builds tests/grade.rs of some labs, all in one run of cargo.
pub fn build(session: &Session, labs: &[&Lab]) -> Result<Built, Trouble> {
    // The same cargo that has started this program, if one has.
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(&session.checkout.top);
    cargo.args(["build", "--quiet", "--keep-going", "--test", "grade"]);
    cargo.args(["--message-format", "json-render-diagnostics"]);
    cargo.args(["--color", if io::stderr().is_terminal() { "always" } else { "never" }]);
    for lab in labs {
        cargo.arg("--package").arg(format!("lab-{}", lab.number));
        if session.checkout.folder(lab).join("grader/src/main.rs").exists() {
            let grader = grader_of(lab);
            cargo.args(["--package", &grader, "--bin", &grader]);
        }
    }
    cargo.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = cargo.spawn().map_err(|error| Trouble::NoCargo { error })?;

    let mut stderr = child.stderr.take().expect("it is piped");
    let reader = thread::spawn(move || {
        let mut said = Vec::new();
        let _ = stderr.read_to_end(&mut said);
        String::from_utf8_lossy(&said).into_owned()
    });
    let mut built = follow(session, labs, child.stdout.take().expect("it is piped"));
    child.wait().map_err(|error| Trouble::NoCargo { error })?;
    built.said = reader.join().expect("it only reads");
    Ok(built)
}

/// The package of a lab's grader, and the program in it.
fn grader_of(lab: &Lab) -> String {
    format!("lab-{}-grader", lab.number)
}

/// Shows on a terminal what cargo is building, and returns what comes out.
fn follow(session: &Session, labs: &[&Lab], stdout: ChildStdout) -> Built {
    let spinner = ProgressBar::new_spinner();
    // Until the first one is there: of programs that are there already cargo says
    // nothing, and for nine of them it takes seconds to see that.
    let all: Vec<String> = labs.iter().map(|lab| lab.folder()).collect();
    let building = |what: &str| t!("grade.building", locale = session.locale(), what = what);
    spinner.set_message(building(&all.join(", ")).into_owned());
    spinner.enable_steady_tick(Duration::from_millis(200));
    let mut built = Built::default();
    for line in BufReader::new(stdout).lines().map_while(Result::ok) {
        let Ok(message) = serde_json::from_str::<Message>(&line) else { continue };
        if let Some(package) = message.package_id {
            built.libraries.entry(package).or_default().extend(message.filenames);
        }
        let (Some(manifest), Some(target)) = (message.manifest_path, message.target) else {
            continue;
        };
        let decides = |lab: &&&Lab| target.name == grader_of(lab);
        if let (Some(lab), Some(program)) = (labs.iter().find(decides), &message.executable) {
            built.graders.insert(lab.number.clone(), program.clone());
        }
        let lab =
            labs.iter().find(|lab| manifest == session.checkout.folder(lab).join("Cargo.toml"));
        let what = lab.map_or_else(|| target.name.clone(), |lab| lab.folder());
        spinner.set_message(building(&what).into_owned());
        if let (Some(lab), Some(program), "grade") = (lab, message.executable, target.name.as_str())
        {
            built.programs.insert(lab.number.clone(), program);
        }
    }
    spinner.finish_and_clear();
    built
}
