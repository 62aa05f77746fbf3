//! Generated archives and stacks of layers, imported and unpacked by umoci.

mod formats;
mod generate;
mod model;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Mutex;

use mydocker_kernel::delete::delete_tree;
use nix::unistd::geteuid;

use crate::ground::Ground;
use crate::hostile_tars::{lacking, look, merged, others, write_source};
use crate::parallel::attempt_all;
use crate::report::Section;
use crate::{Proof, Subject};
use generate::{Made, Stack};

/// See the promise.
pub const SUBJECT: Subject = Subject {
    name: "differential-import",
    promise: "Generated archives and stacks of layers become the tree that umoci makes of them, \
              or the difference is one of those listed, each with its reason.",
    lacking,
    prove,
};

/// The number from which the stacks are generated; another one makes others.
const SEED: &str = "PROOF_SEED";

/// What may come of a stack.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Outcome {
    /// Both trees are the same.
    Same,
    /// Neither takes it.
    Refused,
    /// They are not, and why that is right.
    Differs(&'static str),
}

fn prove(proof: &Proof, section: &mut Section) {
    let seed = std::env::var(SEED).ok().and_then(|seed| seed.parse().ok()).unwrap_or(1);
    let count = proof.pick(24, 600);
    // Only root can see several layers as one tree here.
    let most_layers = if geteuid().is_root() { 4 } else { 1 };
    let stacks: Vec<Stack> =
        (0..count).map(|number| Stack::generate(seed, number, most_layers)).collect();
    let outcomes = Mutex::new(BTreeMap::<Outcome, Vec<String>>::new());
    section.failures = attempt_all(proof, &stacks, |ground, stack| {
        let outcome = attempt(ground, stack)
            .map_err(|error| format!("{SEED}={seed}, {}: {error}\n{stack:?}", stack.name))?;
        let mut outcomes = outcomes.lock().expect("no panic here");
        outcomes.entry(outcome).or_default().push(stack.name.clone());
        Ok(())
    });
    section.figure("seed", seed);
    section.figure("stacks", count);
    let mut rows = Vec::new();
    for (outcome, names) in outcomes.into_inner().expect("no panic here") {
        match outcome {
            Outcome::Same => section.figure("trees that are the same", names.len()),
            Outcome::Refused => section.figure("refused by both", names.len()),
            Outcome::Differs(reason) => {
                let examples = names[..names.len().min(3)].join(", ");
                rows.push(vec![names.len().to_string(), reason.into(), examples]);
            }
        }
    }
    section.table("Differences", &["stacks", "reason", "such as"], rows);
}

fn attempt(ground: &Ground, stack: &Stack) -> Result<Outcome, String> {
    let work = ground.host.path("work");
    delete_tree(&work).map_err(|error| error.to_string())?;
    fs::create_dir(&work).map_err(|error| error.to_string())?;
    let ours = import(ground, &stack.archives(), &work);
    let theirs = umoci(&stack.archives(), &work.join("umoci"));
    let mut outcome = judge(stack, &work, ours, theirs);
    if outcome.is_err() && is_by_order(ground, stack, &work) {
        outcome = Ok(Outcome::Differs(LATE));
    }
    delete_tree(&work).map_err(|error| error.to_string())?;
    let untouched = ground.check();
    outcome.and_then(|outcome| untouched.map(|()| outcome))
}

/// The tree that `mydocker` shows of an image, or its error.
fn import(
    ground: &Ground,
    layers: &[Vec<u8>],
    work: &Path,
) -> Result<Result<String, String>, String> {
    let source = write_source(layers, work);
    let import = ["image", "import", "it", source.to_str().expect("UTF-8")];
    let said = ground.command(import).output().expect("mydocker starts");
    match said.status.code() {
        Some(0) => {}
        Some(125) => return Ok(Err(String::from_utf8_lossy(&said.stderr).into_owned())),
        _ => return Err(format!("{said:?}")),
    }
    let folder = ground.host.images().join("it/layers");
    let seen = match layers.len() {
        1 => Ok(look(&folder.join("00"))),
        count => merged(&folder, count, work),
    };
    let removed = ground.command(["image", "rm", "it"]).status().expect("mydocker starts");
    match removed.success() {
        true => seen.map(Ok),
        false => Err("the image cannot be removed".into()),
    }
}

