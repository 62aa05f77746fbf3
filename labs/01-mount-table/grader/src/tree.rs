//! tree.

mod cases;
mod diagnosis;

use labkit::host::Host;
use labkit::verdict::{Evidence, Finding};

use crate::case::{self, Outcome};
use crate::table::Mount;
use crate::{Answers, UNFORESEEN, reading, real, tables};

const FUNCTION: &str = "tree";

/// How an endless recursion ends.
const KILLED: &str = "answer/killed-by-signal";

/// Each mount's depth and id.
type Tree = Vec<(usize, u32)>;
/// A table, and its tree.
type Case = case::Case<Vec<Mount>, Tree>;
type Subject<'a> = case::Subject<'a, Vec<Mount>, Tree, Tree>;
type Wrong<'a> = case::Wrong<'a, Vec<Mount>, Tree, Tree>;

pub fn children(answers: &Answers, host: &Host) -> Result<(), Finding> {
    check(answers, host, &[cases::plain()])
}

pub fn neighbours(answers: &Answers, host: &Host) -> Result<(), Finding> {
    check(answers, host, &[cases::neighbours()])
}

pub fn stacked(answers: &Answers, host: &Host) -> Result<(), Finding> {
    check(answers, host, &[cases::stacked()])
}

pub fn child_first(answers: &Answers, host: &Host) -> Result<(), Finding> {
    check(answers, host, &[cases::child_first()])
}

pub fn several_roots(answers: &Answers, host: &Host) -> Result<(), Finding> {
    check(answers, host, &[cases::several_roots()])
}

pub fn own_parent(answers: &Answers, host: &Host) -> Result<(), Finding> {
    check(answers, host, &[cases::own_parent()])
}

pub fn real_table(answers: &Answers, host: &Host) -> Result<(), Finding> {
    let table = real::table_with_stacked_and_moved_mounts(host);
    check(answers, host, &[case(&table)])
}

pub fn several_kernels(answers: &Answers, host: &Host) -> Result<(), Finding> {
    // The one whose root is its own parent has a promise of its own.
    check(answers, host, &[tables::SERVER, tables::DESKTOP, tables::CONTAINER].map(case))
}

fn case(table: &[u8]) -> Case {
    let mounts = reading::read(table);
    let expected = expected(&mounts);
    Case { input: mounts, expected }
}

/// The grader's own tree.
fn expected(mounts: &[Mount]) -> Tree {
    fn add(mount: &Mount, depth: usize, mounts: &[Mount], tree: &mut Tree) {
        tree.push((depth, mount.id));
        for child in mounts.iter().filter(|it| it.parent == mount.id && it.id != mount.id) {
            add(child, depth + 1, mounts, tree);
        }
    }
    let mut tree = Vec::new();
    for root in mounts.iter().filter(|mount| is_root(mount, mounts)) {
        add(root, 0, mounts, &mut tree);
    }
    tree
}

fn is_root(mount: &Mount, mounts: &[Mount]) -> bool {
    mount.parent == mount.id || mounts.iter().all(|it| it.id != mount.parent)
}

fn check(answers: &Answers, host: &Host, cases: &[Case]) -> Result<(), Finding> {
    let subject = Subject {
        host,
        name: FUNCTION,
        call: &|mounts| (answers.tree)(mounts),
        is_right: PartialEq::eq,
    };
    let Some(wrong) = subject.first_wrong(cases)? else { return Ok(()) };
    let finding = diagnosis::diagnose(&subject, &wrong).unwrap_or_else(|| match &wrong.outcome {
        Outcome::Died(death) => death.clone(),
        Outcome::Returned(_) => Finding::new(UNFORESEEN),
    });
    let mut finding = finding.word("function", FUNCTION).with(evidence(&wrong));
    // Of a full stack Rust's runtime tells, with the number of a thread.
    let is_killed = matches!(&wrong.outcome, Outcome::Died(death) if death.code == KILLED);
    finding.printed = if is_killed { String::new() } else { wrong.printed };
    Err(finding)
}

/// The table, its tree, and what was made of it.
fn evidence(wrong: &Wrong) -> Vec<Evidence> {
    let mounts = &wrong.case.input;
    let picture = |what: &str, drawing| Evidence::Tree { what: what.to_owned(), drawing };
    let lines = mounts.iter().map(|it| format!("{} {} {:?}\n", it.id, it.parent, it.mount_point));
    let seen = match &wrong.outcome {
        Outcome::Returned(tree) => drawn(tree, mounts),
        Outcome::Died(death) => death.code.clone(),
    };
    vec![
        picture("the table: id, parent, mount point", lines.collect()),
        picture("tree(table), as it must be", drawn(&wrong.case.expected, mounts)),
        picture("tree(table), as it was", seen),
    ]
}

/// A line a mount, indented by its depth.
fn drawn(tree: &Tree, mounts: &[Mount]) -> String {
    if tree.is_empty() {
        return "-".to_owned();
    }
    let line = |(depth, id): &(usize, u32)| {
        let mount = mounts.iter().find(|mount| mount.id == *id);
        let place = mount.map_or("?".to_owned(), |mount| format!("{:?}", mount.mount_point));
        // No table of a test is deeper; an answer may say what it likes.
        let margin = "  ".repeat((*depth).min(20));
        format!("{depth:>2} {margin}{id} {place}\n")
    };
    tree.iter().map(line).collect()
}
