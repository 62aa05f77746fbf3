//! start, where something fails: a namespace, a step in the child, the command.

use std::ffi::CString;
use std::fs::{self, Permissions};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use labkit::describe::Failure;
use labkit::host::Host;
use labkit::proc::Proc;
use labkit::verdict::{Evidence, Finding, require};
use nix::mount::{MsFlags, mount};
use nix::sched::CloneFlags;
use nix::unistd::{chdir, chroot};

use crate::caller::{NAMESPACES, State, end_all_but, processes};
use crate::container::{Facts, Given, observe};
use crate::diagnosis::{Rule, finding};
use crate::{Answers, UNFORESEEN};

/// Docker's exit codes for a container that has not come to run.
pub const FAILED: i32 = 125;
const CANNOT_BE_EXECUTED: i32 = 126;
const NOT_FOUND: i32 = 127;

/// What the process that has called start sees.
struct Attempted {
    returned: Result<i32, Failure>,
    state: State,
    /// What has been printed, by the child too.
    printed: String,
}

/// Calls start, in this root directory or in the host's, and waits for the end of
/// what it has started.
fn attempt(
    answers: &Answers,
    host: &Host,
    root: Option<&Path>,
    command: &[&Path],
) -> Result<Attempted, Finding> {
    let words = command.iter().map(|word| CString::new(word.as_os_str().as_bytes()));
    let command = words.collect::<Result<Vec<_>, _>>().expect("no NUL in them");
    let seen = host.call("start", CloneFlags::empty(), || {
        let proc = Proc::open().expect("the host has /proc");
        let before = processes(&proc);
        if let Some(root) = root {
            chroot(root).and_then(|()| chdir("/")).expect("the sandbox allows it");
        }
        let returned = (answers.start)(&command).map(|pid| pid.as_raw());
        let state = State::at_the_end_of(*returned.as_ref().unwrap_or(&0));
        end_all_but(&before, &proc);
        (returned.map_err(Failure::from), state)
    })?;
    let (returned, state) = seen.returned;
    Ok(Attempted { returned, state, printed: seen.printed })
}

impl Attempted {
    /// The error, or what has become of the process.
    fn in_words(&self) -> String {
        match &self.returned {
            Ok(_) => self.state.to_string(),
            Err(failure) => failure.to_string(),
        }
    }

    fn ended_with(&self, code: i32) -> bool {
        self.state == State::Ended(code)
    }

    fn require(
        &self,
        kept: bool,
        evidence: impl FnOnce() -> Vec<Evidence>,
        found: Option<Finding>,
    ) -> Result<(), Finding> {
        require(kept, evidence, || found, UNFORESEEN)
            .map_err(|finding| Finding { printed: self.printed.clone(), ..finding })
    }

    /// Why the caller has not been told rightly of a command that did not run.
    fn diagnose(&self) -> Option<Finding> {
        match (&self.returned, self.state) {
            (Ok(_), State::Running) => None,
            (Ok(_), State::NoChild) => {
                Some(Finding::new("answer/did-nothing").word("function", "start"))
            }
            (Ok(_), State::Reaped) => Some(finding("start-waits")),
            (Ok(_), State::Ended(0)) => Some(finding("failure-is-success")),
            (Ok(_), State::Ended(_)) | (Err(_), _) => Some(finding("wrong-failure-code")),
        }
    }
}

/// The promise is kept if the command has not run where something says `refusal`,
/// and the caller was told so. If it has run, `missing` knows whether there was a
/// step at all that could fail, from a container where all goes well.
fn must_not_run(
    answers: &Answers,
    host: &Host,
    refusal: &str,
    attempted: &Attempted,
    has_run: bool,
    missing: Rule,
) -> Result<(), Finding> {
    let told = attempted.returned.is_err() || attempted.ended_with(FAILED);
    let found = match has_run {
        false => attempted.diagnose(),
        true => missing(&observe(answers, host, Given::Path)?)
            .or_else(|| Some(finding("failed-step-ignored"))),
    };
    let evidence = || {
        let ran = if has_run { "Ok" } else { "-" };
        let ended = State::Ended(FAILED).to_string();
        let mut evidence = Vec::new();
        for (what, promised, seen) in [
            (format!("execve(…), {refusal}"), "-".to_owned(), ran.to_owned()),
            (format!("waitid(PID), {refusal}"), ended, attempted.in_words()),
        ] {
            if promised != seen {
                evidence.push(Evidence::differs(what, promised, seen));
            }
        }
        evidence
    };
    attempted.require(told && !has_run, evidence, found)
}

pub fn refused_namespaces(answers: &Answers, host: &Host) -> Result<(), Finding> {
    let root = host.busybox("root");
    let trace = host.path("has-run");
    limit_namespaces(0);
    let attempted = attempt(answers, host, None, &[&root.join("bin/touch"), &trace])?;
    limit_namespaces(1000);
    let refusal = "where clone(2) says ENOSPC";
    let missing = |facts: &Facts| {
        let has_some = NAMESPACES.iter().any(|kind| facts.is_new(kind));
        if has_some { None } else { facts.namespaces() }
    };
    must_not_run(answers, host, refusal, &attempted, trace.exists(), missing)
}

