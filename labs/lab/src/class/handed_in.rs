//! The directory with the submissions: what in it is one, and what is not.

use std::ffi::{OsStr, OsString};
use std::fs::{self, FileType};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use labkit::lab::Lab;
use labkit::language::Language;
use rust_i18n::t;

use super::names::{OF_MACOS, shown};
use super::submission::Submission;
use super::tree::{Tree, is_zip};
use crate::checkout::Checkout;
use crate::trouble::Trouble;

/// The folder in it that is ours.
pub const OURS: &str = ".lab";

/// What lies in the directory.
pub struct HandedIn {
    /// By name.
    pub submissions: Vec<Submission>,
    pub skipped: Vec<Skipped>,
}

/// An entry of the directory that is no submission.
pub struct Skipped {
    pub name: String,
    why: Why,
}

#[derive(Clone, Copy)]
enum Why {
    Hidden,
    OfMacos,
    Link,
    LoneFile,
    OtherArchive,
    UnpackedBeside,
    Special,
}

impl Skipped {
    /// Why it is none, and what to do.
    pub fn reason(&self, language: Language) -> String {
        let key = match self.why {
            Why::Hidden => "skipped.hidden",
            Why::OfMacos => "skipped.of-macos",
            Why::Link => "skipped.link",
            Why::LoneFile => "skipped.lone-file",
            Why::OtherArchive => "skipped.other-archive",
            Why::UnpackedBeside => "skipped.unpacked-beside",
            Why::Special => "skipped.special",
        };
        t!(key, locale = language.locale()).into_owned()
    }
}

/// Reads all of a directory but the files `own`, which are written there. `asked`
/// are the labs that are graded.
pub fn read(
    checkout: &Checkout,
    class: &Path,
    asked: &[&Lab],
    own: &[PathBuf],
) -> Result<HandedIn, Trouble> {
    let cannot = |error| Trouble::cannot("readdir", class, error);
    let mut entries = Vec::new();
    for entry in fs::read_dir(class).map_err(cannot)? {
        let entry = entry.map_err(cannot)?;
        entries.push((entry.file_name(), entry.file_type().map_err(cannot)?));
    }
    entries.sort_by(|(one, _), (other, _)| one.cmp(other));
    let is_directory = |name: &OsStr| entries.iter().any(|(it, kind)| it == name && kind.is_dir());

    let mut handed_in = HandedIn { submissions: Vec::new(), skipped: Vec::new() };
    for (name, kind) in &entries {
        let path = class.join(name);
        if name == OURS || own.contains(&path) {
            continue;
        }
        let (student, tree) = match what_is_it(name, *kind, is_directory) {
            Ok(student) if kind.is_dir() => (student, Ok(Tree::Directory(path.clone()))),
            Ok(student) => (student, Tree::of_zip(&path)),
            Err(why) => {
                handed_in.skipped.push(Skipped { name: shown(name), why });
                continue;
            }
        };
        let submission = match tree {
            Ok(tree) => Submission::read(checkout, student, tree, asked).map_err(cannot)?,
            Err(refusal) => Submission::refused(student, asked, shown(name), refusal),
        };
        handed_in.submissions.push(submission);
    }
    handed_in.submissions.sort_by(|one, other| one.folder.cmp(&other.folder));
    Ok(handed_in)
}

/// Whose submission it is, or why it is none.
fn what_is_it(
    name: &OsStr,
    kind: FileType,
    is_directory: impl Fn(&OsStr) -> bool,
) -> Result<OsString, Why> {
    let extension = Path::new(name).extension().map(OsStr::to_ascii_lowercase);
    let extension = extension.as_deref().and_then(OsStr::to_str);
    let stem = Path::new(name).file_stem().unwrap_or(name);
    match extension {
        _ if name == OF_MACOS => Err(Why::OfMacos),
        _ if name.as_bytes().starts_with(b".") => Err(Why::Hidden),
        _ if kind.is_symlink() => Err(Why::Link),
        _ if kind.is_dir() => Ok(name.to_owned()),
        _ if !kind.is_file() => Err(Why::Special),
        _ if is_zip(name) && is_directory(stem) => Err(Why::UnpackedBeside),
        _ if is_zip(name) => Ok(stem.to_owned()),
        Some("gz" | "tgz" | "tar" | "bz2" | "xz" | "zst" | "rar" | "7z") => Err(Why::OtherArchive),
        _ => Err(Why::LoneFile),
    }
}
