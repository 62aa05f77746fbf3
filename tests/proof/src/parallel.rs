//! Many attempts on all processors, each worker on a host of its own.

use std::io::{IsTerminal, stderr};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread;

use crate::Proof;
use crate::ground::Ground;

/// Makes every attempt, and returns those promises that were not kept. An
/// attempt that panics is a failure like another one.
pub fn attempt_all<'a, Attempt: Sync>(
    proof: &Proof,
    attempts: &'a [Attempt],
    attempt: impl Fn(&Ground, &'a Attempt) -> Result<(), String> + Sync,
) -> Vec<String> {
    let (next, failures) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let work = || {
        let mut ground = Ground::new(proof);
        while let Some(this) = attempts.get(next.fetch_add(1, Relaxed)) {
            let outcome = catch_unwind(AssertUnwindSafe(|| attempt(&ground, this)));
            let outcome = outcome.unwrap_or_else(|panic| Err(text_of(&*panic)));
            if let Err(failure) = outcome {
                failures.lock().expect("no panic here").push(failure);
                // What is left there would be taken for the next one's.
                std::mem::replace(&mut ground, Ground::new(proof)).abandon();
            }
            show_progress(next.load(Relaxed).min(attempts.len()), attempts.len());
        }
        failures.lock().expect("no panic here").extend(ground.finish());
    };
    thread::scope(|scope| {
        let workers = thread::available_parallelism().map_or(1, usize::from).min(attempts.len());
        let workers: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
        for worker in workers {
            if let Err(panic) = worker.join() {
                failures.lock().expect("no panic here").push(text_of(&*panic));
            }
        }
    });
    failures.into_inner().expect("no panic here")
}

fn text_of(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().cloned();
    text.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string))
        .unwrap_or("a panic without words".into())
}

fn show_progress(done: usize, of: usize) {
    if stderr().is_terminal() && (done == of || done.is_multiple_of(10)) {
        let end = if done == of { "\n" } else { "" };
        eprint!("\r  {done} of {of}{end}");
    }
}
