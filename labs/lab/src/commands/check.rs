//! `lab check`: a verdict on any mydocker.

use std::collections::BTreeMap;
use std::env;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;

use clap::{Args, ValueEnum};
use indicatif::ProgressBar;
use labkit::answer;
use labkit::graders;
use labkit::lab::{Lab, PromiseText};
use labkit::record::{Progress, Report, now};
use labkit::report;
use labkit::verdict::Verdict;
use rust_i18n::t;

use crate::formats::Format;
use crate::grade::Grade;
use crate::session::Session;
use crate::standing::{Standing, State};
use crate::tell::{explain_each, head, open_promises, summary};
use crate::trouble::Trouble;

/// Grade any mydocker, in any language, through its command line
///
/// The program runs in a sealed sandbox, where it is root and has its own /root. What
/// the kernel shows of its containers decides. The verdicts do not count as your own
/// progress in lab 09: to go on, use `cargo lab hint check` and `cargo lab show
/// check`.
#[derive(Args)]
#[command(after_help = "\
Examples:
  cargo lab check --program ./mydocker
  cargo lab check --program ./mydocker --adapter ./my.toml --stage pivot-root

An adapter says how to call the program and where it keeps its layers. You can
write one in five minutes: see labs/09-mydocker/adapters/README.md

Exit codes:
  0  every promise that can be graded here is kept
  1  a promise is broken
  2  it could not be graded: there is no such program, the adapter is wrong, the
     graders were changed, or nothing you asked for can be graded here")]
pub struct Arguments {
    /// The program: one executable file that needs no other file
    #[arg(long, value_name = "FILE")]
    program: PathBuf,
    /// How to call it: blog, blog-06 to blog-09 for one article, xianlubird, lixd,
    /// mydocker, lab-09, or a file such as ./my.toml
    #[arg(long, value_name = "FILE", default_value = "blog")]
    adapter: String,
    /// Only one stage
    #[arg(long, value_enum, default_value = "all")]
    stage: Stage,
    /// Everything that is known, as JSON
    #[arg(long, group = "format")]
    json: bool,
    /// JUnit XML: one test case per promise
    #[arg(long, group = "format")]
    junit: bool,
}

/// The code for an adapter whose commands make no image.
const NOT_PREPARED: &str = "mydocker/not-prepared";

/// The blog's steps, as lab.toml and later.toml of lab 09 name them.
#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum Stage {
    Run,
    Rootfs,
    PivotRoot,
    Layers,
    DeleteWorkspace,
    Commit,
    Exec,
    All,
}

pub fn execute(session: &Session, arguments: &Arguments) -> Result<ExitCode, Trouble> {
    session.checkout.lab("mydocker")?;
    let lab = session.checkout.check.as_ref().expect("it is lab mydocker");
    must_be_a_program(&arguments.program)?;
    let stage = arguments.stage.to_possible_value().expect("no value is hidden");
    let is_asked = |promise: &&PromiseText| {
        arguments.stage == Stage::All || promise.function == stage.get_name()
    };
    let asked: Vec<&PromiseText> = lab.promises.iter().filter(is_asked).collect();
    let verdicts = ask(session, arguments, &asked)?;

    let labs = session.checkout.top.join("labs");
    let graders_changed = graders::changed(&labs).unwrap_or_default();
    let program = from_here(&arguments.program);
    let report = Report {
        lab: lab.number.clone(),
        at: now(),
        graders_changed,
        verdicts,
        answer: Some(answer::digest(std::slice::from_ref(&program))),
        program: Some(program),
        run: None,
    };
    if let Err(error) = keep(session, lab, &report) {
        eprintln!("{}", report::not_kept(&error, session.language));
    }
    let grade = Grade { lab, outcome: Ok(report.clone()), only: None };
    match (arguments.json, arguments.junit) {
        (true, _) => println!("{}", Format::Json.write(session, &[grade])),
        (_, true) => println!("{}", Format::JUnit.write(session, &[grade])),
        _ => tell(session, lab, &asked, &report),
    }
    let is_broken = |verdict: &Verdict| matches!(verdict, Verdict::Broken(_));
    // Where nothing could be graded there is no verdict on the program.
    let says_nothing = |verdict: &Verdict| match verdict {
        Verdict::NotGradable(_) => true,
        verdict => verdict.code() == Some(NOT_PREPARED),
    };
    let is_graded = !report.verdicts.values().all(says_nothing);
    Ok(match report.verdicts.values().any(is_broken) {
        _ if !report.graders_changed.is_empty() || !is_graded => ExitCode::from(Trouble::EXIT_CODE),
        true => ExitCode::FAILURE,
        false => ExitCode::SUCCESS,
    })
}

/// Remembers the verdicts; those on another program, and the hints for it, are
/// forgotten.
fn keep(session: &Session, lab: &Lab, report: &Report) -> io::Result<()> {
    let before = session.records.report(lab);
    if before.is_some_and(|before| before.program != report.program) {
        session.records.forget_report(lab)?;
        session.records.keep_progress(lab, &Progress::default())?;
    }
    session.records.keep(lab, report.clone())
}