/// How many new namespaces of each kind there may be. See namespaces(7).
fn limit_namespaces(count: u32) {
    for kind in NAMESPACES {
        let path = format!("/proc/sys/user/max_{kind}_namespaces");
        fs::write(path, count.to_string()).expect("the sandbox's own limit");
    }
}

pub fn failed_step(answers: &Answers, host: &Host) -> Result<(), Finding> {
    let command = [Path::new("/bin/touch"), Path::new("/has-run")];

    // 1. A root that is no mount point: it cannot be made private.
    let root = host.busybox("root");
    let attempted = attempt(answers, host, Some(&root), &command)?;
    let has_run = root.join("has-run").exists();
    let refusal = "where mount(2) says EINVAL for /";
    let missing = |facts: &Facts| if facts.root_is_shared() { facts.propagation() } else { None };
    must_not_run(answers, host, refusal, &attempted, has_run, missing)?;

    // 2. One that is a mount point, with a file for /proc.
    let attempted = attempt_without_proc(answers, host, &command)?;
    let has_run = host.path(WITHOUT_PROC).join("has-run").exists();
    let refusal = "where mount(2) says ENOTDIR for /proc";
    let missing = |facts: &Facts| (!facts.proc_is_mounted()).then(|| finding("proc-not-mounted"));
    must_not_run(answers, host, refusal, &attempted, has_run, missing)
}

/// The root directory that has a file for /proc.
const WITHOUT_PROC: &str = "mounted";

fn attempt_without_proc(
    answers: &Answers,
    host: &Host,
    command: &[&Path],
) -> Result<Attempted, Finding> {
    let busybox = host.path("root");
    let mounted = root_without_proc(&busybox, host.path(WITHOUT_PROC));
    attempt(answers, host, Some(&mounted.expect("the sandbox allows it")), command)
}

/// Makes a root directory that has `touch`, and no place for a proc.
fn root_without_proc(busybox: &Path, root: PathBuf) -> io::Result<PathBuf> {
    let nothing: Option<&str> = None;
    fs::create_dir_all(root.join("bin"))?;
    fs::hard_link(busybox.join("bin/touch"), root.join("bin/touch"))?;
    fs::write(root.join("proc"), "")?;
    mount(Some(&root), &root, nothing, MsFlags::MS_BIND, nothing)?;
    Ok(root)
}

pub fn says_why(answers: &Answers, host: &Host) -> Result<(), Finding> {
    host.busybox("root");
    let nothing = host.path("nothing");
    let closed = closed_file(host);
    let touch = [Path::new("/bin/touch"), Path::new("/has-run")];
    for (what, attempted) in [
        ("no such command", attempt(answers, host, None, &[&nothing])?),
        ("a command that may not be executed", attempt(answers, host, None, &[&closed])?),
        ("where mount(2) says ENOTDIR for /proc", attempt_without_proc(answers, host, &touch)?),
    ] {
        let has_run = host.path(WITHOUT_PROC).join("has-run").exists();
        let said = !attempted.printed.trim().is_empty();
        let found = match attempted.state {
            State::Ended(_) => Some(finding("failure-not-told")),
            _ => attempted.diagnose(),
        };
        let evidence = || vec![Evidence::differs(format!("stderr, {what}"), "some words", "-")];
        attempted.require(said || has_run || attempted.returned.is_err(), evidence, found)?;
    }
    Ok(())
}

pub fn missing_command(answers: &Answers, host: &Host) -> Result<(), Finding> {
    cannot_be_executed(answers, host, &host.path("nothing"), NOT_FOUND)
}

pub fn closed_command(answers: &Answers, host: &Host) -> Result<(), Finding> {
    cannot_be_executed(answers, host, &closed_file(host), CANNOT_BE_EXECUTED)
}

/// A script that may not be executed.
fn closed_file(host: &Host) -> PathBuf {
    let path = host.path("closed");
    fs::write(&path, "#!/bin/sh\n").expect("a file in the scratch folder");
    fs::set_permissions(&path, Permissions::from_mode(0o644)).expect("it is ours");
    path
}

fn cannot_be_executed(
    answers: &Answers,
    host: &Host,
    command: &Path,
    code: i32,
) -> Result<(), Finding> {
    let attempted = attempt(answers, host, None, &[command])?;
    let evidence = || {
        let what = format!("waitid(PID) after start([{command:?}])");
        vec![Evidence::differs(what, State::Ended(code), attempted.in_words())]
    };
    let mut found = attempted.diagnose();
    if attempted.ended_with(FAILED) {
        // Perhaps it never came so far as to execute anything.
        found = observe(answers, host, Given::Path)?.did_not_run().or(found);
    }
    attempted.require(attempted.ended_with(code), evidence, found)
}