/// The tree that umoci makes of the same layers, or its error.
fn umoci(layers: &[Vec<u8>], folder: &Path) -> Result<String, String> {
    others::umoci(layers, folder)?;
    Ok(look(&folder.join("bundle/rootfs")))
}

fn judge(
    stack: &Stack,
    work: &Path,
    ours: Result<Result<String, String>, String>,
    theirs: Result<String, String>,
) -> Result<Outcome, String> {
    let (ours, theirs) = match (ours?, theirs) {
        (Ok(ours), Ok(theirs)) if comparable(&ours) == comparable(&theirs) => {
            return Ok(Outcome::Same);
        }
        (Err(_), Err(_)) => return Ok(Outcome::Refused),
        (Err(error), Ok(_)) => {
            return Stack::why_refused(&error).map(Outcome::Differs).ok_or(error);
        }
        (Ok(ours), theirs) => (ours, theirs),
    };
    // What would make umoci's tree ours is the reason, tried from the least on.
    let known = stack.in_formats_of_umoci();
    let first = known.with_deletions_first();
    let explanations = [
        (known.clone(), FORMAT),
        (first.clone(), ORDER),
        (first.without_deletions_below(Made::Files), REPLACED),
        (first.without_deletions_below(Made::Entries), REPLACED),
        (first.without_deletions_below(Made::Implied), REPLACED),
    ];
    let mut seen = format!("--- mydocker\n{ours}--- umoci\n{}", either(theirs));
    for (number, (other, reason)) in explanations.into_iter().enumerate() {
        let theirs = umoci(&other.archives(), &work.join(number.to_string()));
        let is = |form: fn(&str) -> String| {
            theirs.as_ref().is_ok_and(|theirs| form(&ours) == form(theirs))
        };
        if is(comparable) {
            return Ok(Outcome::Differs(reason));
        }
        if is(without_names) {
            return Ok(Outcome::Differs(NAMES));
        }
        let theirs = either(theirs);
        if let Some(reason) = Stack::why_taken(&theirs) {
            return Ok(Outcome::Differs(reason));
        }
        seen += &format!("--- umoci, {reason}\n{theirs}");
    }
    Err(format!("differs:\n{seen}"))
}

/// Whether both make the same tree when all deletions come first.
fn is_by_order(ground: &Ground, stack: &Stack, work: &Path) -> bool {
    let first = stack.in_formats_of_umoci().with_deletions_first().archives();
    let again = work.join("again");
    let ours = fs::create_dir(&again).ok().map(|()| import(ground, &first, &again));
    let theirs = umoci(&first, &again.join("umoci"));
    matches!((ours, theirs), (Some(Ok(Ok(ours))), Ok(theirs)) if without_names(&ours) == without_names(&theirs))
}

fn either(result: Result<String, String>) -> String {
    result.unwrap_or_else(|error| error)
}

const FORMAT: &str = "umoci knows neither names of volumes nor incremental archives; of the same \
                      entries without these it makes our tree";

const ORDER: &str = "umoci minds whether a deletion comes before or after a file, the specification \
                     does not; with the deletions first it makes our tree";

const REPLACED: &str = "a deletion below a link that the same layer replaces or deletes: umoci deletes \
                        where the link had led to, mydocker nothing";

const LATE: &str = "a file goes through a link of a layer below that its own layer deletes only after it: \
                    with the deletions first both make one tree";

const NAMES: &str = "a hard link to a file of a layer below that has several names there: overlay's \
                     layers cannot share it, so the other names keep a copy";

/// A tree without the times of directories: a deletion by umoci changes them.
fn comparable(tree: &str) -> String {
    let is_directory =
        |line: &str| line.split(' ').nth(1).is_some_and(|mode| mode.starts_with("4"));
    let lines = tree.lines().map(|line| {
        let mut words: Vec<&str> = line.split(' ').collect();
        if let Some(time) = words.iter().position(|word| *word == "time")
            && is_directory(line)
        {
            words.drain(time..time + 2);
        }
        words.join(" ") + "\n"
    });
    lines.collect()
}

/// The same, without which names are of one file.
fn without_names(tree: &str) -> String {
    let tree = comparable(tree);
    let names = |line: &str| line.split(" = ").next().unwrap_or_default().to_owned() + "\n";
    tree.lines().map(names).collect()
}
