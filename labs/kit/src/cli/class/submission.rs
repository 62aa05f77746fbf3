//! What somebody has handed in: a folder with answers.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use labkit::lab::Lab;
use sha2::{Digest, Sha256};

use super::super::checkout::{Answer, Checkout};
use super::super::trouble::Trouble;
use super::course::Course;

/// How large an answer may be.
const AT_MOST: u64 = 1 << 20;

/// Words with which code asks to be run or linked where it is not called: by
/// the loader, outside of the sandbox, before the grader begins.
const UNCALLED: [&str; 6] =
    ["link_section", "no_mangle", "export_name", "asm", "global_asm", "naked_asm"];

/// What one student has handed in.
pub struct Submission {
    /// The name of its folder.
    pub name: String,
    /// The answers that are there, by the number of the lab.
    pub answers: BTreeMap<String, Answers>,
}

/// The files of one lab's answer.
#[derive(Default)]
pub struct Answers {
    /// By their path in the lab's folder: `src/lib.rs`.
    pub files: BTreeMap<String, Vec<u8>>,
    /// Files that are not there; the starter's are taken.
    pub missing: Vec<String>,
    /// Why it is not compiled.
    pub refused: Option<String>,
}

/// Every folder in `class`, by name. `asked` are the labs that are graded.
pub fn read_all(
    checkout: &Checkout,
    class: &Path,
    asked: &[&Lab],
) -> Result<Vec<Submission>, Trouble> {
    let cannot = |error| Trouble::cannot("readdir", class, error);
    let mut submissions = Vec::new();
    for entry in fs::read_dir(class).map_err(cannot)? {
        let entry = entry.map_err(cannot)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if entry.file_type().map_err(cannot)?.is_dir() && !name.starts_with('.') {
            let answers = read(checkout, &entry.path(), asked).map_err(cannot)?;
            submissions.push(Submission { name, answers });
        }
    }
    submissions.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(submissions)
}

fn read(
    checkout: &Checkout,
    folder: &Path,
    asked: &[&Lab],
) -> io::Result<BTreeMap<String, Answers>> {
    let folder = only_folder_in(folder)?;
    let is_only_lab = |lab: &Lab| matches!(asked, [only] if only.number == lab.number);
    let mut all = BTreeMap::new();
    for lab in &checkout.labs {
        let mut answers = Answers::default();
        for answer in checkout.answers(lab) {
            let file = answer.file.strip_prefix(checkout.folder(lab)).unwrap_or(&answer.file);
            let name = file.display().to_string();
            match answers.take(&folder, &places(lab, file, is_only_lab(lab))) {
                Some(content) => drop(answers.files.insert(name, content)),
                None if answers.refused.is_none() => answers.missing.push(name),
                None => {}
            }
        }
        if !answers.files.is_empty() || answers.refused.is_some() {
            all.insert(lab.number.clone(), answers);
        }
    }
    Ok(all)
}

/// Many an archive has one folder at its top, and all else in that.
fn only_folder_in(folder: &Path) -> io::Result<PathBuf> {
    let entries: Vec<fs::DirEntry> = fs::read_dir(folder)?.collect::<io::Result<_>>()?;
    match entries.as_slice() {
        [only] if only.file_type()?.is_dir() && !is_of_a_tree(&only.file_name()) => Ok(only.path()),
        _ => Ok(folder.to_owned()),
    }
}

/// Whether a folder's name belongs to a checkout: `labs`, `src`, `06-pivot-root`.
fn is_of_a_tree(name: &std::ffi::OsStr) -> bool {
    let name = name.to_string_lossy();
    ["labs", "src"].contains(&&*name) || name.starts_with(|c: char| c.is_ascii_digit())
}

/// Where a lab's file may lie in a submission: as in a checkout, below the lab's
/// folder, or, of the only lab that is graded, just there.
fn places(lab: &Lab, file: &Path, is_only_lab: bool) -> Vec<PathBuf> {
    let name = Path::new(file.file_name().expect("a file"));
    let own = PathBuf::from(lab.folder());
    let mut places = vec![Path::new("labs").join(&own).join(file), own.join(file), own.join(name)];
    if is_only_lab {
        places.extend([file.to_owned(), name.to_owned()]);
    }
    places
}

/// The same of all files of a lab's answer, in words.
pub fn places_of(checkout: &Checkout, lab: &Lab, is_only_lab: bool) -> Vec<String> {
    let of_file = |answer: Answer| {
        let file = answer.file.strip_prefix(checkout.folder(lab)).unwrap_or(&answer.file);
        places(lab, file, is_only_lab)
    };
    let all = checkout.answers(lab).into_iter().flat_map(of_file);
    all.map(|place| place.display().to_string()).collect()
}

impl Answers {
    /// The content of the first of these files that is there. What cannot be an
    /// answer is refused.
    fn take(&mut self, folder: &Path, places: &[PathBuf]) -> Option<Vec<u8>> {
        let place = places.iter().find(|place| folder.join(place).symlink_metadata().is_ok())?;
        match read_answer(folder, place) {
            Ok(content) => Some(content),
            Err(why) => {
                self.refused = Some(format!("{}: {why}", place.display()));
                None
            }
        }
    }
}

fn read_answer(folder: &Path, place: &Path) -> Result<Vec<u8>, String> {
    let failed = |error: io::Error| error.to_string();
    let top = folder.canonicalize().map_err(failed)?;
    let path = folder.join(place).canonicalize().map_err(failed)?;
    if !path.starts_with(&top) {
        return Err("it is a link to outside of the submission".to_owned());
    }
    let metadata = path.metadata().map_err(failed)?;
    if !metadata.is_file() || metadata.len() > AT_MOST {
        return Err("it is no file of at most 1 MiB".to_owned());
    }
    let content = fs::read(&path).map_err(failed)?;
    let text = String::from_utf8_lossy(&content);
    let mut words = text.split(|c: char| !c.is_alphanumeric() && c != '_');
    match words.find(|word| UNCALLED.contains(word)) {
        Some(word) => Err(format!("it has the word {word}: such code may run outside the sandbox")),
        None => Ok(content),
    }
}

impl Submission {
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
            add(answers.refused.as_deref().unwrap_or_default().as_bytes());
        }
        sum.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}
