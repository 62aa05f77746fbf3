//! What a function leaves of the files and of the process that it is called in.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use labkit::call::Seen;
use labkit::canary::Canary;
use labkit::describe::walk;
use labkit::frame::{Facts, Rules, Words, rule};
use labkit::host::Host;
use labkit::places::{HOME, SCRATCH};
use labkit::verdict::{Evidence, Finding};

use crate::LAB;

/// Files that must stay as they are, and all names beside them.
pub struct Untouched {
    watched: Canary,
    names: BTreeSet<PathBuf>,
}

/// What is other than it was.
struct Left {
    is_changed: bool,
    new: Vec<PathBuf>,
    open: Vec<PathBuf>,
}

impl Facts for Left {
    fn words(&self) -> Words {
        vec![("left", shown(&self.new)), ("open", shown(&self.open))]
    }
}

impl Untouched {
    /// Watches the directory `folder` of the host.
    ///
    /// # Panics
    /// It cannot be read.
    pub fn watch(_: &Host, folder: &Path) -> Untouched {
        let watched = Canary::watch(folder.to_owned()).expect("the scratch directory");
        Untouched { watched, names: names() }
    }

    /// Judges what `function` has left.
    ///
    /// # Errors
    /// Something was changed, made or left open.
    pub fn judge<T>(&self, function: &'static str, seen: &Seen<T>) -> Result<(), Finding> {
        let left = Left {
            is_changed: !self.watched.is_untouched(),
            new: names().difference(&self.names).cloned().collect(),
            open: seen.process.descriptors.values().cloned().collect(),
        };
        let kept = !left.is_changed && left.new.is_empty() && left.open.is_empty();
        let rules = Rules { function, ..RULES };
        rules.judge(&left, kept, || {
            let changed = if left.is_changed { "changed" } else { "as they were" };
            vec![
                Evidence::differs("the layers", "as they were", changed),
                Evidence::differs("new files", "-", shown(&left.new)),
                Evidence::differs(format!("open files after {function}"), "-", shown(&left.open)),
            ]
        })
    }
}

const RULES: Rules<Left> = Rules {
    lab: LAB,
    function: "",
    tables: &[&[
        rule("left-over-stays", |it| !it.new.is_empty()),
        rule("descriptor-left-open", |it| !it.open.is_empty()),
    ]],
};

/// All names that can be new.
fn names() -> BTreeSet<PathBuf> {
    let mut names = BTreeSet::new();
    for top in [SCRATCH, HOME] {
        let walked = walk(Path::new(top), &mut |path, _| {
            names.insert(path.to_owned());
        });
        walked.expect("the scratch directory");
    }
    names
}

/// Paths as evidence.
pub fn shown(paths: &[PathBuf]) -> String {
    let paths: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
    if paths.is_empty() { "-".to_owned() } else { paths.join(", ") }
}
