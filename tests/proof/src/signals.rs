//! SIGINT, SIGTERM and SIGHUP at any moment.

use std::process::Stdio;
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::ground::Ground;
use crate::parallel::attempt_all;
use crate::random::Random;
use crate::report::Section;
use crate::{Proof, Subject};

/// See the promise.
pub const SUBJECT: Subject = Subject {
    name: "signals",
    promise: "A signal at any moment of a run ends it in time, and leaves nothing behind.",
    lacking: || None,
    prove,
};

const SIGNALS: [Signal; 3] = [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP];

/// Where the moments of one report come from; every report has the same.
const SEED: u64 = 20_260_101;

fn prove(proof: &Proof, section: &mut Section) {
    let mut random = Random::new(SEED);
    let attempts: Vec<(Signal, u64)> = (0..proof.pick(60, 1000))
        .map(|_| (SIGNALS[random.below(3) as usize], random.below(1_000_000)))
        .collect();
    section.failures = attempt_all(proof, &attempts, attempt);
    section.figure("runs", attempts.len());
}

/// `when` is the moment, in millionths of what a run takes.
fn attempt(ground: &Ground, &(signal, when): &(Signal, u64)) -> Result<(), String> {
    let run = || {
        let mut command = ground.command(["run", "--name", &ground.name, "-v", &ground.volume()]);
        command.args(["-e", &format!("PROOF={}", ground.name), "sh", "-c", "echo >/file; exit 7"]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        command.spawn().expect("mydocker starts")
    };
    // How long a run takes just now: the machine has other work too.
    let begun = Instant::now();
    run().wait().expect("its end");
    let moment = begun.elapsed().mul_f64(when as f64 / 1e6);

    let child = run();
    // Not to wait for anything, but to hit another moment each time.
    sleep(moment);
    let _ = kill(Pid::from_raw(child.id() as i32), signal);
    let begun = Instant::now();
    let output = child.wait_with_output().expect("its end");
    let what = format!("{signal} after {moment:?}: {output:?}");
    if begun.elapsed() > Duration::from_secs(10) {
        return Err(format!("{what}\nended only after {:?}", begun.elapsed()));
    }
    ground.check_after_prune().map_err(|changes| format!("{what}\n{changes}"))
}
