//! What one student has handed in.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use labkit::lab::Lab;
use sha2::{Digest, Sha256};

use super::course::Course;
use super::names::{OF_MACOS, shown};
use super::refusal::Refusal;
use super::tree::Tree;
use crate::checkout::{Answer, Checkout};

/// What one student has handed in.
pub struct Submission {
    /// As it is shown: no two look alike.
    pub name: String,
    /// As it is called on the disk, without `.zip`.
    pub folder: OsString,
    /// The answers that are there, by the number of the lab.
    pub answers: BTreeMap<String, Answers>,
    /// Directories with answers in them that were not looked at, for there are
    /// some above them.
    pub passed_over: Vec<String>,
}

/// The files of one lab's answer.
#[derive(Default)]
pub struct Answers {
    /// By their path in the lab's folder: `src/lib.rs`.
    pub files: BTreeMap<String, Vec<u8>>,
    /// Files that are not there; the starter's are taken.
    pub missing: Vec<String>,
    /// What of it is not compiled, and why.
    pub refused: Option<(String, Refusal)>,
}

impl Submission {
    /// Reads the answers out of what was handed in. `asked` are the labs that are
    /// graded.
    pub fn read(
        checkout: &Checkout,
        folder: OsString,
        mut tree: Tree,
        asked: &[&Lab],
    ) -> io::Result<Submission> {
        // What a learning platform packs is often a folder with a zip in it.
        if bases(checkout, &tree, asked)?.is_empty()
            && let [zip] = tree.zips()?.as_slice()
        {
            match Tree::of_zip(zip) {
                Ok(packed) => tree = packed,
                Err(refusal) => {
                    let place = shown(zip.file_name().unwrap_or_default());
                    return Ok(Submission::refused(folder, asked, place, refusal));
                }
            }
        }
        let all_bases = bases(checkout, &tree, asked)?;
        let (base, passed_over) = match all_bases.as_slice() {
            [] => (PathBuf::new(), Vec::new()),
            [top, others @ ..] if top.as_os_str().is_empty() => (PathBuf::new(), others.to_vec()),
            [only] => (only.clone(), Vec::new()),
            several => {
                let places: Vec<String> = several.iter().map(|it| shown(it.as_os_str())).collect();
                let refusal = Refusal::SeveralPlaces { places: places.join(", ") };
                return Ok(Submission::refused(folder, asked, ".".to_owned(), refusal));
            }
        };

        let mut answers = BTreeMap::new();
        for lab in &checkout.labs {
            let theirs = Answers::read(checkout, lab, &mut tree, &base, asked);
            if !theirs.files.is_empty() || theirs.refused.is_some() {
                answers.insert(lab.number.clone(), theirs);
            }
        }
        let passed_over = passed_over.iter().map(|it| shown(it.as_os_str())).collect();
        Ok(Submission { name: shown(&folder), folder, answers, passed_over })
    }

    /// One of which nothing is taken.
    pub fn refused(
        folder: OsString,
        asked: &[&Lab],
        place: String,
        refusal: Refusal,
    ) -> Submission {
        let refused = |lab: &&Lab| {
            let refused = Some((place.clone(), refusal.clone()));
            (lab.number.clone(), Answers { refused, ..Answers::default() })
        };
        let answers = asked.iter().map(refused).collect();
        Submission { name: shown(&folder), folder, answers, passed_over: Vec::new() }
    }

    /// What a grade of one lab depends on, as a SHA-256 sum.
    pub fn key(&self, course: &Course, number: &str, grader: &str) -> String {
        let mut sum = Sha256::new();
        let mut add = |bytes: &[u8]| {
            sum.update((bytes.len() as u64).to_le_bytes());
            sum.update(bytes);
        };
        add(course.version.as_bytes());
        add(grader.as_bytes());
        add(number.as_bytes());
        for (number, _) in course.with_earlier(number) {
            add(number.as_bytes());
            let Some(answers) = self.answers.get(number) else { continue };
            for (name, content) in &answers.files {
                add(name.as_bytes());
                add(content);
            }
            add(&serde_json::to_vec(&answers.refused).expect("plain data"));
        }
        sum.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// The directories in which there are answers: the top, if there are any, and
/// those at the top that belong to no checkout.
fn bases(checkout: &Checkout, tree: &Tree, asked: &[&Lab]) -> io::Result<Vec<PathBuf>> {
    let is_of_a_tree = |name: &OsStr| {
        let folders = checkout.labs.iter().map(Lab::folder);
        name == "labs" || name == "src" || folders.into_iter().any(|it| name == it.as_str())
    };
    let directories = tree.directories()?.into_iter().filter(|name| !is_of_a_tree(name));
    let directories = directories.filter(|name| name != OF_MACOS && !is_hidden(name));
    let all = [PathBuf::new()].into_iter().chain(directories.map(PathBuf::from));
    Ok(all.filter(|base| has_answers(checkout, tree, base, asked)).collect())
}

fn has_answers(checkout: &Checkout, tree: &Tree, base: &Path, asked: &[&Lab]) -> bool {
    let of_lab = |lab: &Lab| files_of(checkout, lab, is_only(asked, lab));
    let mut places = checkout.labs.iter().flat_map(of_lab).flat_map(|(_, places)| places);
    places.any(|place| tree.has(&base.join(place)))
}

fn is_hidden(name: &OsStr) -> bool {
    name.as_bytes().starts_with(b".")
}

fn is_only(asked: &[&Lab], lab: &Lab) -> bool {
    matches!(asked, [only] if only.number == lab.number)
}

/// The files of a lab's answer, each with the places where it may lie in a
/// submission: as in a checkout, below the lab's folder, or, of the only lab that
/// is graded, just there.
fn files_of(checkout: &Checkout, lab: &Lab, is_only_lab: bool) -> Vec<(String, Vec<PathBuf>)> {
    let places = |answer: Answer| {
        let file = answer.file.strip_prefix(checkout.folder(lab)).unwrap_or(&answer.file);
        let name = Path::new(file.file_name().expect("a file"));
        let own = PathBuf::from(lab.folder());
        let mut places =
            vec![Path::new("labs").join(&own).join(file), own.join(file), own.join(name)];
        if is_only_lab {
            places.extend([file.to_owned(), name.to_owned()]);
        }
        (file.display().to_string(), places)
    };
    checkout.answers(lab).into_iter().map(places).collect()
}

/// Where all files of a lab's answer are looked for, in words.
pub fn places_of(checkout: &Checkout, lab: &Lab, is_only_lab: bool) -> Vec<String> {
    let all = files_of(checkout, lab, is_only_lab).into_iter().flat_map(|(_, places)| places);
    all.map(|place| place.display().to_string()).collect()
}

impl Answers {
    /// What of one lab is there below `base`. What cannot be an answer is refused.
    fn read(
        checkout: &Checkout,
        lab: &Lab,
        tree: &mut Tree,
        base: &Path,
        asked: &[&Lab],
    ) -> Answers {
        let mut answers = Answers::default();
        for (name, places) in files_of(checkout, lab, is_only(asked, lab)) {
            let mut places = places.iter().map(|place| base.join(place));
            let Some(place) = places.find(|place| tree.has(place)) else {
                answers.missing.push(name);
                continue;
            };
            match tree.read(&place) {
                Ok(content) => drop(answers.files.insert(name, content)),
                Err(why) => answers.refused = Some((shown(place.as_os_str()), why)),
            }
        }
        answers
    }
}
