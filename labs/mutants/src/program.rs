//! One program with all mutants of a lab in it, each as a module: compiling them
//! one by one would take an hour.

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::Deserialize;

use crate::operators::Mutant;

/// The variable by which the program finds the modules, see reference/tests/mutants.rs.
const MODULES: &str = "LAB_MUTANTS";
/// The errors of a compiler hide one another: it is asked so often, at most.
const ROUNDS: usize = 8;

/// The program.
#[derive(Debug)]
pub struct Program {
    /// Where it is.
    pub path: PathBuf,
    /// The mutants in it, in the order of their numbers; the others do not compile.
    pub mutants: Vec<Mutant>,
}

impl Program {
    /// Compiles it.
    ///
    /// # Errors
    /// A file cannot be written, cargo not be run, or the compiler complains of
    /// something that no mutant has changed.
    pub fn build(lab: &str, solution: &str, mut mutants: Vec<Mutant>) -> io::Result<Program> {
        let folder = top().join("target/mutants");
        fs::create_dir_all(&folder)?;
        let file = folder.join(format!("lab_{lab}.rs"));
        for _ in 0..ROUNDS {
            let (text, starts) = modules(lab, solution, &mutants);
            fs::write(&file, text)?;
            let built = cargo(&file)?;
            if let Some(path) = built.executable {
                return Ok(Program { path, mutants });
            }
            let at = |line| starts.range(..=line).next_back().map(|(_, number)| *number);
            let wrong: Option<BTreeSet<usize>> = built.errors.into_iter().map(at).collect();
            let wrong = wrong.ok_or_else(|| io::Error::other("an error in what all have"))?;
            let mut number = 0..;
            mutants.retain(|_| !wrong.contains(&number.next().expect("endless")));
        }
        Err(io::Error::other("there is no end of errors"))
    }
}

/// The checkout.
pub fn top() -> &'static Path {
    let labs = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the directory labs");
    labs.parent().expect("the checkout")
}

/// The modules, and at which line each begins, from 1.
fn modules(lab: &str, solution: &str, mutants: &[Mutant]) -> (String, BTreeMap<usize, usize>) {
    let mut text = format!(
        "use lab_reference::lab_{lab}::SOLUTION;\n\
         pub use lab_{lab}_grader::{{ACTS, Answers, EXAM}};\n\
         pub const LAB: &str = {lab:?};\n"
    );
    let functions: Vec<&str> = mutants.iter().map(|mutant| mutant.function.as_str()).collect();
    text += &format!("pub const FUNCTIONS: &[&str] = &{functions:?};\n");
    text += "pub fn answers(number: usize) -> Answers {\n    match number {\n";
    let fields: String = answers(lab).iter().map(|it| format!("{it}: m#::{it}, ")).collect();
    for number in 0..mutants.len() {
        let fields = fields.replace("m#", &format!("m{number}"));
        text += &format!("        {number} => Answers {{ {fields}..SOLUTION }},\n");
    }
    text += "        _ => panic!(\"no mutant {number}\"),\n    }\n}\n";

    let mut starts = BTreeMap::new();
    for (number, mutant) in mutants.iter().enumerate() {
        starts.insert(text.lines().count() + 1, number);
        text += &format!("#[allow(warnings)]\nmod m{number} {{\n{}}}\n", mutant.apply(solution));
    }
    (text, starts)
}

/// The functions of a lab's answers, as reference/src/lab_NN.rs lists them.
fn answers(lab: &str) -> Vec<String> {
    let path = top().join(format!("labs/reference/src/lab_{lab}.rs"));
    let text = fs::read_to_string(path).expect("every lab has one");
    let from_solution = text.split("solution::").skip(1);
    let names = from_solution.map(|rest| {
        rest.chars().take_while(|it| it.is_alphanumeric() || *it == '_').collect::<String>()
    });
    let names: BTreeSet<String> = names.collect();
    names.into_iter().collect()
}

/// What cargo has done.
struct Done {
    /// The lines of the modules that the compiler complains of.
    errors: Vec<usize>,
    executable: Option<PathBuf>,
}

/// What cargo says, a line of JSON each. See "External tools" in its book.
#[derive(Deserialize)]
struct Said {
    message: Option<Message>,
    target: Option<Target>,
    executable: Option<PathBuf>,
}

#[derive(Deserialize)]
struct Target {
    name: String,
}

#[derive(Deserialize)]
struct Message {
    level: String,
    rendered: Option<String>,
    spans: Vec<Place>,
}

#[derive(Deserialize)]
struct Place {
    file_name: PathBuf,
    line_start: usize,
    is_primary: bool,
    expansion: Option<Box<Expansion>>,
}

/// Where a macro was called that the place is in.
#[derive(Deserialize)]
struct Expansion {
    span: Place,
}

impl Place {
    /// The line of the modules that it is in, or that calls the macro that it is in.
    fn line_in(&self, modules: &Path) -> Option<usize> {
        if modules.ends_with(&self.file_name) {
            return Some(self.line_start);
        }
        self.expansion.as_ref().and_then(|it| it.span.line_in(modules))
    }
}

fn cargo(modules: &Path) -> io::Result<Done> {
    let output = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["test", "--no-run", "--package", "lab-reference"])
        .args(["--features", "mutants", "--test", "mutants", "--message-format", "json"])
        // Nobody debugs it, and it has a hundred copies of everything.
        .args(["--config", "profile.dev.package.lab-reference.debug=0"])
        .env(MODULES, modules)
        .current_dir(top())
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()?;
    let said = output.stdout.split(|byte| *byte == b'\n');
    let said = said.filter_map(|line| serde_json::from_slice::<Said>(line).ok());
    let mut done = Done { errors: Vec::new(), executable: None };
    for it in said {
        // Programs that tests may call are built, too.
        let is_ours = it.target.is_some_and(|target| target.name == "mutants");
        done.executable = it.executable.filter(|_| is_ours).or(done.executable);
        let Some(message) = it.message.filter(|message| message.level == "error") else { continue };
        let places = message.spans.iter().filter(|place| place.is_primary);
        let lines: Vec<usize> = places.filter_map(|place| place.line_in(modules)).collect();
        // "aborting due to 12 errors" has no place; something else has another one.
        if lines.is_empty() && !message.spans.is_empty() {
            return Err(io::Error::other(message.rendered.unwrap_or_default()));
        }
        done.errors.extend(lines);
    }
    if !output.status.success() {
        done.executable = None;
    }
    if done.executable.is_none() && done.errors.is_empty() {
        return Err(io::Error::other("cargo has failed"));
    }
    Ok(done)
}
