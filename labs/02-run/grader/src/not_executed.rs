//! start, where the command cannot be executed.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use labkit::frame::{Rules, rule};
use labkit::host::Host;
use labkit::verdict::{Evidence, Finding};
use nix::errno::Errno::{E2BIG, EIO, ELOOP, ENOEXEC, ETXTBSY};
use nix::libc::{SYS_execve, SYS_execveat};

use crate::attempt::{
    Attempt, FAILED, NOT_TOLD, PID_1_ENDED, PROGRAMS, attempt, attempt_where, attempt_without_proc,
    rules,
};
use crate::child::State;
use crate::container::{Given, observe};
use crate::running::RUN;

/// Docker's exit codes for a command that cannot be executed, and one that is not there.
const CANNOT_BE_EXECUTED: i32 = 126;
pub const NOT_FOUND: i32 = 127;

pub fn says_why(host: &Host) -> Result<(), Finding> {
    static RULES: Rules<Attempt> = rules(&[
        &[
            PID_1_ENDED,
            rule("told-on-stdout", |it| !it.printed.trim().is_empty()),
            rule("failure-not-told", |it| matches!(it.state, State::Ended(_))),
        ],
        NOT_TOLD,
    ]);
    host.busybox("root");
    let (nothing, closed) = (host.path("nothing"), closed_file(host));
    for (what, attempt) in [
        ("no such command", attempt(host, None, &[&nothing])?),
        ("a command that may not be executed", attempt(host, None, &[&closed])?),
        ("where mount(2) says ENOTDIR for /proc", attempt_without_proc(host)?),
    ] {
        let said = !attempt.said.trim().is_empty();
        let kept = said || attempt.has_run || attempt.returned.is_err();
        attempt.judge(&RULES, kept, || {
            vec![Evidence::differs(format!("stderr, {what}"), "some words", "-")]
        })?;
    }
    Ok(())
}

pub fn missing_command(host: &Host) -> Result<(), Finding> {
    cannot_be_executed(host, &host.path("nothing"), NOT_FOUND)?;
    // A name is looked for in `$PATH`, and nowhere else.
    let name = "only-here";
    script(&host.path(name), 0o755);
    by_name(host, name, NOT_FOUND)?;
    // The script exists. execve(2) returns ENOENT because of its interpreter.
    let name = "without-its-interpreter";
    let path = host.path(name);
    for file in [&path, &host.path(PROGRAMS).join(name)] {
        script_of(&host.path("nothing"), file, 0o755);
    }
    cannot_be_executed(host, &path, NOT_FOUND)?;
    by_name(host, name, NOT_FOUND)
}

pub fn closed_command(host: &Host) -> Result<(), Finding> {
    cannot_be_executed(host, &closed_file(host), CANNOT_BE_EXECUTED)?;
    let name = "closed-in-path";
    script(&host.path(PROGRAMS).join(name), 0o644);
    by_name(host, name, CANNOT_BE_EXECUTED)?;
    // Whatever else execve(2) can return. For ENOTDIR, some shells end with 126, others with 127.
    let touch = host.busybox("root").join("bin/touch");
    for errno in [ENOEXEC, ELOOP, E2BIG, ETXTBSY, EIO] {
        let attempt = attempt_where(host, None, &[&touch], |call| call.refusing(EXECUTING, errno))?;
        let what = format!("waitid(PID), where execve(2) says {errno:?}");
        ends_with(host, &attempt, CANNOT_BE_EXECUTED, what)?;
    }
    Ok(())
}

/// The calls by which a program is executed.
const EXECUTING: &[i64] = &[SYS_execve, SYS_execveat];

/// An answer that finds no command by its name is not blamed for that here.
fn by_name(host: &Host, name: &str, code: i32) -> Result<(), Finding> {
    match observe(host, Given::Name)?.runs() {
        true => cannot_be_executed(host, Path::new(name), code),
        false => Ok(()),
    }
}

/// A script that may not be executed.
fn closed_file(host: &Host) -> PathBuf {
    let path = host.path("closed");
    script(&path, 0o644);
    path
}

fn script(path: &Path, mode: u32) {
    script_of(Path::new("/bin/sh"), path, mode);
}

fn script_of(interpreter: &Path, path: &Path, mode: u32) {
    let folder = path.parent().expect("a file in a directory");
    fs::create_dir_all(folder)
        .and_then(|()| fs::write(path, format!("#!{}\n", interpreter.display())))
        .and_then(|()| fs::set_permissions(path, Permissions::from_mode(mode)))
        .expect("a file in the scratch directory");
}

fn cannot_be_executed(host: &Host, command: &Path, code: i32) -> Result<(), Finding> {
    let attempt = attempt(host, None, &[command])?;
    ends_with(host, &attempt, code, format!("waitid(PID) after start([{command:?}])"))
}

/// The promise is kept if the child has ended with this code.
fn ends_with(host: &Host, attempt: &Attempt, code: i32, what: String) -> Result<(), Finding> {
    static RULES: Rules<Attempt> = rules(&[NOT_TOLD]);
    let evidence = || vec![Evidence::differs(what, State::Ended(code), attempt.in_words())];
    if attempt.state == State::Ended(FAILED) {
        // Perhaps it never came so far as to execute anything.
        if let Some(found) = RUN.diagnose(&observe(host, Given::Path)?) {
            return Err(found.with(evidence()));
        }
    }
    attempt.judge(&RULES, attempt.state == State::Ended(code), evidence)
}
