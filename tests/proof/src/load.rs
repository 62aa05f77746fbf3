//! Many containers at the same moment.

use std::process::Stdio;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::thread::scope;
use std::time::{Duration, Instant};

use crate::ground::{Ground, has_limits};
use crate::report::Section;
use crate::{Proof, Subject};

/// See the promise.
pub const SUBJECT: Subject = Subject {
    name: "load",
    promise: "Fifty containers at a time, with ps and prune beside them: each ends with its own \
              exit code, none is taken for a left-over one, and nothing is left behind.",
    lacking: || None,
    prove,
};

/// How many run at the same moment.
const AT_ONCE: u64 = 50;

fn prove(proof: &Proof, section: &mut Section) {
    let ground = Ground::new(proof);
    let deadline = Instant::now() + proof.pick(Duration::from_secs(3), Duration::from_secs(60));
    let (runs, lists, prunes) = (AtomicU64::new(0), AtomicU64::new(0), AtomicU64::new(0));
    let failures = Mutex::new(Vec::new());
    // Again and again until the time is over; what fails once has failed.
    let repeat = |count: &AtomicU64, attempt: &dyn Fn() -> Result<(), String>| {
        while Instant::now() < deadline {
            if let Err(failure) = attempt() {
                return failures.lock().expect("no panic here").push(failure);
            }
            count.fetch_add(1, Relaxed);
        }
    };
    scope(|scope| {
        for number in 0..AT_ONCE {
            let (repeat, runs, ground) = (&repeat, &runs, &ground);
            scope.spawn(move || repeat(runs, &|| run(ground, number)));
        }
        // A container that is not even half made has no owner yet: they may
        // not take it for one that has lost its owner.
        scope.spawn(|| repeat(&lists, &|| look(&ground, "ps", "left over")));
        scope.spawn(|| repeat(&prunes, &|| look(&ground, "prune", "container ")));
    });
    section.failures = failures.into_inner().expect("no panic here");
    section.failures.extend(ground.finish());
    section.figure("containers at a time", AT_ONCE);
    section.figure("runs", runs.into_inner());
    section.figure("calls of ps beside them", lists.into_inner());
    section.figure("calls of prune beside them", prunes.into_inner());
}

/// A run whose exit code is no other's; a second one has a control group too.
fn run(ground: &Ground, number: u64) -> Result<(), String> {
    let (name, code) = (format!("{}-{number}", ground.name), number + 1);
    let mut command = ground.command(["run", "--name", &name, "-v", &ground.volume()]);
    if number.is_multiple_of(2) && has_limits() {
        command.args(["--pids-limit", "20"]);
    }
    command.args(["sh", "-c", &format!("echo $$ >/file; cat /volume/canary; exit {code}")]);
    let output = command.stdin(Stdio::null()).output().expect("mydocker starts");
    let as_promised = output.status.code() == Some(code as i32)
        && output.stdout == b"sings"
        && output.stderr.is_empty();
    if as_promised { Ok(()) } else { Err(format!("{name}: {output:?}")) }
}

fn look(ground: &Ground, command: &str, wrong: &str) -> Result<(), String> {
    let output = ground.command([command]).output().expect("mydocker starts");
    let said = String::from_utf8_lossy(&output.stdout);
    if output.status.success() && !said.contains(wrong) {
        Ok(())
    } else {
        Err(format!("{command}: {output:?}"))
    }
}
