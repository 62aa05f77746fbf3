//! `scripts/mutants [LAB…]`: what the graders do not ask for.
//!
//! Each solution is changed in one place at a time, and the lab's grader judges
//! what comes of it. A change that keeps every promise shows what is not asked for,
//! unless it is right: then it stands in explained/NN.toml with the reason.

mod explained;
mod operators;
mod program;

use std::env;
use std::fs;
use std::io::{self, BufRead, BufReader};
use std::process::{Command, ExitCode, Stdio};

use serde::Deserialize;

use explained::{Explained, flat};
use operators::{Mutant, mutants};
use program::{Program, top};

/// The labs whose answers are functions.
const LABS: [&str; 10] = ["01", "02", "03", "04", "05", "06", "07", "08", "10", "11"];

/// What the program says of a mutant, a line of JSON each.
#[derive(Debug, Deserialize)]
struct Judged {
    number: usize,
    /// The first promise that it breaks and the diagnosis; nothing if it breaks none.
    broken: Option<(String, String)>,
}

fn main() -> ExitCode {
    let mut labs: Vec<String> = env::args().skip(1).collect();
    let is_verbose = labs.iter().any(|it| it == "--all");
    labs.retain(|it| it != "--all");
    if labs.is_empty() {
        labs = LABS.map(str::to_owned).into();
    }
    if let Some(other) = labs.iter().find(|it| !LABS.contains(&it.as_str())) {
        eprintln!("mutants: {other:?} is no lab of these: {}", LABS.join(" "));
        return ExitCode::from(2);
    }
    let mut scores = String::from("| lab | tried | caught | explained | survive | unforeseen |\n");
    scores += "|---|---|---|---|---|---|\n";
    let mut is_all_known = true;
    for lab in labs {
        match judge(&lab, is_verbose) {
            Ok(score) => {
                is_all_known &= score.survive == 0;
                scores += &score.row(&lab);
            }
            Err(error) => {
                eprintln!("mutants: lab {lab}: {error}");
                is_all_known = false;
            }
        }
    }
    println!("{scores}");
    if is_all_known { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// How many mutants there were, and what became of them.
#[derive(Debug, Default)]
struct Score {
    tried: usize,
    caught: usize,
    explained: usize,
    survive: usize,
    /// Of those that were caught: without a name for what is wrong.
    unforeseen: usize,
}

impl Score {
    fn row(&self, lab: &str) -> String {
        let Score { tried, caught, explained, survive, unforeseen } = self;
        format!("| {lab} | {tried} | {caught} | {explained} | {survive} | {unforeseen} |\n")
    }
}

fn judge(lab: &str, is_verbose: bool) -> io::Result<Score> {
    let path = top().join(format!("labs/reference/src/lab_{lab}/solution.rs"));
    let solution = fs::read_to_string(path)?;
    let all = mutants(&solution).map_err(io::Error::other)?;
    let program = Program::build(lab, &solution, all)?;
    let explained = Explained::of(lab)?;

    let mut running = Command::new(&program.path).stdout(Stdio::piped()).spawn()?;
    let said = BufReader::new(running.stdout.take().expect("it is piped"));
    let mut score = Score { tried: program.mutants.len(), ..Score::default() };
    let mut survivors = Vec::new();
    for line in said.lines() {
        let judged: Judged = serde_json::from_str(&line?)?;
        let mutant = &program.mutants[judged.number];
        match (judged.broken, explained.why(mutant)) {
            (Some((promise, code)), _) => {
                score.caught += 1;
                score.unforeseen += usize::from(code.ends_with("/unforeseen"));
                if is_verbose {
                    println!("{}   {promise}: {code}", show(lab, mutant));
                }
            }
            (None, why) => {
                survivors.push(mutant);
                score.explained += usize::from(why.is_some());
                score.survive += usize::from(why.is_none());
                match why {
                    Some(why) if is_verbose => println!("{}   right: {why}", show(lab, mutant)),
                    Some(_) => {}
                    None => println!("{}   SURVIVES", show(lab, mutant)),
                }
            }
        }
    }
    if !running.wait()?.success() {
        return Err(io::Error::other("the program with the mutants has failed"));
    }
    for idle in explained.idle(&survivors) {
        println!("{lab}: no mutant survives any more that is explained: {}", flat(idle));
    }
    Ok(score)
}

/// `06:64 enter_with_pivot_root   chdir(new_root)?; -> (nothing)`.
fn show(lab: &str, mutant: &Mutant) -> String {
    let shown = |text: &str| if text.is_empty() { "(nothing)".to_owned() } else { flat(text) };
    let (was, is) = (shown(&mutant.was), shown(&mutant.is));
    format!("{lab}:{} {}   {was} -> {is}", mutant.line, mutant.function)
}
