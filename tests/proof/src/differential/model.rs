//! What names there are, so that most of what is generated can be unpacked.

use std::collections::BTreeMap;

/// What lies at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    Directory,
    Link(String),
    Other,
}

/// The tree as entries make it, one after the other.
#[derive(Debug, Default)]
pub struct Model(BTreeMap<String, Kind>);

impl Model {
    /// Where the directory above `path` really is, with the last name; `None` if
    /// there can be no such directory.
    fn place(&self, path: &str) -> Option<String> {
        let (above, name) = path.rsplit_once('/').unwrap_or(("", path));
        let mut pending: Vec<String> = above.split('/').rev().map(ToString::to_string).collect();
        let mut real = String::new();
        let mut links = 0;
        while let Some(part) = pending.pop() {
            if part.is_empty() || part == "." {
                continue;
            }
            if part == ".." {
                real = real.rsplit_once('/').map_or("", |(above, _)| above).to_owned();
                continue;
            }
            let here = format!("{real}/{part}");
            match self.0.get(&here) {
                Some(Kind::Other) => return None,
                Some(Kind::Link(target)) if links < 8 => {
                    links += 1;
                    if target.starts_with('/') {
                        real.clear();
                    }
                    pending.extend(target.split('/').rev().map(ToString::to_string));
                }
                // What a link leads to must be there.
                Some(Kind::Link(_)) | None if links > 0 => return None,
                _ => real = here,
            }
        }
        Some(format!("{real}/{name}"))
    }

    /// What lies at `path`; `None` if nothing does.
    pub fn get(&self, path: &str) -> Option<&Kind> {
        self.0.get(&self.place(path)?)
    }

    /// Notes an entry; `false` if it cannot be.
    pub fn put(&mut self, path: &str, kind: Kind) -> bool {
        let Some(place) = self.place(path) else { return false };
        for above in place.match_indices('/').skip(1).map(|(end, _)| &place[..end]) {
            self.0.entry(above.to_owned()).or_insert(Kind::Directory);
        }
        if kind != Kind::Directory || self.0.get(&place) != Some(&Kind::Directory) {
            self.remove(&place);
        }
        self.0.insert(place, kind);
        true
    }

    /// Notes a deletion; `false` if nothing lies there.
    pub fn delete(&mut self, path: &str) -> bool {
        let Some(place) = self.place(path) else { return false };
        let was_there = self.0.contains_key(&place);
        self.remove(&place);
        was_there
    }

    fn remove(&mut self, place: &str) {
        let inside = format!("{place}/");
        self.0.retain(|path, _| path != place && !path.starts_with(&inside));
    }
}
