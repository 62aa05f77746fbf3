//! What is remembered of a student's work: the folder `.lab` of the checkout.
//!
//! It lies beside what it is about, so that it survives an update, a rename of
//! the checkout, and the end of the VM.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt, chown};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

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
    /// Files of the graders that are not as they were released.
    pub graders_changed: Vec<String>,
    /// What was said of each promise, by its name.
    pub verdicts: BTreeMap<String, Verdict>,
}

/// How far a student has come.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// The promises kept at some time, by lab number and name, with the time of
    /// the first, in seconds since 1970.
    #[serde(default)]
    pub kept: BTreeMap<String, BTreeMap<String, u64>>,
    /// How many hints were shown, by `PROMISE CODE`.
    #[serde(default)]
    pub hints: BTreeMap<String, usize>,
    /// The labs whose solutions were shown before all was kept.
    #[serde(default)]
    pub given_up: Vec<String>,
}

/// The folder `.lab` of one checkout.
#[derive(Debug, Clone)]
pub struct Records {
    folder: PathBuf,
}

impl Records {
    /// Those of the checkout whose top folder is `top`.
    pub fn of(top: &Path) -> Records {
        Records { folder: top.join(".lab") }
    }

    /// The last report on a lab, if there is one that can be read.
    pub fn report(&self, number: &str) -> Option<Report> {
        serde_json::from_slice(&fs::read(self.report_file(number)).ok()?).ok()
    }

    /// Keeps the verdicts on some promises of a lab, or all; the others stay as
    /// they were. What is kept for the first time counts as progress.
    ///
    /// # Errors
    /// The folder cannot be written to.
    pub fn keep(&self, lab: &Lab, new: Report) -> io::Result<()> {
        let mut report = self.report(&lab.number).unwrap_or_default();
        report.verdicts.extend(new.verdicts.clone());
        report.verdicts.retain(|name, _| lab.promises.iter().any(|it| it.name == *name));
        let report = Report { verdicts: report.verdicts, ..new };
        self.write(&self.report_file(&lab.number), &report)?;

        let mut progress = self.progress();
        if report.graders_changed.is_empty() {
            let kept = progress.kept.entry(lab.number.clone()).or_default();
            for (name, verdict) in &report.verdicts {
                if *verdict == Verdict::Kept {
                    kept.entry(name.clone()).or_insert(report.at);
                }
            }
        }
        self.keep_progress(&progress)
    }

    /// How far the student has come.
    pub fn progress(&self) -> Progress {
        let file = fs::read(self.folder.join("progress.json")).unwrap_or_default();
        serde_json::from_slice(&file).unwrap_or_default()
    }

    /// Replaces what is remembered of the progress.
    ///
    /// # Errors
    /// The folder cannot be written to.
    pub fn keep_progress(&self, progress: &Progress) -> io::Result<()> {
        self.write(&self.folder.join("progress.json"), progress)
    }

    fn report_file(&self, number: &str) -> PathBuf {
        self.folder.join("reports").join(format!("{number}.json"))
    }

    /// Writes a whole file or none. It belongs to whom the checkout belongs,
    /// also when root grades.
    fn write(&self, path: &Path, value: &impl Serialize) -> io::Result<()> {
        let folder = path.parent().expect("a file in a folder");
        fs::create_dir_all(folder)?;
        let owner = self.folder.parent().expect("in the checkout").metadata()?;
        let unfinished = path.with_extension(format!("{}", std::process::id()));
        fs::write(&unfinished, serde_json::to_vec_pretty(value)?)?;
        fs::rename(&unfinished, path)?;
        for path in [path, folder, &self.folder] {
            if path.metadata()?.uid() != owner.uid() {
                chown(path, Some(owner.uid()), Some(owner.gid()))?;
            }
        }
        Ok(())
    }
}

/// Now, in seconds since 1970.
pub fn now() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0, |duration| duration.as_secs())
}
