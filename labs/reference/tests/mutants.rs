//! Judges the mutants of a lab's solution; `scripts/mutants` makes the modules with
//! them and runs this.

use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::{path::PathBuf, thread};

use labkit::exam::{self, Task};
use labkit::verdict::Verdict;
use labkit::{act, machine};

mod made {
    include!(env!("LAB_MUTANTS"));
}

fn main() -> ExitCode {
    // A process in a sandbox that is to answer.
    if let Some(number) = act::asked() {
        act::answer(made::ACTS, &made::answers(number.parse().expect("a number")));
    }
    // A process of this program that was started to grade one promise.
    if let Some(task) = Task::of_this_process() {
        return exam::tell(made::EXAM.examine(&task));
    }
    machine::stand_apart().expect("root may have a mount namespace");
    let next = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..exam::at_once() {
            scope.spawn(|| {
                let mut take = || next.fetch_add(1, Ordering::Relaxed);
                while let number = take()
                    && number < made::FUNCTIONS.len()
                {
                    println!(
                        "{}",
                        serde_json::json!({"number": number, "broken": first_broken(number)})
                    );
                }
            });
        }
    });
    ExitCode::SUCCESS
}

/// The first promise that a mutant breaks, and the diagnosis. Those on its own
/// function are tried first.
fn first_broken(number: usize) -> Option<(String, String)> {
    let function = made::FUNCTIONS[number];
    let mut promises = made::EXAM.lab().promises;
    promises.sort_by_key(|promise| promise.function != function);
    promises.into_iter().find_map(|promise| {
        let task = Task {
            lab: made::LAB.to_owned(),
            promise: promise.name.clone(),
            program: PathBuf::from("/proc/self/exe"),
            answer: number.to_string(),
            guarded: None,
        };
        match task.ask() {
            Ok(Verdict::Broken(finding)) => Some((promise.name, finding.code)),
            Ok(Verdict::Kept | Verdict::NotGradable(_)) => None,
            Err(error) => Some((promise.name, format!("the grader has failed: {error}"))),
        }
    })
}
