//! What is remembered of a student's work: the directory `.lab` of the checkout.
//!
//! It is next to what it is about, so that it survives an update, a rename of the
//! checkout, and the end of the VM. Its keys are the numbers of labs and the names of
//! promises. A promise that has been renamed (`formerly` in lab.toml) is found by its old
//! name.

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt, chown};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::lab::Lab;
use crate::verdict::Verdict;

/// The last report on a lab.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// The number of the lab.
    pub lab: String,
    /// When it was graded, in seconds since 1970.
    pub at: u64,
    /// Files of the graders that have been changed since the release.
    pub graders_changed: Vec<String>,
    /// What was said about each promise, by its name.
    pub verdicts: BTreeMap<String, Verdict>,
    /// The [`digest`](crate::answer::digest) of what was graded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<String>,
    /// The program that was graded, if it is not part of the checkout.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub program: Option<PathBuf>,
    /// Which run it came from: what the caller put into [`RUN`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<String>,
}

/// The variable by which the caller of a lab's tests recognises its report. The report of
/// an earlier run may be only a second old.
pub const RUN: &str = "LABKIT_RUN";

/// How far a student has got with a lab.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Progress {
    /// The promises kept at some time, with the time of the first, in seconds
    /// since 1970.
    pub kept: BTreeMap<String, u64>,
    /// How many hints were shown: by promise, then by code.
    pub hints: BTreeMap<String, BTreeMap<String, usize>>,
    /// Whether the solution was shown before all promises were kept.
    pub given_up: bool,
}

/// The directory `.lab` of one checkout.
#[derive(Debug, Clone)]
pub struct Records {
    folder: PathBuf,
}

impl Records {
    /// Those of the checkout whose top directory is `top`.
    pub fn of(top: &Path) -> Records {
        Records { folder: top.join(".lab") }
    }

    /// The last report on a lab, if there is one that can be read.
    pub fn report(&self, lab: &Lab) -> Option<Report> {
        let report: Report = self.read("reports", lab)?;
        Some(Report { verdicts: by_todays_names(report.verdicts, lab), ..report })
    }

