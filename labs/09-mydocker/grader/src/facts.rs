//! All that was seen in one trial.

use labkit::verdict::{Evidence, Whose};
use mydocker_kernel::mountinfo::{Change, MountTable, difference};
use serde::{Deserialize, Serialize};

use crate::first_process::FirstProcess;
use crate::seen::Run;

/// What was seen in one trial.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Facts {
    /// The random words in the image.
    pub words: String,
    /// The random words in the same place on the host.
    pub hosts_words: String,
    /// Those in the file of the host's user.
    pub precious_words: String,
    /// The host's mount table before all.
    pub host_before: String,
    /// The random words in the volume.
    pub volumes_words: String,
    /// A command of the adapter's `prepare` that has failed, and how.
    pub unprepared: Option<(String, Run)>,
    /// The containers, one after another.
    pub runs: Vec<Run>,
    /// The image's directory, if the adapter tells it.
    pub image: Option<String>,
    /// Whether the image was still there after the last container.
    pub has_image: bool,
    /// The paths in the image that the last container has changed.
    pub image_changes: Vec<String>,
    /// Whether the containers were given a volume.
    pub has_volume: bool,
    /// Whether the kernel knows file systems of type aufs.
    pub kernel_has_aufs: bool,
    /// What kept the grader from going on: the host was not as it was any more.
    pub interrupted: Option<String>,
}

impl Facts {
    /// The mounts of a container that were seen on the host.
    pub fn leaks(&self) -> Option<Evidence> {
        let run = self.runs.iter().find(|run| !run.in_passing.leaked.is_empty())?;
        let leaked: Vec<&str> = run.in_passing.leaked.iter().map(String::as_str).collect();
        let what = "the host's mount table, while a container was started";
        Some(Evidence::differs(what, "no mount of the container's own", leaked.join(", ")))
    }

    /// Whether a container's command found the host's files in place of the image's.
    pub fn is_on_the_hosts_root(&self, run: &Run) -> bool {
        run.says("words") == Some(&self.hosts_words)
    }

    /// Whether that holds for any container.
    pub fn has_run_on_the_host(&self) -> bool {
        self.runs.iter().any(|run| self.is_on_the_hosts_root(run))
    }

    /// What such a command has read.
    pub fn on_the_hosts_root(&self) -> Option<Evidence> {
        let seen = Evidence::differs(
            "cat /root/exam/words",
            "the words in the archive",
            "those of the host",
        );
        self.has_run_on_the_host().then_some(seen)
    }

    /// The last container.
    pub fn last(&self) -> Option<&Run> {
        self.runs.last()
    }

    /// What the probe of the last container has said.
    pub fn says(&self, fact: &str) -> Option<&str> {
        self.last().and_then(|run| run.says(fact))
    }

    /// The first process of the last container.
    pub fn first_process(&self) -> Option<&FirstProcess> {
        self.last()?.first_process.as_ref()
    }

    /// How the host's mount table has changed since the beginning.
    pub fn host_changes(&self, table: &str) -> Vec<Change> {
        let parse = |table: &str| MountTable::parse(table.as_bytes()).expect("the kernel's own");
        difference(&parse(&self.host_before), &parse(table))
    }

    /// The same as evidence.
    pub fn host_evidence(&self, table: &str) -> Evidence {
        Evidence::changes(Whose::Host, &self.host_changes(table))
    }
}

/// Evidence that something is missing; none if it exists.
pub fn should_be_there(what: &str, is_there: bool) -> Option<Evidence> {
    (!is_there).then(|| Evidence::differs(what, "there", "missing"))
}

/// Evidence of what has kept the grader from its work.
pub fn unfinished(error: &str) -> Evidence {
    Evidence::differs("the grader's own next step, on this host", "Ok", error)
}
