//! `lab handout`: the repository that students get.

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use clap::Args;
use labkit::graders;
use rust_i18n::t;
use toml_edit::DocumentMut;

use crate::session::Session;
use crate::trouble::Trouble;

/// For teachers: make the repository that students get
///
/// It is this checkout without what gives the labs away: the solutions, the known
/// mistakes and the history. Every answer is the starter's. The repository builds:
/// `cargo lab reset` works there, and `cargo lab solution` says that there are none.
#[derive(Args)]
#[command(after_help = "\
It takes only files that git knows, as they are in the working tree now.
Example:
  cargo lab handout ../mydocker-labs-2027
  cd ../mydocker-labs-2027 && git init && git add . && git commit")]
pub struct Arguments {
    /// A directory that does not exist yet, or is empty
    #[arg(value_name = "DIR")]
    to: PathBuf,
}

/// The crate of the solutions and of the mistakes.
const REFERENCE: &str = "labs/reference";
/// The crate that changes the solutions, to try the graders.
const MUTANTS: &str = "labs/mutants";
/// What only those need who work on the course itself, and what needs the crate.
const LEFT_OUT: [&str; 8] = [
    REFERENCE,
    MUTANTS,
    "scripts/mutants",
    ".ci",
    ".github",
    "deny.toml",
    "scripts/bench",
    "tests/bench",
];

pub fn execute(session: &Session, arguments: &Arguments) -> Result<(), Trouble> {
    let (from, to) = (&session.checkout.top, &arguments.to);
    must_be_empty(to)?;
    // 1. All files but those that are left out.
    let all = tracked(from)?;
    let shown = shown_in_the_book(from, &all);
    let is_taken = |file: &&PathBuf| {
        !LEFT_OUT.iter().any(|it| file.starts_with(it)) || is_starter(file) || shown.contains(file)
    };
    let taken: Vec<&PathBuf> = all.iter().filter(is_taken).collect();
    for file in &taken {
        copy(&from.join(file), &to.join(file))
            .map_err(|error| Trouble::cannot("copy", from.join(file), error))?;
    }
    // 2. No answer of whoever tried the labs here.
    for answer in session.checkout.labs.iter().flat_map(|lab| session.checkout.answers(lab)) {
        let file = to.join(answer.file.strip_prefix(from).unwrap_or(&answer.file));
        fs::copy(&answer.starter, &file)
            .map_err(|error| Trouble::cannot("copy", &answer.starter, error))?;
    }
    // 3. A workspace without the crate, and a list of the graders' files as they
    // are there.
    for member in [REFERENCE, MUTANTS] {
        without_member(&to.join("Cargo.toml"), member)?;
    }
    shrink_lock(to)?;
    let labs = to.join("labs");
    let list = graders::sums(&labs).map(|lines| lines.join("\n") + "\n");
    list.and_then(|list| fs::write(labs.join(graders::LIST), list))
        .map_err(|error| Trouble::cannot("write", labs.join(graders::LIST), error))?;

    let (locale, path) = (session.locale(), to.display());
    let left_out = LEFT_OUT.join(", ");
    let text =
        t!("handout.made", locale = locale, path = path, count = taken.len(), left_out = left_out);
    println!("{text}");
    Ok(())
}

/// The files that git knows, by their path in the checkout.
fn tracked(top: &Path) -> Result<Vec<PathBuf>, Trouble> {
    let mut git = Command::new("git");
    git.arg("-C").arg(top).args(["ls-files", "-z"]).stdin(Stdio::null());
    let output = git.output().map_err(|error| Trouble::NoFileList { why: error.to_string() })?;
    if !output.status.success() {
        let why = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        return Err(Trouble::NoFileList { why });
    }
    let names = output.stdout.split(|byte| *byte == 0).filter(|name| !name.is_empty());
    let files = names.map(|name| PathBuf::from(OsStr::from_bytes(name)));
    // What was deleted and not committed is not there.
    Ok(files.filter(|file| top.join(file).symlink_metadata().is_ok()).collect())
}

fn must_be_empty(to: &Path) -> Result<(), Trouble> {
    match fs::read_dir(to).map(|mut entries| entries.next().is_none()) {
        Ok(true) => Ok(()),
        Ok(false) => Err(Trouble::NotEmpty { path: to.to_owned() }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(Trouble::cannot("readdir", to, error)),
    }
}

/// Whether a file is what a student begins with: `lab reset` needs it.
fn is_starter(file: &Path) -> bool {
    let is_named = |part: &OsStr| part.as_bytes().starts_with(b"starter");
    file.starts_with("labs/reference/src") && file.iter().any(is_named)
}

/// The reports on mistakes that a chapter shows by `{{#report LAB MISTAKE}}`.
fn shown_in_the_book(top: &Path, all: &[PathBuf]) -> Vec<PathBuf> {
    let chapters = all.iter().filter(|file| file.starts_with("book/src"));
    let texts = chapters.filter_map(|file| fs::read_to_string(top.join(file)).ok());
    let mut reports = Vec::new();
    for text in texts {
        for words in text.split("{{#report ").skip(1).filter_map(|rest| rest.split("}}").next()) {
            let Some((lab, mistake)) = words.split_once(' ') else { continue };
            let number = lab.split('-').next().unwrap_or(lab);
            let name = format!("matrix__lab_{number}__{mistake}.snap");
            reports.push(Path::new(REFERENCE).join("tests/snapshots").join(name));
        }
    }
    reports
}

/// Copies a file with its mode, a link as a link.
fn copy(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to.parent().expect("a file in a directory"))?;
    match fs::read_link(from) {
        Ok(target) => symlink(target, to),
        Err(_) => fs::copy(from, to).map(drop),
    }
}

/// Takes a crate out of the lists of a workspace.
fn without_member(manifest: &Path, member: &str) -> Result<(), Trouble> {
    let cannot = |error| Trouble::cannot("edit", manifest, error);
    let text = fs::read_to_string(manifest).map_err(cannot)?;
    let mut document: DocumentMut =
        text.parse().map_err(|error| cannot(io::Error::other(error)))?;
    for list in ["members", "default-members"] {
        if let Some(crates) = document["workspace"][list].as_array_mut() {
            crates.retain(|it| it.as_str() != Some(member));
        }
    }
    fs::write(manifest, document.to_string()).map_err(cannot)
}

/// Has cargo take out of Cargo.lock what only the left out crate needs: with
/// `--locked`, as a CI calls it, nothing may be left to change.
fn shrink_lock(top: &Path) -> Result<(), Trouble> {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["update", "--workspace", "--offline", "--quiet"]).current_dir(top);
    let status = cargo.stdin(Stdio::null()).stdout(Stdio::null()).status();
    let status = status.map_err(|error| Trouble::NoCargo { error })?;
    match status.success() {
        true => Ok(()),
        false => Err(Trouble::cannot("cargo update", top, io::Error::other(status.to_string()))),
    }
}