    /// Forgets the last report on a lab, because the answer has changed. The progress stays.
    ///
    /// # Errors
    /// The directory cannot be written to.
    pub fn forget_report(&self, lab: &Lab) -> io::Result<()> {
        match fs::remove_file(self.file("reports", lab)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// Keeps the verdicts on some promises of a lab, or all; the others stay as
    /// they were. What is kept for the first time counts as progress.
    ///
    /// # Errors
    /// The directory cannot be written to.
    pub fn keep(&self, lab: &Lab, new: Report) -> io::Result<()> {
        let mut verdicts = self.report(lab).unwrap_or_default().verdicts;
        verdicts.extend(new.verdicts.clone());
        verdicts.retain(|name, _| lab.promises.iter().any(|it| it.name == *name));
        let report = Report { verdicts, run: env::var(RUN).ok(), ..new };
        self.write("reports", lab, &report)?;

        let mut progress = self.progress(lab);
        if report.graders_changed.is_empty() {
            for (name, verdict) in &report.verdicts {
                if *verdict == Verdict::Kept {
                    progress.kept.entry(name.clone()).or_insert(report.at);
                }
            }
        }
        self.keep_progress(lab, &progress)
    }

    /// How far the student has got with a lab.
    pub fn progress(&self, lab: &Lab) -> Progress {
        let progress: Progress = self.read("progress", lab).unwrap_or_default();
        Progress {
            kept: by_todays_names(progress.kept, lab),
            hints: by_todays_names(progress.hints, lab),
            given_up: progress.given_up,
        }
    }

    /// Replaces what is remembered of the progress with a lab.
    ///
    /// # Errors
    /// The directory cannot be written to.
    pub fn keep_progress(&self, lab: &Lab, progress: &Progress) -> io::Result<()> {
        self.write("progress", lab, progress)
    }

    /// Keeps a copy of a file of a lab, as `cp --backup=numbered` would name it:
    /// `.lab/backups/06/lib.rs.~1~`. Returns where.
    ///
    /// # Errors
    /// The file cannot be read, or the directory cannot be written to.
    pub fn back_up(&self, lab: &Lab, file: &Path) -> io::Result<PathBuf> {
        let folder = self.folder.join("backups").join(&lab.number);
        let name = file.file_name().expect("a file of the lab").display();
        let numbered = (1..).map(|number| folder.join(format!("{name}.~{number}~")));
        let backup = numbered.into_iter().find(|path| !path.exists()).expect("numbers are endless");
        self.write_file(&backup, &fs::read(file)?)?;
        Ok(backup)
    }

    fn read<T: DeserializeOwned>(&self, kind: &str, lab: &Lab) -> Option<T> {
        serde_json::from_slice(&fs::read(self.file(kind, lab)).ok()?).ok()
    }

    fn write(&self, kind: &str, lab: &Lab, value: &impl Serialize) -> io::Result<()> {
        self.write_file(&self.file(kind, lab), &serde_json::to_vec_pretty(value)?)
    }

    fn file(&self, kind: &str, lab: &Lab) -> PathBuf {
        self.folder.join(kind).join(format!("{}.json", lab.number))
    }

    /// Writes a whole file or none. It belongs to the owner of the checkout, even if root
    /// grades.
    fn write_file(&self, path: &Path, content: &[u8]) -> io::Result<()> {
        let folder = path.parent().expect("a file in a directory");
        fs::create_dir_all(folder)?;
        let unfinished = path.with_extension(format!("{}", std::process::id()));
        fs::write(&unfinished, content)?;
        fs::rename(&unfinished, path)?;
        let checkout = self.folder.parent().expect("in the checkout").metadata()?;
        for path in path.ancestors().take_while(|path| path.starts_with(&self.folder)) {
            if path.metadata()?.uid() != checkout.uid() {
                chown(path, Some(checkout.uid()), Some(checkout.gid()))?;
            }
        }
        Ok(())
    }
}

/// Moves what is remembered under a promise's old name to its present name. What was
/// noted under the new name has priority.
fn by_todays_names<T>(mut noted: BTreeMap<String, T>, lab: &Lab) -> BTreeMap<String, T> {
    for promise in &lab.promises {
        for old in &promise.formerly {
            if let Some(value) = noted.remove(old) {
                noted.entry(promise.name.clone()).or_insert(value);
            }
        }
    }
    noted
}

/// Now, in seconds since 1970.
pub fn now() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0, |duration| duration.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A lab with one promise.
    fn lab(promise: &str, formerly: &str) -> Lab {
        let words = r#"{ en = "", zh = "" }"#;
        Lab::parse(&format!(
            r#"
            number = "06"
            name = "pivot-root"
            title = {words}
            blog = {words}
            page = ""
            functions = []
            diagnoses = []
            [[promises]]
            name = "{promise}"
            formerly = {formerly}
            function = "enter"
            promised = {words}
            "#
        ))
        .expect("a lab")
    }

    fn kept(promise: &str, at: u64) -> Report {
        let verdicts = BTreeMap::from([(promise.to_owned(), Verdict::Kept)]);
        Report { lab: "06".into(), at, verdicts, ..Report::default() }
    }

    #[test]
    fn progress_survives_a_new_name() {
        let folder = tempfile::tempdir().expect("a directory");
        let records = Records::of(folder.path());
        let before = lab("root_is_new", "[]");
        records.keep(&before, kept("root_is_new", 7)).expect("kept");
        let hints = BTreeMap::from([("code".to_owned(), 2)]);
        let mut progress = records.progress(&before);
        progress.hints.insert("root_is_new".into(), hints.clone());
        records.keep_progress(&before, &progress).expect("kept");

        let after = lab("new_root_is_the_root", r#"["root_is_new"]"#);
        let progress = records.progress(&after);
        assert_eq!(progress.kept, BTreeMap::from([("new_root_is_the_root".to_owned(), 7)]));
        assert_eq!(progress.hints, BTreeMap::from([("new_root_is_the_root".to_owned(), hints)]));
        let report = records.report(&after).expect("a report");
        assert!(report.verdicts.contains_key("new_root_is_the_root"));

        // Graded anew, it is still the first time that counts.
        records.keep(&after, kept("new_root_is_the_root", 9)).expect("kept");
        assert_eq!(records.progress(&after).kept["new_root_is_the_root"], 7);
    }

    #[test]
    fn what_changed_graders_say_is_no_progress() {
        let folder = tempfile::tempdir().expect("a directory");
        let records = Records::of(folder.path());
        let lab = lab("root_is_new", "[]");
        let report =
            Report { graders_changed: vec!["tests/grade.rs".into()], ..kept("root_is_new", 7) };
        records.keep(&lab, report).expect("kept");
        assert!(records.progress(&lab).kept.is_empty());
    }

    #[test]
    fn each_backup_has_a_number() {
        let folder = tempfile::tempdir().expect("a directory");
        let records = Records::of(folder.path());
        let lab = lab("root_is_new", "[]");
        let file = folder.path().join("lib.rs");
        for content in ["first", "second"] {
            fs::write(&file, content).expect("written");
            records.back_up(&lab, &file).expect("a backup");
        }
        let content =
            |name: &str| fs::read_to_string(folder.path().join(".lab/backups/06").join(name));
        assert_eq!(content("lib.rs.~1~").expect("the first"), "first");
        assert_eq!(content("lib.rs.~2~").expect("the second"), "second");
    }
}