/// Has lab 09's own command grade the program: built by cargo if need be.
fn ask(
    session: &Session,
    arguments: &Arguments,
    promises: &[&PromiseText],
) -> Result<BTreeMap<String, Verdict>, Trouble> {
    let spinner = ProgressBar::new_spinner();
    spinner.enable_steady_tick(Duration::from_millis(200));
    let program = arguments.program.display();
    spinner.set_message(t!("check.grading", locale = session.locale(), program = program));

    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(&session.checkout.top);
    cargo.args(["run", "--quiet", "--package", "lab-09-grader", "--bin", "check", "--"]);
    // cargo runs in the checkout, and the names are meant from here.
    cargo.arg(from_here(&arguments.program));
    // A bare word is an adapter that is shipped, also where a program of the same
    // name lies in this folder.
    let is_file = arguments.adapter.contains(['/', '.']);
    let adapter = Path::new(&arguments.adapter);
    cargo.arg(if is_file { from_here(adapter) } else { adapter.to_owned() });
    cargo.args(promises.iter().map(|promise| &promise.name));
    let output = cargo.stdin(Stdio::null()).stderr(Stdio::inherit()).output();
    spinner.finish_and_clear();
    let output = output.map_err(|error| Trouble::NoCargo { error })?;
    serde_json::from_slice(&output.stdout).map_err(|_| Trouble::NotChecked)
}

/// What cannot be a program is told as such, before every promise is broken by it.
fn must_be_a_program(file: &Path) -> Result<(), Trouble> {
    let cannot = |why| Trouble::NoProgram { file: file.to_owned(), why };
    let metadata = match fs::metadata(file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(cannot("missing")),
        metadata => metadata.map_err(|error| Trouble::cannot("stat", file, error))?,
    };
    if !metadata.is_file() {
        return Err(cannot("no-file"));
    }
    if metadata.mode() & 0o111 == 0 {
        return Err(cannot("not-executable"));
    }
    let beginning = beginning_of(file).map_err(|error| Trouble::cannot("read", file, error))?;
    if !beginning.starts_with(b"#!") && !beginning.starts_with(b"\x7fELF") {
        return Err(cannot("no-format"));
    }
    // Linux would not execute it, and a shell would read it as a script.
    let own = beginning_of(Path::new("/proc/self/exe")).unwrap_or_default();
    if let (Some(own), Some(its)) = (machine(&own), machine(&beginning))
        && !runs_on(own, its)
    {
        return Err(cannot("other-machine"));
    }
    Ok(())
}

/// As much of a file as tells what it is.
fn beginning_of(file: &Path) -> io::Result<Vec<u8>> {
    let mut beginning = Vec::new();
    File::open(file)?.take(20).read_to_end(&mut beginning)?;
    Ok(beginning)
}

/// For which machine an ELF file was built. See elf(5), e_machine.
fn machine(beginning: &[u8]) -> Option<u16> {
    let number = beginning.strip_prefix(b"\x7fELF")?.get(14..16)?;
    let read = if cfg!(target_endian = "big") { u16::from_be_bytes } else { u16::from_le_bytes };
    Some(read([number[0], number[1]]))
}

/// Whether a machine runs what was built for another: 64-bit ones often run what
/// was built for their 32-bit forerunners.
fn runs_on(own: u16, its: u16) -> bool {
    const FORERUNNERS: [(u16, u16); 2] = [(62, 3), (183, 40)];
    own == its || FORERUNNERS.contains(&(own, its))
}

/// The same file by its absolute name.
fn from_here(file: &Path) -> PathBuf {
    std::path::absolute(file).unwrap_or_else(|_| file.to_owned())
}

/// Tells the verdicts by stage, then explains each diagnosis once.
fn tell(session: &Session, lab: &Lab, asked: &[&PromiseText], report: &Report) {
    let look = session.look;
    println!("{}\n", head(session, lab, report));
    let mut standing = Standing::in_report(lab, report);
    standing.promises.retain(|(promise, _)| asked.iter().any(|it| it.name == promise.name));
    for stage in &lab.functions {
        let theirs = standing.promises.iter().filter(|(it, _)| it.function == stage.name);
        let theirs: Vec<(&PromiseText, State)> = theirs.copied().collect();
        if !theirs.is_empty() {
            let theirs = Standing { promises: theirs };
            println!("{}  {}", look.bold(&stage.name), summary(session, &theirs));
            let open = open_promises(session, &theirs);
            if !open.is_empty() {
                println!("{open}");
            }
        }
    }
    println!("\n{}", summary(session, &standing));
    if !report.graders_changed.is_empty() {
        println!("\n{}", report::graders_changed(&report.graders_changed, session.language));
    }
    explain_each(session, lab, &standing, report);
    if standing.first_open().is_some() {
        println!();
        session.advise(lab, &["hint LAB", "show LAB"]);
    }
}
