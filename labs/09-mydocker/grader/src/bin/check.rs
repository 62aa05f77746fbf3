//! `check PROGRAM ADAPTER PROMISE…`: grades a program and prints the verdicts as
//! JSON, by promise. `cargo lab check` reads them.

use std::collections::BTreeMap;
use std::env;
use std::num::NonZero;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Mutex;
use std::thread;

use lab_09_grader::request::{Request, read_adapter};
use labkit::exam;
use labkit::verdict::Verdict;

/// The exit code when a program could not be graded.
const NOT_GRADED: u8 = 2;

fn main() -> ExitCode {
    // A process of this program that was started to grade one promise.
    if let Some(asked) = exam::graded_here() {
        return exam::tell(Request::answer(&asked));
    }
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [program, adapter, promises @ ..] = arguments.as_slice() else {
        eprintln!("usage: check PROGRAM ADAPTER PROMISE…");
        return ExitCode::from(NOT_GRADED);
    };
    match grade(Path::new(program), adapter, promises) {
        Ok(verdicts) => {
            println!("{}", serde_json::to_string(&verdicts).expect("plain data"));
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(NOT_GRADED)
        }
    }
}

type Verdicts = BTreeMap<String, Verdict>;

fn grade(program: &Path, adapter: &str, promises: &[String]) -> Result<Verdicts, String> {
    read_adapter(adapter)?;
    std::fs::read(program).map_err(|error| format!("{}: {error}", program.display()))?;
    let request = |promise: &String| Request {
        program: program.to_owned(),
        adapter: adapter.to_owned(),
        promise: promise.clone(),
    };
    ask_all(promises.iter().map(request).collect())
}

/// Grades several promises at once, one on each processor.
fn ask_all(requests: Vec<Request>) -> Result<Verdicts, String> {
    let waiting = Mutex::new(requests.into_iter());
    let next = || waiting.lock().expect("no thread panics").next();
    let work = || -> Result<Verdicts, String> {
        let mut verdicts = Verdicts::new();
        while let Some(request) = next() {
            verdicts.insert(request.promise.clone(), request.ask()?);
        }
        Ok(verdicts)
    };
    thread::scope(|scope| {
        let processors = thread::available_parallelism().map_or(1, NonZero::get);
        let workers: Vec<_> = (0..processors).map(|_| scope.spawn(work)).collect();
        let mut all = Verdicts::new();
        for worker in workers {
            all.extend(worker.join().expect("no thread panics")?);
        }
        Ok(all)
    })
}
