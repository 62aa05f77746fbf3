//! Where a program keeps a layer.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// A directory of an adapter. `*` in a name stands for what the program makes up for
/// each container.
#[derive(Debug, Clone)]
pub struct Place {
    path: PathBuf,
    /// What fitted before the container was started: directories of other ones.
    before: BTreeSet<PathBuf>,
}

impl Place {
    /// The place of a container that is about to be started.
    pub fn of_the_next(path: PathBuf) -> Place {
        let before = if is_pattern(&path) { fitting(&path) } else { BTreeSet::new() };
        Place { path, before }
    }

    /// A place that does not belong to one container: the image's.
    pub fn anywhere(path: PathBuf) -> Place {
        Place { path, before: BTreeSet::new() }
    }

    /// The directories of this container: at most one if the path has no `*`.
    pub fn directories(&self) -> Vec<PathBuf> {
        match is_pattern(&self.path) {
            true => fitting(&self.path).difference(&self.before).cloned().collect(),
            false => vec![self.path.clone()],
        }
    }

    /// The directory of this container: among several the first that `is_it` says;
    /// as the adapter has it if there is none.
    pub fn directory(&self, is_it: impl Fn(&Path) -> bool) -> PathBuf {
        let all = self.directories();
        let found = all.iter().find(|path| is_it(path)).or(all.first());
        found.unwrap_or(&self.path).clone()
    }
}

/// Whether a path leaves open where something is.
fn is_pattern(path: &Path) -> bool {
    path.to_string_lossy().contains('*')
}

/// The directories that fit a path with `*` in it, which stands for any part of one
/// name.
fn fitting(path: &Path) -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::from([PathBuf::new()]);
    for name in path.components().map(|it| it.as_os_str().to_string_lossy().into_owned()) {
        found = match name.split_once('*') {
            None => found.into_iter().map(|parent| parent.join(&name)).collect(),
            Some((begin, end)) => {
                let fits = |entry: &fs::DirEntry| {
                    let name = entry.file_name().to_string_lossy().into_owned();
                    name.strip_prefix(begin).is_some_and(|rest| rest.ends_with(end))
                };
                let below = |parent: PathBuf| fs::read_dir(parent).into_iter().flatten().flatten();
                found.into_iter().flat_map(below).filter(fits).map(|it| it.path()).collect()
            }
        };
    }
    found.retain(|path| path.is_dir());
    found
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::Place;

    #[test]
    fn a_made_up_name_is_found_once_it_is_there() {
        let scratch = tempfile::tempdir().expect("a directory");
        let top = scratch.path();
        let make = |name: &str| fs::create_dir_all(top.join(name)).expect("a directory");
        make("old/upper");
        make("box-7/lower");
        let place = Place::of_the_next(top.join("*/upper"));
        assert_eq!(place.directory(|_| true), top.join("*/upper"));
        make("box-8/upper");
        make("box-9/upper");
        assert_eq!(place.directories(), [top.join("box-8/upper"), top.join("box-9/upper")]);
        assert_eq!(place.directory(|it| it.ends_with("box-9/upper")), top.join("box-9/upper"));
        fs::remove_dir_all(top.join("box-8")).expect("it is there");
        assert_eq!(place.directories(), [top.join("box-9/upper")]);

        let named = Place::of_the_next(top.join("old"));
        assert_eq!(named.directories(), [top.join("old")]);
        assert_eq!(Place::of_the_next(top.join("b*-7/lower")).directories().len(), 0);
    }
}
