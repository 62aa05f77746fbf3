//! tree.

pub mod cases;
mod drawn;
mod generated;

use labkit::cases::Outcome;
use labkit::host::Host;
use labkit::verdict::{Evidence, Finding};

use crate::acts::TREE;
use crate::table::Mount;
use crate::{reading, real, tables};
use drawn::{Drawn, RULES};

/// How an endless recursion ends.
const KILLED: &str = "answer/killed-by-signal";

/// Each mount's depth and id.
type Tree = Vec<(usize, u32)>;
/// A table, and its tree.
type Case = labkit::cases::Case<Vec<Mount>, Tree>;
type Subject<'h> = labkit::cases::Subject<'h, Vec<Mount>, Tree, Tree>;
type Wrong = labkit::cases::Wrong<Vec<Mount>, Tree, Tree>;
type Tried = labkit::cases::Tried<Vec<Mount>, Tree, Tree>;

pub fn real_table(host: &Host) -> Result<(), Finding> {
    let table = real::table_with_stacked_and_moved_mounts(host);
    judge(host, vec![case(&table)])
}

pub fn several_kernels(host: &Host) -> Result<(), Finding> {
    // The one whose root is its own parent has its own promise.
    judge(host, [tables::SERVER, tables::DESKTOP, tables::CONTAINER].map(case).into())
}

pub fn any_table(host: &Host) -> Result<(), Finding> {
    subject(host).judge_any(cases::all(), generated::table, finding)
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

fn subject(host: &Host) -> Subject<'_> {
    Subject::new(host, &TREE, PartialEq::eq)
}

pub fn judge(host: &Host, cases: Vec<Case>) -> Result<(), Finding> {
    subject(host).judge(cases, finding)
}

fn finding(subject: &Subject, wrong: Wrong) -> Finding {
    let drawn = Drawn::of(subject, wrong);
    let finding = drawn.wrong.finding(&RULES, &drawn, evidence(&drawn.wrong));
    // Rust's runtime reports a full stack, with the number of a thread.
    let is_killed = matches!(&drawn.wrong.outcome, Outcome::Died(death) if death.code == KILLED);
    let printed = if is_killed { String::new() } else { finding.printed };
    Finding { printed, ..finding }
}

/// The table, its tree, and what was made of it.
fn evidence(wrong: &Wrong) -> Vec<Evidence> {
    let mounts = &wrong.case.input;
    let picture = |what: String, drawing| Evidence::Tree { what, drawing };
    let line = |it: &Mount| format!("{} {} {:?}\n", it.id, it.parent, it.mount_point);
    let table = wrong.what("the table: id, parent, mount point");
    vec![
        picture(table, in_short(mounts.iter().map(line).collect())),
        picture("tree(table), as it must be".to_owned(), drawing(&wrong.case.expected, mounts)),
        picture(
            "tree(table), as it was".to_owned(),
            wrong.outcome.shown(|tree| drawing(tree, mounts)),
        ),
    ]
}

/// A line for each mount, indented by its depth.
fn drawing(tree: &Tree, mounts: &[Mount]) -> String {
    let line = |(depth, id): &(usize, u32)| {
        let mount = mounts.iter().find(|mount| mount.id == *id);
        let place = mount.map_or("?".to_owned(), |mount| format!("{:?}", mount.mount_point));
        // Deeper ones do not fit into a line; the number says how deep they are.
        let margin = "  ".repeat((*depth).min(20));
        format!("{depth:>2} {margin}{id} {place}\n")
    };
    in_short(tree.iter().map(line).collect())
}

/// How many lines are shown of the beginning and of the end of what is longer than both.
const SHOWN: usize = 40;

/// Lines for a reader: of very many, the first and the last ones.
fn in_short(lines: Vec<String>) -> String {
    let left_out = lines.len().saturating_sub(2 * SHOWN);
    match (lines.is_empty(), left_out) {
        (true, _) => "-".to_owned(),
        (false, 0) => lines.concat(),
        _ => {
            let (first, last) = (&lines[..SHOWN], &lines[SHOWN + left_out..]);
            format!("{}… ({left_out})\n{}", first.concat(), last.concat())
        }
    }
}
