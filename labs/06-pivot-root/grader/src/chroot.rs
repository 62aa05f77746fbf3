//! enter_with_chroot and break_out_of_chroot.

use std::fs;
use std::path::PathBuf;

use labkit::describe::{Failure, result};
use labkit::host::{Host, Seen};
use labkit::refuse::refuse;
use labkit::verdict::{Evidence, Finding, require};
use nix::errno::Errno;
use nix::libc::SYS_chroot;
use nix::sched::CloneFlags;
use nix::unistd::{chdir, chroot};
use serde::{Deserialize, Serialize};

use crate::{Answers, UNFORESEEN};

/// What the process finds after enter_with_chroot.
#[derive(Serialize, Deserialize)]
struct Entered {
    returned: Result<(), Failure>,
    /// Whether `/` has the file that only new_root has.
    root_is_new: bool,
    /// Whether the file of the host is found from the working directory.
    host_from_here: bool,
}

fn enter(answers: &Answers, host: &Host) -> Result<(Seen<Entered>, PathBuf), Finding> {
    let new_root = host.busybox("busybox");
    fs::write(new_root.join("etc/marker"), "").expect("a file in the scratch folder");
    let seen = host.call("enter_with_chroot", CloneFlags::empty(), || Entered {
        returned: (answers.enter_with_chroot)(&new_root).map_err(Failure::from),
        root_is_new: fs::exists("/etc/marker").unwrap_or(false),
        host_from_here: fs::exists("home/thesis.txt").unwrap_or(false),
    })?;
    Ok((seen, new_root))
}

fn diagnose(seen: &Seen<Entered>) -> Option<Finding> {
    let function = "enter_with_chroot";
    let entered = &seen.returned;
    if let Err(failure) = &entered.returned {
        return Some(
            Finding::new("answer/returned-error").word("function", function).word("error", failure),
        );
    }
    match (entered.root_is_new, entered.host_from_here) {
        (true, true) => Some(Finding::new("pivot-root/chroot-without-chdir")),
        (false, false) => Some(Finding::new("pivot-root/only-chdir")),
        (false, true) => Some(Finding::new("answer/did-nothing").word("function", function)),
        (true, false) => None,
    }
}

pub fn root(answers: &Answers, host: &Host) -> Result<(), Finding> {
    let (seen, new_root) = enter(answers, host)?;
    let root =
        Evidence::differs("readlink(\"/proc/PID/root\")", new_root.display(), seen.root.display());
    require(seen.returned.root_is_new, || vec![root], || diagnose(&seen), UNFORESEEN)
}

pub fn working_directory(answers: &Answers, host: &Host) -> Result<(), Finding> {
    let (seen, new_root) = enter(answers, host)?;
    let cwd =
        Evidence::differs("readlink(\"/proc/PID/cwd\")", new_root.display(), seen.cwd.display());
    let kept = seen.cwd == new_root && seen.returned.returned.is_ok();
    require(kept, || vec![cwd], || diagnose(&seen), UNFORESEEN)
}

pub fn failure(answers: &Answers, host: &Host) -> Result<(), Finding> {
    let new_root = host.busybox("refused");
    let function = "enter_with_chroot";
    let seen = host.call(function, CloneFlags::empty(), || {
        refuse(SYS_chroot, Errno::EPERM).expect("the kernel has seccomp");
        (answers.enter_with_chroot)(&new_root).map_err(Failure::from)
    })?;
    let evidence = || {
        let call = format!("{function}(new_root) while chroot(2) fails with EPERM");
        vec![Evidence::differs(call, "Err", result(&seen.returned))]
    };
    // An answer that calls no chroot at all has no error of it to ignore.
    let diagnosis = || match enter(answers, host) {
        Ok((seen, _)) => diagnose(&seen)
            .or_else(|| Some(Finding::new("pivot-root/error-ignored").word("function", function))),
        Err(finding) => Some(finding),
    };
    require(seen.returned.is_err(), evidence, diagnosis, UNFORESEEN)
}

/// What the process finds after break_out_of_chroot.
#[derive(Serialize, Deserialize)]
struct BrokenOut {
    returned: Result<(), Failure>,
    /// What it reads from the host's file, by its absolute path.
    absolute: Result<String, Failure>,
    /// Whether it finds the host's root by `..`, however often.
    relative: bool,
}

pub fn breakout(answers: &Answers, host: &Host) -> Result<(), Finding> {
    let new_root = host.busybox("busybox");
    let file = host.precious().file();
    let words = host.precious().words().expect("the host's file");
    let seen = host.call("break_out_of_chroot", CloneFlags::empty(), || {
        // Not the student's own: this promise is about the way out.
        chroot(&new_root).and_then(|()| chdir("/")).expect("the sandbox allows it");
        BrokenOut {
            returned: (answers.break_out_of_chroot)().map_err(Failure::from),
            absolute: fs::read_to_string(&file).map_err(Failure::from),
            relative: fs::exists(format!("{}{}", "../".repeat(64), file.display()))
                .unwrap_or(false),
        }
    })?;
    let found = &seen.returned;
    let kept = found.absolute.as_ref() == Ok(&words);
    let evidence = || {
        let read = format!("open({file:?}) after the breakout");
        vec![
            Evidence::differs(read, "Ok", result(&found.absolute)),
            Evidence::differs("readlink(\"/proc/PID/root\")", "/", seen.root.display()),
            Evidence::differs("readlink(\"/proc/PID/cwd\")", "/", seen.cwd.display()),
        ]
    };
    let diagnosis = || {
        let code = if let Err(failure) = &found.returned {
            return Some(
                Finding::new("answer/returned-error")
                    .word("function", "break_out_of_chroot")
                    .word("error", failure),
            );
        } else if found.relative {
            "pivot-root/breakout-not-finished"
        } else if !seen.root.starts_with(&new_root) {
            "pivot-root/breakout-stops-half-way"
        } else {
            "pivot-root/breakout-from-inside"
        };
        Some(Finding::new(code).word("root", seen.root.display()))
    };
    require(kept, evidence, diagnosis, UNFORESEEN)
}
