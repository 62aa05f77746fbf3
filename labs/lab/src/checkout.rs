//! The folder in which the labs lie.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use labkit::lab::Lab;

use crate::trouble::Trouble;

pub struct Checkout {
    /// Holds Cargo.toml and the folder labs.
    pub top: PathBuf,
    /// By number; there is at least one.
    pub labs: Vec<Lab>,
    /// The promises that `lab check` looks at: those of lab 09, and those that come
    /// after it, with [`CHECK`] in place of its number, so that what is remembered of
    /// somebody's program is not taken for the student's answer.
    pub check: Option<Lab>,
}

/// What stands for the number of a lab where a program was checked:
/// `lab hint check`.
pub const CHECK: &str = "check";

impl Checkout {
    /// That of the working directory, else the one that this program was built
    /// from.
    pub fn find() -> Result<Checkout, Trouble> {
        let here = env::current_dir().unwrap_or_default();
        let built = Path::new(env!("CARGO_MANIFEST_DIR"));
        let is_top =
            |folder: &&Path| folder.join("Cargo.toml").exists() && folder.join("labs").is_dir();
        let top = here.ancestors().chain(built.ancestors()).find(is_top);
        let top = top.ok_or(Trouble::NoCheckout { here: here.clone() })?;
        let labs = read_labs(top)?;
        let check = labs.iter().find(|lab| lab.name == "mydocker");
        let check = check.map(|lab| with_later(top, lab)).transpose()?;
        Ok(Checkout { top: top.to_owned(), labs, check })
    }

    /// The lab with this number or name: `6`, `06`, `pivot-root`, `lab-06`,
    /// `06-pivot-root`, or its folder.
    pub fn lab(&self, name: &str) -> Result<&Lab, Trouble> {
        let last = Path::new(name).file_name().and_then(|name| name.to_str()).unwrap_or(name);
        let plain = last.strip_prefix("lab-").unwrap_or(last);
        let is_called = |lab: &&Lab| {
            let same_number = |number: u32| lab.number.parse() == Ok(number);
            plain.parse().is_ok_and(same_number) || plain == lab.name || plain == lab.folder()
        };
        self.labs.iter().find(is_called).ok_or_else(|| Trouble::UnknownLab {
            name: name.to_owned(),
            known: self.labs.iter().map(Lab::folder).collect(),
        })
    }

    pub fn folder(&self, lab: &Lab) -> PathBuf {
        self.top.join("labs").join(lab.folder())
    }

    /// The files that a student writes, with what they begin as and what they
    /// are in the end.
    pub fn answers(&self, lab: &Lab) -> Vec<Answer> {
        let reference = self.top.join(format!("labs/reference/src/lab_{}", lab.number));
        let answer = |file: &str, starter: &str, solution: &str| Answer {
            file: self.folder(lab).join(file),
            starter: reference.join(starter),
            solution: reference.join(solution),
        };
        let mut answers = vec![answer("src/lib.rs", "starter.rs", "solution.rs")];
        let predictions =
            answer("predictions.toml", "starter_predictions.toml", "predictions.toml");
        if predictions.starter.exists() {
            answers.push(predictions);
        }
        answers
    }

    /// A path as it can be typed in the working directory.
    pub fn shown(&self, path: &Path) -> String {
        let here = env::current_dir().unwrap_or_default();
        path.strip_prefix(here).unwrap_or(path).display().to_string()
    }
}

/// A file that a student writes.
pub struct Answer {
    pub file: PathBuf,
    pub starter: PathBuf,
    pub solution: PathBuf,
}

/// A lab with the texts of later.toml behind its own.
fn with_later(top: &Path, lab: &Lab) -> Result<Lab, Trouble> {
    let folder = top.join("labs").join(lab.folder());
    let mut text = String::new();
    for name in ["lab.toml", "later.toml"] {
        let file = folder.join(name);
        text += &fs::read_to_string(&file).map_err(|error| Trouble::cannot("read", file, error))?;
    }
    let all = Lab::parse(&text).map_err(|error| Trouble::BadLab {
        file: folder.join("later.toml"),
        error: error.to_string(),
    })?;
    Ok(Lab { number: CHECK.to_owned(), ..all })
}

/// Every `labs/*/lab.toml`.
fn read_labs(top: &Path) -> Result<Vec<Lab>, Trouble> {
    let folders = fs::read_dir(top.join("labs"));
    let folders = folders.map_err(|error| Trouble::cannot("readdir", top.join("labs"), error))?;
    let mut labs = Vec::new();
    for folder in folders.flatten() {
        let file = folder.path().join("lab.toml");
        let Ok(text) = fs::read_to_string(&file) else { continue };
        let lab = Lab::parse(&text);
        labs.push(lab.map_err(|error| Trouble::BadLab { file, error: error.to_string() })?);
    }
    labs.sort_by(|one, other| one.number.cmp(&other.number));
    if labs.is_empty() { Err(Trouble::NoCheckout { here: top.to_owned() }) } else { Ok(labs) }
}
