//! What lies outside of the layer, and what an answer did to it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use labkit::canary::contents;
use labkit::describe::walk;
use labkit::host::Host;
use labkit::places::{HOME, SCRATCH};

/// The name that hostile archives want to bring out of the layer.
pub const ESCAPED: &str = "escaped.txt";
/// The name that they want to bring in: of a file outside.
pub const STOLEN: &str = "stolen";

/// In seconds and nanoseconds. See the field ctime in inode(7).
type ChangeTime = (i64, i64);

/// All names outside of a layer, and the host's files.
#[derive(Default)]
pub struct Outside {
    names: BTreeSet<PathBuf>,
    precious: BTreeMap<PathBuf, ChangeTime>,
    contents: Vec<(PathBuf, Vec<u8>)>,
}

/// What an answer did outside of the layer.
#[derive(Debug, Default)]
pub struct Changes {
    /// Names that were not there, outside of the layer.
    pub new: Vec<PathBuf>,
    /// Those of them that a hostile archive has brought out.
    pub escaped: Vec<PathBuf>,
    /// Names that are not there any more.
    pub gone: Vec<PathBuf>,
    /// The host's files with other contents, or gone.
    pub rewritten: Vec<PathBuf>,
    /// The host's files that were changed in any way: chmod, chown, utimensat
    /// and link(2) all show in the time of the last change.
    pub touched: Vec<PathBuf>,
}

impl Outside {
    /// Looks at all that can be written and is not below `layer`.
    pub fn of(host: &Host, layer: &Path) -> Outside {
        let read = || -> io::Result<Outside> {
            let mut names = BTreeSet::new();
            for top in [SCRATCH, HOME] {
                walk(Path::new(top), &mut |path, _| {
                    if !path.starts_with(layer) {
                        names.insert(path.to_owned());
                    }
                })?;
            }
            let directory = &host.precious().folder;
            let mut precious = BTreeMap::new();
            walk(directory, &mut |path, data| {
                precious.insert(path.to_owned(), (data.ctime(), data.ctime_nsec()));
            })?;
            Ok(Outside { names, precious, contents: contents(directory)? })
        };
        // An answer may have deleted what is looked for: then all of it differs.
        read().unwrap_or_default()
    }

    /// What is different `now`.
    pub fn changes(&self, now: &Outside) -> Changes {
        let new: Vec<PathBuf> = now.names.difference(&self.names).cloned().collect();
        let is_escaped = |path: &&PathBuf| {
            // In a directory that is new too, it is part of a layer that was begun.
            path.ends_with(ESCAPED) && path.parent().is_some_and(|it| self.names.contains(it))
        };
        let rewritten = self.contents.iter().filter(|file| !now.contents.contains(file));
        let touched = self
            .precious
            .iter()
            .filter(|(path, before)| now.precious.get(*path).is_some_and(|after| after != *before));
        Changes {
            escaped: new.iter().filter(is_escaped).cloned().collect(),
            gone: self.names.difference(&now.names).cloned().collect(),
            rewritten: rewritten.map(|(path, _)| path.clone()).collect(),
            touched: touched.map(|(path, _)| path.clone()).collect(),
            new,
        }
    }
}

impl Changes {
    /// Whether nothing was brought out of the layer and the host's files are as
    /// they were.
    pub fn is_harmless(&self) -> bool {
        self.escaped.is_empty() && self.rewritten.is_empty() && self.touched.is_empty()
    }

    /// Whether nothing is other than it was.
    pub fn is_none(&self) -> bool {
        self.is_harmless() && self.new.is_empty() && self.gone.is_empty()
    }

    /// Removes what is new: what comes next must not find it.
    pub fn undo(&self) {
        for path in self.new.iter().rev() {
            let _ = fs::remove_file(path).or_else(|_| fs::remove_dir(path));
        }
    }

    /// What there is outside that must not be, or must not have changed.
    pub fn harm(&self) -> Vec<String> {
        let mut all: BTreeSet<&PathBuf> = self.escaped.iter().collect();
        all.extend(self.rewritten.iter().chain(&self.touched));
        all.into_iter().map(|path| path.display().to_string()).collect()
    }
}

/// Paths as evidence.
pub fn shown(paths: &[PathBuf]) -> String {
    paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ")
}
