//! create_write_layer.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use labkit::describe::{Failure, tree};
use labkit::host::{Host, Seen};
use labkit::verdict::{Evidence, Finding, require};
use nix::sched::CloneFlags;
use nix::sys::stat::{Mode, umask};

use crate::layer::folders;
use crate::{Answers, UNFORESEEN, finding};

const FUNCTION: &str = "create_write_layer";

/// All that is known of one call.
struct Facts {
    seen: Seen<Result<(), Failure>>,
    workspace: PathBuf,
    write_layer: Folder,
    work: Folder,
}

/// A folder that should be there.
#[derive(Default)]
struct Folder {
    /// Whether it is: a folder, and no link to one.
    is_there: bool,
    /// Whether nothing is in it.
    is_empty: bool,
    /// Its mode.
    mode: u32,
    /// The device of its file system.
    device: u64,
}

fn look(path: &Path) -> Folder {
    let Ok(data) = path.symlink_metadata() else { return Folder::default() };
    Folder {
        is_there: data.is_dir(),
        is_empty: fs::read_dir(path).is_ok_and(|mut entries| entries.next().is_none()),
        mode: data.mode() & 0o7777,
        device: data.dev(),
    }
}

fn observe(answers: &Answers, host: &Host) -> Result<Facts, Finding> {
    let workspace = host.path("workspace");
    folders(&workspace, ["init-layer"]);
    let seen = host.call(FUNCTION, CloneFlags::empty(), || {
        umask(Mode::from_bits_truncate(0o077));
        (answers.create_write_layer)(&workspace).map_err(Failure::from)
    })?;
    let [write_layer, work] = ["write-layer", "work"].map(|name| look(&workspace.join(name)));
    Ok(Facts { seen, workspace, write_layer, work })
}

impl Facts {
    fn diagnose(&self) -> Option<Finding> {
        if let Err(failure) = &self.seen.returned {
            let finding = Finding::new("answer/returned-error");
            return Some(finding.word("function", FUNCTION).word("error", failure));
        }
        if !self.write_layer.is_there && !self.work.is_there {
            return Some(Finding::new("answer/did-nothing").word("function", FUNCTION));
        }
        if self.workspace.join("write-layer/work").exists() {
            return Some(finding("work-in-the-write-layer"));
        }
        if !self.work.is_there {
            return Some(finding("no-work-folder"));
        }
        if self.work.device != self.write_layer.device {
            return Some(finding("on-two-file-systems"));
        }
        (self.write_layer.mode == 0o700).then(|| {
            let words = finding("closed-by-the-umask").word("name", "write-layer");
            words.word("expected", "0755").word("mode", "0700")
        })
    }

    fn require(&self, kept: bool, evidence: Vec<Evidence>) -> Result<(), Finding> {
        let all = || {
            let mut all = evidence;
            if !self.seen.host_changes().is_empty() {
                all.push(self.seen.host_evidence());
            }
            let drawing = tree(&self.workspace).unwrap_or_default();
            all.push(Evidence::Tree { what: "the workspace".to_owned(), drawing });
            all
        };
        require(kept && self.seen.returned.is_ok(), all, || self.diagnose(), UNFORESEEN)
    }
}

pub fn write_layer_is_empty_and_open(answers: &Answers, host: &Host) -> Result<(), Finding> {
    let facts = observe(answers, host)?;
    let folder = &facts.write_layer;
    let kept = folder.is_there && folder.is_empty && folder.mode == 0o755;
    let seen = match folder {
        Folder { is_there: false, .. } => "no folder".to_owned(),
        Folder { is_empty: false, .. } => "a folder with something in it".to_owned(),
        Folder { mode, .. } => format!("an empty folder, {mode:04o}"),
    };
    let what = "write-layer, made with umask 077";
    facts.require(kept, vec![Evidence::differs(what, "an empty folder, 0755", seen)])
}

pub fn work_lies_beside_the_write_layer(answers: &Answers, host: &Host) -> Result<(), Finding> {
    let facts = observe(answers, host)?;
    let is_on_the_same = facts.work.device == facts.write_layer.device;
    let kept = facts.work.is_there && facts.work.is_empty && is_on_the_same;
    let seen = match (facts.work.is_there, is_on_the_same) {
        (false, _) => "no folder",
        (true, false) => "a folder on another file system",
        (true, true) => "a folder with something in it",
    };
    let expected = "an empty folder on the write layer's file system";
    facts.require(kept, vec![Evidence::differs("work", expected, seen)])
}
